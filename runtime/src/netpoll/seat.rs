//! Who sleeps in the poller.
//!
//! The *seat* is for one worker that has nothing to do. It is idle like any other
//! and can be given a processor; then the poller's bell rings for it.
//!
//! While all processors are busy nobody sits: the thread would only take a CPU away
//! from those who hold one, and they look by themselves. So a worker sits down only
//! if a processor is idle, and gets up when it is woken and none is any more.
//!
//! In default mode who sits may be woken for tasks that others must run. If those are
//! busy it could as well have slept: they look by themselves when they have nothing
//! left to run, and find many events at once. So it stays away for a moment, which
//! costs whoever makes the events a wake-up less for each; then it sits down again, if
//! nobody else has meanwhile.
//!
//! Who sits is the watch for timers too, like any idle worker (`time/watch.rs`).
//!
//! # Somebody sits if all are idle
//! A worker that goes to sleep has put its processor among the idle ones (w1 of
//! `sched/idle.rs`), passed the barrier w3, and then looks at the seat. One that
//! gets up because no processor is idle frees the seat, passes such a barrier, and
//! looks once more whether one is. So either the first finds the seat free or the
//! second finds the processor. One that gets up for a processor of its own looks at
//! the seat again when it has given that up.
//!
//! One that stays away has freed the seat as well, and looks at it again soon, so for
//! that long nobody may sit although all are idle.
//!
//! What is left: a processor becomes idle without a worker that goes to sleep, when
//! sysmon takes it out of a blocking call and nobody wants it. Then sysmon sees,
//! before it sleeps, that nobody sits, and wakes a worker, which finds nothing to
//! do, and sits down. sysmon is woken whenever an idle processor is taken, so it
//! need not look while it sleeps.

use super::{LOOKS, POLLER, SOURCES, look_now, wake};
use crate::sched::counts::Count;
use crate::sched::worker::Worker;
use crate::sched::{SCHED, handover};
use crate::sys::barrier;
use crate::sys::epoll::{BELL, Events, Poller};
use crate::time;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// In a cache line of its own.
#[repr(align(128))]
struct Seat(AtomicBool);

/// How often somebody sat down so far; counted by who has the seat.
pub(super) static SITTINGS: Count = Count::new();

static SEAT: Seat = Seat(AtomicBool::new(false));

impl Seat {
    fn is_taken(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn take(&self) -> bool {
        !self.is_taken() && !self.0.swap(true, Ordering::Relaxed)
    }

    fn leave(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// How somebody got up.
#[derive(PartialEq, Eq)]
enum Up {
    /// It has a processor, will be given one, or is in the FIFO.
    Served,
    /// No processor is idle.
    AllBusy,
    /// It was woken for those only who were busy anyway.
    InVain,
}

/// How long who was woken in vain stays away from the poller. (The kernel's timers add
/// as much again.) Whoever is busy looks when it has nothing left to run, and gets many
/// events at once; who sits would be woken for each.
const AWAY: Duration = Duration::from_micros(50);

/// A worker without a processor may sleep in the poller, until it has one or had
/// better sleep elsewhere. Whether it has one.
pub(crate) fn sit(w: &'static Worker) -> bool {
    let Some(poller) = POLLER.get() else { return false };
    while w.is_idle() && SCHED.idle.any() && SEAT.take() {
        let up = sit_down(w, poller);
        SEAT.leave();
        if up == Up::Served || up == Up::InVain && w.await_for_a_while(AWAY) {
            break;
        }
        barrier::heavy();
    }
    w.holding().is_some()
}

fn sit_down(w: &'static Worker, poller: &Poller) -> Up {
    let mut room = Events::new();
    loop {
        if !w.begin_sitting() {
            return Up::Served;
        }
        SITTINGS.add(1);
        let events = time::watch_while(None, |left| poller.wait(&mut room, left));
        let given = !w.end_sitting();
        if events.clone().any(|event| event.token() == BELL) {
            // Whoever rings has given the processor before, which is seen below if
            // it rang for this one.
            poller.hush();
        }
        if given {
            wake(events);
            return Up::Served;
        }
        // Tasks that may run anywhere are best run here, which takes a processor;
        // those that are bound here are queued without one.
        let takes = SCHED.migrating() && events.clone().any(|event| event.token() != BELL);
        let got = takes && handover::reclaim(w, false);
        let idle = SCHED.idle.count();
        let woken = wake(events);
        // Guesses will do.
        let some_are_busy = (idle as usize) < SCHED.processors().len();
        let in_vain = woken && some_are_busy && idle == SCHED.idle.count();
        if time::idle_are_due() {
            // Nobody need wake it now: it may give itself a processor.
            time::run_idle();
        }
        if !got && w.has_bound_work() {
            // Else it is in the FIFO now, or was given one.
            handover::reclaim(w, true);
        }
        if !w.is_idle() {
            return Up::Served;
        }
        if !SCHED.idle.any() {
            return Up::AllBusy;
        }
        if in_vain {
            return Up::InVain;
        }
    }
}

/// sysmon's memory.
pub(crate) struct Watch {
    looks: u64,
}

impl Watch {
    pub(crate) fn new() -> Watch {
        Watch { looks: 0 }
    }

    /// Looks if nobody has since the last time, and nobody sits.
    pub(crate) fn look(&mut self) {
        let looks = LOOKS.get();
        if looks == self.looks && !SEAT.is_taken() && SOURCES.load(Ordering::Relaxed) != 0 {
            look_now();
        }
        self.looks = LOOKS.get();
    }

    /// All processors are idle. Somebody must sit: if nobody does, a worker is woken.
    /// Whether that was so.
    pub(crate) fn seat_somebody(&self) -> bool {
        let alone = POLLER.get().is_some() && !SEAT.is_taken();
        if alone {
            handover::wake_one();
        }
        alone
    }
}
