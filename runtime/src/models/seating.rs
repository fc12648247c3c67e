//! The poller's seat: if all processors are idle, somebody sits; and who sits is found
//! by whoever gives it a processor.
//!
//! Two workers and one processor. One worker goes to sleep, the other sits and gets up
//! because the processor is taken, which is given up at the same time: `sit` of
//! `netpoll/seat.rs`, w1 to w3 of `sched/idle.rs`.

use super::explore;
use crate::sys::atomic::{AtomicU32, Ordering};
use crate::sys::barrier;
use loom::thread;
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// Who gets up does not look again.
    LooksOnce,
    /// It looks again without a barrier between.
    NoBarrierInSeat,
    /// Who goes to sleep looks at the seat without a barrier before.
    NoBarrierBeforeSleep,
    /// Who goes to sleep looks at the seat before its processor is idle.
    LooksEarly,
    /// The seat is taken by a load and a store.
    TakesInTwoSteps,
}

struct World {
    /// Processors that nobody holds.
    idle: AtomicU32,
    seat: AtomicU32,
    /// Who sits, at the end.
    sitting: AtomicU32,
    flaw: Option<Flaw>,
}

impl World {
    fn new(idle: u32, seat: u32, flaw: Option<Flaw>) -> Arc<World> {
        Arc::new(World {
            idle: AtomicU32::new(idle),
            seat: AtomicU32::new(seat),
            sitting: AtomicU32::new(0),
            flaw,
        })
    }

    fn is(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn any_idle(&self) -> bool {
        self.idle.load(Ordering::Relaxed) != 0
    }

    fn is_taken(&self) -> bool {
        self.seat.load(Ordering::Relaxed) != 0
    }

    fn take(&self) -> bool {
        if self.is_taken() {
            return false;
        }
        if self.is(Flaw::TakesInTwoSteps) {
            self.seat.store(1, Ordering::Relaxed);
            return true;
        }
        self.seat.swap(1, Ordering::Relaxed) == 0
    }

    /// `sit`, by one that found no processor idle in the poller.
    fn gets_up(&self) {
        loop {
            self.seat.store(0, Ordering::Relaxed);
            if self.is(Flaw::LooksOnce) {
                return;
            }
            if !self.is(Flaw::NoBarrierInSeat) {
                barrier::heavy();
            }
            if !self.any_idle() || !self.take() {
                return;
            }
            if self.stays() {
                return;
            }
        }
    }

    /// Down in the poller. `false`: no processor is idle, so it gets up again.
    fn stays(&self) -> bool {
        if !self.any_idle() {
            return false;
        }
        self.sitting.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// A worker that gives its processor up and goes to sleep.
    fn goes_to_sleep(&self) {
        let early = self.is(Flaw::LooksEarly).then(|| self.is_taken());
        // ORDERING: Release; as where a processor is put among the idle ones.
        self.idle.fetch_add(1, Ordering::Release);
        if !self.is(Flaw::NoBarrierBeforeSleep) {
            barrier::heavy();
        }
        let taken = early.unwrap_or_else(|| self.is_taken());
        if !taken && self.any_idle() && self.take() && !self.stays() {
            self.seat.store(0, Ordering::Relaxed);
        }
    }
}

/// One goes to sleep while the other, who had found no processor idle, gets up.
fn changed(flaw: Option<Flaw>) {
    explore(None, move || {
        let world = World::new(0, 1, flaw);
        let other = {
            let world = Arc::clone(&world);
            thread::spawn(move || world.gets_up())
        };
        world.goes_to_sleep();
        other.join().unwrap();
        assert_eq!(world.sitting.load(Ordering::Relaxed), 1, "who sits");
    });
}

/// Two go to sleep at once, and the seat is free.
fn raced(flaw: Option<Flaw>) {
    explore(None, move || {
        let world = World::new(0, 0, flaw);
        let other = {
            let world = Arc::clone(&world);
            thread::spawn(move || world.goes_to_sleep())
        };
        world.goes_to_sleep();
        other.join().unwrap();
        assert_eq!(world.sitting.load(Ordering::Relaxed), 1, "who sits");
    });
}

#[test]
fn somebody_sits_if_all_are_idle() {
    changed(None);
}

#[test]
fn one_of_two_sits() {
    raced(None);
}

#[test]
#[should_panic(expected = "who sits")]
fn broken_who_gets_up_does_not_look_again() {
    changed(Some(Flaw::LooksOnce));
}

#[test]
#[should_panic(expected = "who sits")]
fn broken_no_barrier_after_the_seat_is_free() {
    changed(Some(Flaw::NoBarrierInSeat));
}

#[test]
#[should_panic(expected = "who sits")]
fn broken_no_barrier_before_the_look_at_the_seat() {
    changed(Some(Flaw::NoBarrierBeforeSleep));
}

#[test]
#[should_panic(expected = "who sits")]
fn broken_the_seat_is_looked_at_too_early() {
    changed(Some(Flaw::LooksEarly));
}

#[test]
#[should_panic(expected = "who sits")]
fn broken_the_seat_is_taken_in_two_steps() {
    raced(Some(Flaw::TakesInTwoSteps));
}
