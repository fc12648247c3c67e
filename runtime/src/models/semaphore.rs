//! The semaphore: no more permits than there are, in order; who gives some back is
//! seen by who takes them; nobody waits for permits that are free, whoever gives up.

use super::waiters::{Held, Waiters};
use super::{Plain, explore};
use crate::sem_word::{Give, SemWord};
use loom::thread;
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// Permits are given back without a look at the queue.
    DoesNotLook,
    /// One that gives up does not let those behind it go.
    LeavesSilently,
    /// A waiter has permits that are not taken from the others.
    DoesNotGrant,
}

struct Semaphore {
    word: SemWord,
    size: u32,
    waiters: Waiters,
    guarded: Plain<u32>,
    flaw: Option<Flaw>,
}

impl Semaphore {
    fn new(size: u32, flaw: Option<Flaw>) -> Semaphore {
        Semaphore {
            word: SemWord::new(size),
            size,
            waiters: Waiters::new(),
            guarded: Plain::new(0),
            flaw,
        }
    }

    fn is(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn acquire(&self, count: u32, timed: bool) -> bool {
        if self.word.take(count) {
            return true;
        }
        let held = self.waiters.hold();
        if self.word.take_or_announce(count) {
            return true;
        }
        match self.waiters.park(held, count, false, timed) {
            Ok(()) => {
                self.word.granted();
                true
            }
            Err(held) => {
                if !self.is(Flaw::LeavesSilently) {
                    self.serve(held);
                }
                false
            }
        }
    }

    fn release(&self, count: u32) {
        match self.word.give(count, self.size) {
            Give::Done => {}
            Give::TooMany => panic!("more than there were"),
            Give::Queued => {
                let held = self.waiters.hold();
                assert!(self.word.give_locked(count, self.size), "more than there were");
                if !self.is(Flaw::DoesNotLook) {
                    self.serve(held);
                }
            }
        }
    }

    fn serve<'a>(&'a self, mut held: Held<'a>) {
        loop {
            let first = held.claim_first(|count| self.word.suffices(count));
            if let Some((count, _)) = first
                && !self.is(Flaw::DoesNotGrant)
            {
                self.word.grant(count);
            }
            if held.is_empty() {
                self.word.left_empty();
            }
            drop(held);
            let Some((_, first)) = first else { return };
            first.enqueue();
            held = self.waiters.hold();
        }
    }

    /// Alone inside if it takes all permits.
    fn act(&self, count: u32, timed: bool) -> u32 {
        if !self.acquire(count, timed) {
            return 0;
        }
        let alone = count == self.size;
        if alone {
            self.guarded.set(self.guarded.get() + 1);
        }
        self.release(count);
        u32::from(alone)
    }
}

/// One that wants little, behind one that wants much and gives up: it is served
/// although nothing is given back meanwhile.
fn behind_one_that_gives_up(flaw: Option<Flaw>) {
    explore(Some(3), move || {
        let semaphore = Arc::new(Semaphore::new(2, flaw));
        assert!(semaphore.acquire(1, false));
        let others = [(2, true), (1, false)].map(|(count, timed)| {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || semaphore.act(count, timed))
        });
        for thread in others {
            thread.join().unwrap();
        }
        semaphore.release(1);
        assert!(semaphore.word.take(2), "permits are lost");
    });
}

fn contended(bound: usize, size: u32, all: &'static [(u32, bool)], flaw: Option<Flaw>) {
    explore(Some(bound), move || {
        let semaphore = Arc::new(Semaphore::new(size, flaw));
        let others: Vec<_> = all[1..]
            .iter()
            .map(|&(count, timed)| {
                let semaphore = Arc::clone(&semaphore);
                thread::spawn(move || semaphore.act(count, timed))
            })
            .collect();
        let mut sum = semaphore.act(all[0].0, all[0].1);
        for thread in others {
            sum += thread.join().unwrap();
        }
        assert_eq!(semaphore.guarded.get(), sum);
        assert!(semaphore.word.take(size), "permits are lost");
    });
}

#[test]
fn one_permit_is_a_lock() {
    contended(3, 1, &[(1, false), (1, false)], None);
    contended(2, 1, &[(1, false), (1, false), (1, false)], None);
}

#[test]
fn much_and_little() {
    contended(2, 2, &[(2, false), (1, false), (2, false)], None);
    contended(2, 2, &[(1, false), (2, false), (1, false)], None);
}

#[test]
fn one_gives_up() {
    behind_one_that_gives_up(None);
    contended(2, 2, &[(1, false), (2, true), (1, false)], None);
    contended(2, 1, &[(1, false), (1, true), (1, false)], None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_a_release_does_not_look() {
    contended(2, 1, &[(1, false), (1, false)], Some(Flaw::DoesNotLook));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_one_leaves_silently() {
    behind_one_that_gives_up(Some(Flaw::LeavesSilently));
}

#[test]
#[should_panic(expected = "more than there were")]
fn broken_permits_are_granted_twice() {
    contended(2, 1, &[(1, false), (1, false)], Some(Flaw::DoesNotGrant));
}
