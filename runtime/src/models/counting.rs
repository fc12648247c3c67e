//! When the sums say that nothing is alive in a scope, nothing is, and what its tasks did
//! is there (C1). The sums are the real ones (`task/scope/shards.rs`).
//!
//! A task on one processor makes another and ends; that one ends on another processor, or
//! where there is none.

use super::{Plain, Step, explore};
use crate::shards::Shards;
use loom::thread;
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// Births are summed before deaths.
    BornFirst,
    /// A birth is counted when the task can run already.
    BornLate,
    /// A death is counted before the task has done the last it does.
    DiedEarly,
}

struct Scope {
    shards: Shards,
    /// What each task does.
    done: [Plain<u32>; 2],
    step: Step,
    flaw: Option<Flaw>,
}

impl Scope {
    fn is(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn sum(&self, of: impl FnOnce(&Shards) -> u64) -> u64 {
        self.step.take();
        of(&self.shards)
    }

    /// `ScopeInner::live`.
    fn live(&self) -> u64 {
        if self.is(Flaw::BornFirst) {
            let born = self.sum(Shards::born);
            return born.saturating_sub(self.sum(Shards::died));
        }
        let died = self.sum(Shards::died);
        self.sum(Shards::born).saturating_sub(died)
    }

    fn birth(&self) {
        self.step.take();
        self.shards.count_birth(Some(0));
    }

    fn death(&self, processor: Option<u32>) {
        self.step.take();
        self.shards.count_death(processor);
    }

    fn end(&self, n: usize, processor: Option<u32>) {
        if self.is(Flaw::DiedEarly) {
            self.death(processor);
            self.step.take();
        }
        self.done[n].set(1);
        if !self.is(Flaw::DiedEarly) {
            self.death(processor);
        }
    }
}

fn made_and_ended(second: Option<u32>, flaw: Option<Flaw>) {
    explore(None, move || {
        let (shards, done) = (Shards::new(2), [0, 0].map(Plain::new));
        let scope = Arc::new(Scope { shards, done, step: Step::new(), flaw });
        scope.birth();
        let first = {
            let scope = Arc::clone(&scope);
            thread::spawn(move || {
                if !scope.is(Flaw::BornLate) {
                    scope.birth();
                }
                let child = {
                    let scope = Arc::clone(&scope);
                    thread::spawn(move || scope.end(1, second))
                };
                if scope.is(Flaw::BornLate) {
                    scope.birth();
                }
                scope.end(0, Some(0));
                child.join().unwrap();
            })
        };
        if scope.live() == 0 {
            assert!(scope.done.iter().all(|done| done.get() == 1), "alive all the same");
        }
        first.join().unwrap();
        assert_eq!((scope.live(), scope.shards.born()), (0, 2));
    });
}

#[test]
fn a_task_that_ends_elsewhere() {
    made_and_ended(Some(1), None);
}

#[test]
fn a_task_that_ends_without_a_processor() {
    made_and_ended(None, None);
}

#[test]
#[should_panic(expected = "alive all the same")]
fn broken_births_are_summed_before_deaths() {
    made_and_ended(Some(1), Some(Flaw::BornFirst));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn broken_a_birth_is_counted_late() {
    made_and_ended(Some(1), Some(Flaw::BornLate));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn broken_a_death_is_counted_early() {
    made_and_ended(Some(1), Some(Flaw::DiedEarly));
}
