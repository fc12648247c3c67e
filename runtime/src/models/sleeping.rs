//! The release and sleep protocol of `RawLock`: u1 to u3 against l1 to l3, with
//! the same orderings, and a futex for the kernel.

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
        while self
            .word
            .compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
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
