//! Two ways to sleep on a futex: `RawLock`'s, with u1 to u3 against l1 to l3,
//! and that of a worker that waits for a processor. The orderings are the same.

use super::{Futex, Plain, explore};
use crate::sys::atomic::{AtomicU32, Ordering};
use crate::sys::barrier;
use loom::thread;
use std::sync::Arc;

const FREE: u32 = 0;
const HELD: u32 = 1;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    NoBarrierInUnlock,
    NoBarrierBeforeSleep,
    /// u3 is left out.
    DoesNotLook,
    /// l1 comes after the last look at the word.
    CountsLate,
}

struct Lock {
    word: AtomicU32,
    sleepers: AtomicU32,
    futex: Futex,
    guarded: Plain<u32>,
    flaw: Option<Flaw>,
}

impl Lock {
    fn new(flaw: Option<Flaw>) -> Arc<Lock> {
        Arc::new(Lock {
            word: AtomicU32::new(FREE),
            sleepers: AtomicU32::new(0),
            futex: Futex::new(),
            guarded: Plain::new(0),
            flaw,
        })
    }

    fn is(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn lock(&self) {
        while self.word.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_err()
        {
            let asleep = || self.word.load(Ordering::Relaxed) == HELD;
            if self.is(Flaw::CountsLate) {
                let asleep = asleep();
                self.sleepers.fetch_add(1, Ordering::Relaxed);
                barrier::heavy();
                self.futex.wait(|| asleep);
            } else {
                self.sleepers.fetch_add(1, Ordering::Relaxed);
                if !self.is(Flaw::NoBarrierBeforeSleep) {
                    barrier::heavy();
                }
                self.futex.wait(asleep);
            }
            self.sleepers.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn unlock(&self) {
        self.word.store(FREE, Ordering::Release);
        if !self.is(Flaw::NoBarrierInUnlock) {
            barrier::light();
        }
        if self.sleepers.load(Ordering::Relaxed) != 0 && !self.is(Flaw::DoesNotLook) {
            self.futex.wake();
        }
    }

    fn add_one(&self) {
        self.lock();
        self.guarded.set(self.guarded.get() + 1);
        self.unlock();
    }
}

fn contended(threads: u32, flaw: Option<Flaw>) {
    explore(Some(4), move || {
        let lock = Lock::new(flaw);
        let others: Vec<_> = (1..threads)
            .map(|_| {
                let lock = Arc::clone(&lock);
                thread::spawn(move || lock.add_one())
            })
            .collect();
        lock.add_one();
        others.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(lock.guarded.get(), threads);
    });
}

#[test]
fn two_threads() {
    contended(2, None);
}

#[test]
fn three_threads() {
    contended(3, None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_u3_is_left_out() {
    contended(2, Some(Flaw::DoesNotLook));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_u2_is_left_out() {
    contended(2, Some(Flaw::NoBarrierInUnlock));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_l2_is_left_out() {
    contended(2, Some(Flaw::NoBarrierBeforeSleep));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_l1_comes_late() {
    contended(2, Some(Flaw::CountsLate));
}

const NOTHING: u32 = 0;
const ASLEEP: u32 = u32::MAX;

/// `Worker::assign` against `Worker::await_processor`.
struct Handoff {
    word: AtomicU32,
    futex: Futex,
    /// What comes with the processor (S1).
    processor: Plain<u32>,
}

impl Handoff {
    fn assign(&self) {
        self.processor.set(7);
        if self.word.swap(1, Ordering::AcqRel) == ASLEEP {
            self.futex.wake();
        }
    }

    fn await_processor(&self, announces: bool) {
        loop {
            match self.word.load(Ordering::Acquire) {
                NOTHING if announces => {
                    let _ = self.word.compare_exchange(
                        NOTHING,
                        ASLEEP,
                        Ordering::Relaxed,
                        Ordering::Relaxed,
                    );
                }
                word @ (NOTHING | ASLEEP) => {
                    self.futex.wait(|| self.word.load(Ordering::Relaxed) == word);
                }
                _ => break,
            }
        }
        self.word.store(NOTHING, Ordering::Relaxed);
        assert_eq!(self.processor.get(), 7);
    }
}

fn handed_over(announces: bool) {
    explore(None, move || {
        let handoff = Arc::new(Handoff {
            word: AtomicU32::new(NOTHING),
            futex: Futex::new(),
            processor: Plain::new(0),
        });
        let worker = {
            let handoff = Arc::clone(&handoff);
            thread::spawn(move || handoff.await_processor(announces))
        };
        handoff.assign();
        worker.join().unwrap();
    });
}

#[test]
fn a_worker_gets_its_processor() {
    handed_over(true);
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_a_worker_does_not_announce_that_it_sleeps() {
    handed_over(false);
}
