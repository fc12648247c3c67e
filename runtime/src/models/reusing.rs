//! A scope is used again only when nothing is in it, although one thing in it can make
//! another and end while they are counted.
//!
//! A task makes an OS thread and ends; that makes a task and ends; and somebody looks
//! whether the scope is vacant. (`ScopeInner::is_vacant`, with counters of one shard.)

use super::explore;
use crate::sys::atomic::{AtomicU32, Ordering};
use loom::thread;
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// What was born meanwhile is not looked at.
    LooksOnce,
    /// Threads are looked at before tasks, too.
    ThreadsFirst,
}

#[derive(Default)]
struct Scope {
    born: AtomicU32,
    died: AtomicU32,
    threads: AtomicU32,
    threads_born: AtomicU32,
    used_again: AtomicU32,
}

impl Scope {
    fn live(&self) -> bool {
        let died = self.died.load(Ordering::Acquire);
        self.born.load(Ordering::Acquire) != died
    }

    fn is_vacant(&self, flaw: Option<Flaw>) -> bool {
        let threads = || self.threads.load(Ordering::Acquire) != 0;
        let born =
            || (self.born.load(Ordering::Acquire), self.threads_born.load(Ordering::Acquire));
        match flaw {
            None => {
                let before = born();
                !self.live() && !threads() && born() == before
            }
            Some(Flaw::LooksOnce) => !self.live() && !threads(),
            Some(Flaw::ThreadsFirst) => !threads() && !self.live(),
        }
    }

    /// By somebody who belongs to it.
    fn is_still_ours(&self) {
        assert_eq!(self.used_again.load(Ordering::Relaxed), 0, "used again under its tasks");
    }

    fn task_ends(&self) {
        self.is_still_ours();
        self.died.fetch_add(1, Ordering::Release);
    }
}

fn made_and_ended(flaw: Option<Flaw>) {
    explore(None, move || {
        let scope = Arc::new(Scope::default());
        scope.born.store(1, Ordering::Relaxed);
        let task = {
            let scope = Arc::clone(&scope);
            thread::spawn(move || {
                scope.threads_born.fetch_add(1, Ordering::Relaxed);
                scope.threads.fetch_add(1, Ordering::Relaxed);
                let thread = {
                    let scope = Arc::clone(&scope);
                    thread::spawn(move || {
                        scope.born.fetch_add(1, Ordering::Release);
                        scope.is_still_ours();
                        scope.threads.fetch_sub(1, Ordering::Release);
                        // Its task, wherever that runs.
                        scope.task_ends();
                    })
                };
                scope.task_ends();
                thread.join().unwrap();
            })
        };
        if scope.is_vacant(flaw) {
            scope.used_again.store(1, Ordering::Relaxed);
        }
        task.join().unwrap();
        assert!(scope.is_vacant(flaw), "nothing is in it any more");
    });
}

#[test]
fn a_scope_that_nothing_is_in() {
    made_and_ended(None);
}

#[test]
#[should_panic(expected = "used again under its tasks")]
fn broken_what_was_born_meanwhile_is_overlooked() {
    made_and_ended(Some(Flaw::LooksOnce));
}

#[test]
#[should_panic(expected = "used again under its tasks")]
fn broken_threads_are_counted_before_tasks() {
    made_and_ended(Some(Flaw::ThreadsFirst));
}
