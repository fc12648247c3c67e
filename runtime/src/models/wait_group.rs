//! The wait group: who waits is let go when the counter reaches zero, whatever is added
//! meanwhile, and sees what was done.

use super::waiters::Waiters;
use super::{Plain, explore};
use crate::wg_word::{Down, WgWord};
use loom::thread;
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// The counter reaches zero outside of the queue's lock.
    ZeroOutside,
    /// The last one does not look at the queue.
    DoesNotLook,
    /// A waiter looks at the counter before it locks the queue, and not again.
    LooksBefore,
}

struct Group {
    word: WgWord,
    waiters: Waiters,
    /// What the tasks of the group do.
    work: [Plain<u32>; 2],
    flaw: Option<Flaw>,
}

impl Group {
    fn new(count: u64, flaw: Option<Flaw>) -> Arc<Group> {
        let work = [Plain::new(0), Plain::new(0)];
        let group = Group { word: WgWord::new(), waiters: Waiters::new(), work, flaw };
        assert!(group.word.add(count));
        Arc::new(group)
    }

    fn is(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn done(&self) {
        loop {
            match self.word.down() {
                Down::Counted => return,
                Down::Below => panic!("more was done than counted"),
                Down::Last if self.last_done() => return,
                Down::Last => {}
            }
        }
    }

    /// `Group::last_done` and `Held::end_round`.
    fn last_done(&self) -> bool {
        let early = self.is(Flaw::ZeroOutside).then(|| self.word.reach_zero());
        let mut held = self.waiters.hold();
        if !early.unwrap_or_else(|| self.word.reach_zero()) {
            return false;
        }
        if self.is(Flaw::DoesNotLook) {
            return true;
        }
        let round = held.round;
        held.round += 1;
        while let Some((_, waiter)) = held.claim_first(|of| of <= round) {
            drop(held);
            waiter.enqueue();
            held = self.waiters.hold();
        }
        true
    }

    /// Whether it waited until the end; one that is `timed` may have given up.
    fn wait(&self, timed: bool) -> bool {
        if self.word.is_zero() {
            return true;
        }
        let early = self.is(Flaw::LooksBefore).then(|| self.word.announce());
        let held = self.waiters.hold();
        if !early.unwrap_or_else(|| self.word.announce()) {
            return true;
        }
        let round = held.round;
        self.waiters.park(held, round, false, timed).is_ok()
    }
}

/// Two things to be done, and some who wait.
fn waited_for(bound: usize, waiters: &'static [bool], flaw: Option<Flaw>) {
    explore(Some(bound), move || {
        let group = Group::new(2, flaw);
        let mut threads: Vec<_> = waiters
            .iter()
            .map(|&timed| {
                let group = Arc::clone(&group);
                thread::spawn(move || {
                    if group.wait(timed) {
                        assert_eq!(group.work.each_ref().map(Plain::get), [1, 1]);
                    }
                })
            })
            .collect();
        let other = Arc::clone(&group);
        threads.push(thread::spawn(move || {
            other.work[1].set(1);
            other.done();
        }));
        group.work[0].set(1);
        group.done();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

/// The next round begins while somebody leaves the first.
fn used_again(flaw: Option<Flaw>) {
    explore(Some(3), move || {
        let group = Group::new(1, flaw);
        let first = {
            let group = Arc::clone(&group);
            thread::spawn(move || assert!(group.wait(false)))
        };
        let done = {
            let group = Arc::clone(&group);
            thread::spawn(move || group.done())
        };
        done.join().unwrap();
        // It was zero, so the first goes, although this one is not done until then.
        assert!(group.word.add(1));
        first.join().unwrap();
        group.done();
        assert!(group.wait(false));
    });
}

#[test]
fn one_waits_for_two() {
    waited_for(3, &[false], None);
}

#[test]
fn two_wait_and_one_gives_up() {
    waited_for(2, &[false, true], None);
}

/// Who waits in the first round may come too late for it, and waits for the second
/// then; who has queued in it does not.
#[test]
fn the_first_round_ends_although_the_second_has_begun() {
    explore(Some(3), || {
        let group = Group::new(1, None);
        let held = group.waiters.hold();
        assert!(group.word.announce());
        drop(held);
        let waits = {
            let group = Arc::clone(&group);
            thread::spawn(move || {
                let held = group.waiters.hold();
                if group.word.announce() {
                    let round = held.round;
                    drop(group.waiters.park(held, round, false, false));
                }
            })
        };
        group.done();
        waits.join().unwrap();
        assert!(group.word.add(1));
        group.done();
        assert!(group.wait(false));
    });
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_the_last_one_does_not_look() {
    waited_for(2, &[false], Some(Flaw::DoesNotLook));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_a_waiter_looks_before_it_locks() {
    waited_for(3, &[false], Some(Flaw::LooksBefore));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_the_counter_reaches_zero_outside_of_the_lock() {
    used_again(Some(Flaw::ZeroOutside));
}
