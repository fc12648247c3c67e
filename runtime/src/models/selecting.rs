//! A select over two channels: one case fires, and its frame outlives whoever
//! looks at it.
//!
//! The two locks stand for the channels; what they guard says whether the
//! select's node is queued there. Whoever ends the park runs the task on the spot,
//! while the commit may not be done with the other lock.

use super::{Plain, explore};
use crate::state::{Cause, Claim, Release, StateWord};
use loom::sync::Mutex;
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::thread;
use std::sync::Arc;

/// How the task finds out what has happened, and what it waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Right,
    /// It looks at its nodes instead of the word.
    AsksTheNodes,
    /// It goes on without the other locks.
    TakesNoLock,
    /// The commit reads its list once more after the last unlock.
    CommitLooksAgain,
}

struct Select {
    how: How,
    state: StateWord,
    queued: [Mutex<bool>; 2],
    /// What the partners leave in the two nodes; part of the frame.
    served: [Plain<bool>; 2],
    /// The list of locks; part of the frame.
    list: Plain<bool>,
    fired: [AtomicU32; 2],
    timeouts: AtomicU32,
}

impl Select {
    fn running(how: How) -> Arc<Select> {
        let select = Select {
            how,
            state: StateWord::new(),
            queued: [Mutex::new(false), Mutex::new(false)],
            served: [Plain::new(false), Plain::new(false)],
            list: Plain::new(true),
            fired: [AtomicU32::new(0), AtomicU32::new(0)],
            timeouts: AtomicU32::new(0),
        };
        select.state.birth();
        assert_eq!(select.state.start(), Cause::Ready);
        Arc::new(select)
    }

    /// `park` and `Locks::commit`; `held` if there is a time limit.
    fn park(&self, held: bool) {
        let mut guards = [0, 1].map(|n| Some(self.queued[n].lock().unwrap()));
        for guard in guards.iter_mut().flatten() {
            **guard = true;
        }
        if held {
            self.state.wait_held();
        } else {
            self.state.wait();
        }
        for guard in &mut guards {
            assert!(self.list.get(), "the frame is gone");
            drop(guard.take());
        }
        if self.how == How::CommitLooksAgain {
            assert!(self.list.get(), "the frame is gone");
        }
        if held && self.state.release() == Release::Enqueue {
            self.run();
        }
    }

    /// The partner on a channel, which serves the node that it finds there.
    fn partner(&self, n: usize) {
        let mut queued = self.queued[n].lock().unwrap();
        if !std::mem::replace(&mut *queued, false) {
            return;
        }
        self.served[n].set(true);
        let claim = self.state.claim_case(n as u16);
        drop(queued);
        if claim == Claim::Won {
            self.run();
        }
    }

    fn timer(&self) {
        if self.state.claim(Cause::Timer, Some(1)) == Claim::Won {
            self.run();
        }
    }

    /// From `park_cases` to the end of the select, whose frame then goes away.
    fn run(&self) {
        let cause = self.state.start();
        let case = usize::from(self.state.read().case());
        for (n, queued) in self.queued.iter().enumerate() {
            let is_served = cause == Cause::Ready && n == case;
            if !is_served && self.how != How::TakesNoLock {
                *queued.lock().unwrap() = false;
            }
        }
        if self.how == How::AsksTheNodes {
            for (fired, served) in self.fired.iter().zip(&self.served) {
                fired.fetch_add(u32::from(served.get()), Ordering::Relaxed);
            }
        } else if cause == Cause::Ready {
            assert!(self.served[case].get(), "case {case} was not served");
            self.fired[case].fetch_add(1, Ordering::Relaxed);
        } else {
            self.timeouts.fetch_add(1, Ordering::Relaxed);
        }
        self.list.set(false);
        self.served.iter().for_each(|served| served.set(false));
    }
}

fn two_partners(how: How, timer: bool) {
    explore(Some(3), move || {
        let select = Select::running(how);
        let spawn = |f: fn(&Select)| {
            let select = Arc::clone(&select);
            thread::spawn(move || f(&select))
        };
        let mut others = vec![spawn(|select| select.partner(0))];
        if timer {
            others.push(spawn(Select::timer));
        }
        select.park(timer);
        select.partner(1);
        others.into_iter().for_each(|other| other.join().unwrap());
        let fired = select.fired.each_ref().map(|fired| fired.load(Ordering::Relaxed));
        let timeouts = select.timeouts.load(Ordering::Relaxed);
        assert_eq!(fired[0] + fired[1] + timeouts, 1, "cases that fired: {fired:?}");
        let left = select.queued.each_ref().map(|queued| *queued.lock().unwrap());
        assert_eq!(left, [false, false], "nodes in the queues");
    });
}

#[test]
fn one_case_fires() {
    two_partners(How::Right, false);
}

#[test]
fn one_case_or_the_timer_fires() {
    two_partners(How::Right, true);
}

#[test]
#[should_panic(expected = "cases that fired: [1, 1]")]
fn broken_the_nodes_say_which_case_it_was() {
    two_partners(How::AsksTheNodes, false);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn broken_the_task_goes_on_without_the_locks() {
    two_partners(How::TakesNoLock, false);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn broken_the_commit_looks_at_its_list_after_the_last_unlock() {
    two_partners(How::CommitLooksAgain, false);
}
