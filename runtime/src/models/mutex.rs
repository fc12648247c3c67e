//! The mutex: one owner at a time, who sees what the former ones did; nobody waits
//! for a lock that is free, in either mode, whoever gives up.

use super::waiters::Waiters;
use super::{Plain, explore};
use crate::mutex_word::{MutexWord, Waiter, Wake};
use loom::thread;
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// An unlock does not look into the queue.
    DoesNotLook,
    /// A woken waiter that comes too late does not say so.
    StaysWoken,
    /// A new owner is claimed before the lock is its own.
    ClaimsFirst,
    /// A lock that nobody wanted any more stays locked.
    KeepsLock,
}

struct Lock {
    word: MutexWord,
    waiters: Waiters,
    guarded: Plain<u32>,
    /// Whether whoever comes too late starves.
    starves: bool,
    flaw: Option<Flaw>,
}

impl Lock {
    fn is(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    /// `RawMutex::wait`.
    fn lock(&self, timed: bool) -> bool {
        if self.word.try_lock() {
            return true;
        }
        let mut who = Waiter::New;
        loop {
            let held = self.waiters.hold();
            if self.word.lock_or_announce(who) {
                return true;
            }
            if let Err(held) = self.waiters.park(held, 0, who != Waiter::New, timed) {
                if held.is_empty() {
                    self.word.left_empty();
                }
                return false;
            }
            if self.word.is_handed_over() {
                self.word.accept(self.starves);
                return true;
            }
            who = match self.starves {
                _ if self.is(Flaw::StaysWoken) => Waiter::New,
                true => Waiter::Starving,
                false => Waiter::Woken,
            };
        }
    }

    fn unlock(&self) {
        if self.word.unlock() && !self.is(Flaw::DoesNotLook) {
            self.wake_first();
        }
    }

    fn wake_first(&self) {
        let mut held = self.waiters.hold();
        if self.is(Flaw::ClaimsFirst) {
            // It may run at once.
            let first = held.claim_first(|_| true).map(|(_, first)| first.enqueue());
            let wake = self.word.begin_wake();
            self.word.end_wake(wake, first.is_some(), !held.is_empty());
            return;
        }
        let wake = self.word.begin_wake();
        if wake == Wake::Nobody {
            return;
        }
        let first = held.claim_first(|_| true);
        if first.is_some() || !self.is(Flaw::KeepsLock) {
            self.word.end_wake(wake, first.is_some(), !held.is_empty());
        }
        drop(held);
        if let Some((_, first)) = first {
            first.enqueue();
        }
    }

    fn add_one(&self, timed: bool) -> u32 {
        if !self.lock(timed) {
            return 0;
        }
        self.guarded.set(self.guarded.get() + 1);
        self.unlock();
        1
    }
}

/// A thread that locks so often, beside others, some of which give up at any moment.
fn contended(
    bound: usize,
    rounds: u32,
    others: &'static [bool],
    starves: bool,
    flaw: Option<Flaw>,
) {
    explore(Some(bound), move || {
        let lock = Arc::new(Lock {
            word: MutexWord::new(),
            waiters: Waiters::new(),
            guarded: Plain::new(0),
            starves,
            flaw,
        });
        let others: Vec<_> = others
            .iter()
            .map(|&timed| {
                let lock = Arc::clone(&lock);
                thread::spawn(move || lock.add_one(timed))
            })
            .collect();
        let mut sum = 0;
        for _ in 0..rounds {
            sum += lock.add_one(false);
        }
        for thread in others {
            sum += thread.join().unwrap();
        }
        assert!(lock.word.is_free(), "something is left in the word");
        assert_eq!(lock.guarded.get(), sum);
    });
}

#[test]
fn normal_mode() {
    contended(3, 2, &[false], false, None);
    contended(2, 2, &[false, false], false, None);
}

#[test]
fn normal_mode_with_one_that_gives_up() {
    contended(2, 2, &[false, true], false, None);
}

#[test]
fn starvation_mode() {
    contended(3, 3, &[false], true, None);
    contended(2, 3, &[false, false], true, None);
}

#[test]
fn starvation_mode_with_one_that_gives_up() {
    contended(3, 3, &[true], true, None);
    contended(2, 3, &[false, true], true, None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_an_unlock_does_not_look() {
    contended(2, 1, &[false], false, Some(Flaw::DoesNotLook));
}

#[test]
#[should_panic(expected = "something is left in the word")]
fn broken_a_late_waiter_stays_woken() {
    contended(3, 2, &[false], false, Some(Flaw::StaysWoken));
}

#[test]
#[should_panic(expected = "something is left in the word")]
fn broken_the_new_owner_is_claimed_first() {
    contended(4, 3, &[false], true, Some(Flaw::ClaimsFirst));
}

#[test]
#[should_panic(expected = "something is left in the word")]
fn broken_a_lock_for_nobody_stays_locked() {
    contended(3, 3, &[true], true, Some(Flaw::KeepsLock));
}
