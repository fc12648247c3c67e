//! At a cut every entry of an earlier time is on its tape; after the end nothing is
//! written; and entries come out whole and in order. The tape is the real one
//! (`sched/tape.rs`); `tapes.rs` and `Session` are rebuilt around it.

use super::explore;
use crate::sys::atomic::{AtomicU64, Ordering};
use crate::sys::barrier;
use crate::tape::Tape;
use loom::thread;
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// The collector has no barrier between the clock and the turn.
    NoBarrier,
    /// It does not wait for whoever is in the middle of an entry.
    DoesNotWait,
}

struct World {
    tape: Tape,
    on: AtomicU64,
    clock: AtomicU64,
    flaw: Option<Flaw>,
}

impl World {
    fn new(flaw: Option<Flaw>) -> Arc<World> {
        let words = Box::new(std::array::from_fn(|_| AtomicU64::new(0)));
        let (on, clock) = (AtomicU64::new(1), AtomicU64::new(0));
        Arc::new(World { tape: Tape::new(words), on, clock, flaw })
    }

    /// `Slot::put`, of three words, the first time of six.
    fn put(&self, n: u64) {
        let clock =
            || (self.on.load(Ordering::Relaxed) != 0).then(|| self.clock.load(Ordering::Relaxed));
        self.tape.put(clock, 1, 0, &[], &[&n.to_string()]);
    }

    /// v2.
    fn settle(&self) {
        if self.flaw != Some(Flaw::NoBarrier) {
            barrier::heavy();
        }
        if self.flaw != Some(Flaw::DoesNotWait) {
            self.tape.settle(thread::yield_now);
        }
    }

    /// The times and numbers that there are.
    fn read(&self) -> Vec<(u64, u64)> {
        let (mut entries, mut reader) = (Vec::new(), self.tape.reader());
        while let Some(time) = reader.ticks() {
            assert_eq!(reader.begin(), (1, 0), "an entry begins in the middle of another");
            entries.push((time, reader.text().parse().expect("a whole entry")));
        }
        entries
    }

    /// A worker that writes so many.
    fn worker(self: &Arc<World>, count: u64) -> thread::JoinHandle<()> {
        let world = Arc::clone(self);
        thread::spawn(move || (1..=count).for_each(|n| world.put(n)))
    }
}

/// The time is 0 before the cut, and 1 after it.
fn cut(flaw: Option<Flaw>) {
    explore(None, move || {
        let world = World::new(flaw);
        let worker = world.worker(2);
        world.clock.store(1, Ordering::Relaxed);
        world.settle();
        let mut all = world.read();
        let count = all.len();
        worker.join().unwrap();
        all.extend(world.read());
        let late = all[count..].iter().find(|(time, _)| *time == 0);
        assert_eq!(late, None, "an entry of an earlier time came late");
        let numbers: Vec<u64> = all.into_iter().map(|(_, n)| n).collect();
        assert_eq!(numbers, [1, 2]);
    });
}

fn end(flaw: Option<Flaw>) {
    explore(None, move || {
        let world = World::new(flaw);
        let worker = world.worker(1);
        world.on.store(0, Ordering::Relaxed);
        world.settle();
        world.tape.rewind();
        worker.join().unwrap();
        assert_eq!(world.read(), [], "something was written after the end");
    });
}

/// Words are used again while the collector reads.
#[test]
fn a_tape_that_is_too_short() {
    explore(None, || {
        let world = World::new(None);
        let worker = world.worker(4);
        let mut all = world.read();
        all.extend(world.read());
        worker.join().unwrap();
        all.extend(world.read());
        let numbers: Vec<u64> = all.into_iter().map(|(_, n)| n).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "out of order: {numbers:?}");
        let lost = world.tape.take_lost();
        assert_eq!(numbers.len() as u64 + lost, 4, "{numbers:?} and {lost} lost");
    });
}

#[test]
fn a_cut() {
    cut(None);
}

#[test]
fn the_end() {
    end(None);
}

#[test]
#[should_panic(expected = "came late")]
fn broken_a_cut_without_a_barrier() {
    cut(Some(Flaw::NoBarrier));
}

#[test]
#[should_panic(expected = "came late")]
fn broken_a_cut_that_does_not_wait() {
    cut(Some(Flaw::DoesNotWait));
}

#[test]
#[should_panic(expected = "after the end")]
fn broken_an_end_without_a_barrier() {
    end(Some(Flaw::NoBarrier));
}

#[test]
#[should_panic(expected = "after the end")]
fn broken_an_end_that_does_not_wait() {
    end(Some(Flaw::DoesNotWait));
}
