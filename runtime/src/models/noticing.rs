//! Whoever watches a scope learns of every park, although tasks say nothing while nobody
//! watches; and a task that is born while its scope is reaped is marked. The word of the
//! watches is the real one (`task/scope/notice.rs`), as are the barriers; `Scope::reap` and
//! `launch::release` are rebuilt.

use super::{Futex, explore};
use crate::notice::Notice;
use crate::state::{Cause, StateWord, Status};
use crate::sys::atomic::{AtomicU32, Ordering};
use crate::sys::barrier;
use loom::thread;
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Watching {
    /// n1 has no barrier.
    NoBarrier,
    /// p2 comes before p1.
    AsksFirst,
    /// n3 comes before n2.
    LooksFirst,
    /// n2 acquires nothing.
    CountsIdly,
    /// n4 does not look whether there was an event.
    SleepsBlindly,
}

struct Scope {
    notice: Notice,
    futex: Futex,
    tasks: [StateWord; 2],
    flaw: Option<Watching>,
}

impl Scope {
    fn is(&self, flaw: Watching) -> bool {
        self.flaw == Some(flaw)
    }

    /// `Worker::settle`, and the others who call `ScopeInner::notify`.
    fn park(&self, task: &StateWord) {
        let early = self.is(Watching::AsksFirst).then(|| self.notice.is_wanted());
        task.wait();
        if early.unwrap_or_else(|| self.notice.is_wanted()) {
            self.notice.tell();
            self.futex.wake_all();
        }
    }

    fn all_are_parked(&self) -> bool {
        self.tasks.iter().all(|task| task.read().parked())
    }

    /// Until all are parked.
    fn watch(&self) {
        self.notice.begin();
        if !self.is(Watching::NoBarrier) {
            barrier::heavy();
        }
        loop {
            let early = self.is(Watching::LooksFirst).then(|| self.all_are_parked());
            let word = self.notice.futex();
            let seen = match self.flaw {
                Some(Watching::CountsIdly) => word.load(Ordering::Relaxed),
                _ => self.notice.events(),
            };
            if early.unwrap_or_else(|| self.all_are_parked()) {
                return;
            }
            let blindly = self.is(Watching::SleepsBlindly);
            self.futex.wait(|| blindly || word.load(Ordering::Relaxed) == seen);
        }
    }
}

fn running() -> StateWord {
    let state = StateWord::new();
    state.birth();
    assert_eq!(state.start(), Cause::Ready);
    state
}

fn two_park(flaw: Option<Watching>) {
    explore(Some(3), move || {
        let scope = Arc::new(Scope {
            notice: Notice::new(),
            futex: Futex::new(),
            tasks: [running(), running()],
            flaw,
        });
        let tasks = [0, 1].map(|n| {
            let scope = Arc::clone(&scope);
            thread::spawn(move || scope.park(&scope.tasks[n]))
        });
        scope.watch();
        tasks.into_iter().for_each(|it| it.join().unwrap());
    });
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reaping {
    /// Whether the scope is reaped is asked before the birth.
    AsksEarly,
    /// The birth has no barrier.
    NoBarrierAfterBirth,
    /// Nor has the reaper.
    NoBarrierBeforeLook,
}

struct Reaped {
    reaping: AtomicU32,
    state: StateWord,
    marked: AtomicU32,
}

impl Reaped {
    fn is_reaping(&self, flaw: Option<Reaping>) -> bool {
        if flaw != Some(Reaping::NoBarrierAfterBirth) {
            barrier::light();
        }
        self.reaping.load(Ordering::Relaxed) != 0
    }

    /// `release`
    fn birth(&self, flaw: Option<Reaping>) {
        let early = (flaw == Some(Reaping::AsksEarly)).then(|| self.is_reaping(flaw));
        self.state.birth();
        if early.unwrap_or_else(|| self.is_reaping(flaw)) {
            self.marked.store(1, Ordering::Relaxed);
        }
    }

    /// `Scope::reap`, until all are marked.
    fn reap(&self, flaw: Option<Reaping>) {
        self.reaping.store(1, Ordering::Relaxed);
        if flaw != Some(Reaping::NoBarrierBeforeLook) {
            barrier::heavy();
        }
        if self.state.read().status() != Status::Idle {
            self.marked.store(1, Ordering::Relaxed);
        }
    }
}

fn born_meanwhile(flaw: Option<Reaping>) {
    explore(None, move || {
        let reaped = Arc::new(Reaped {
            reaping: AtomicU32::new(0),
            state: StateWord::new(),
            marked: AtomicU32::new(0),
        });
        let parent = {
            let reaped = Arc::clone(&reaped);
            thread::spawn(move || reaped.birth(flaw))
        };
        reaped.reap(flaw);
        parent.join().unwrap();
        assert_eq!(reaped.marked.load(Ordering::Relaxed), 1, "born, and not marked");
    });
}

#[test]
fn a_watcher_learns_of_every_park() {
    two_park(None);
}

#[test]
fn a_task_is_born_while_its_scope_is_reaped() {
    born_meanwhile(None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_a_watch_without_barrier() {
    two_park(Some(Watching::NoBarrier));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_a_task_asks_before_it_parks() {
    two_park(Some(Watching::AsksFirst));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_a_watcher_looks_before_it_counts() {
    two_park(Some(Watching::LooksFirst));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_a_watcher_does_not_see_what_it_is_told_of() {
    two_park(Some(Watching::CountsIdly));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_a_watcher_sleeps_without_a_look() {
    two_park(Some(Watching::SleepsBlindly));
}

#[test]
#[should_panic(expected = "born, and not marked")]
fn broken_the_mark_is_asked_for_before_the_birth() {
    born_meanwhile(Some(Reaping::AsksEarly));
}

#[test]
#[should_panic(expected = "born, and not marked")]
fn broken_a_birth_without_barrier() {
    born_meanwhile(Some(Reaping::NoBarrierAfterBirth));
}

#[test]
#[should_panic(expected = "born, and not marked")]
fn broken_a_reaper_without_barrier() {
    born_meanwhile(Some(Reaping::NoBarrierBeforeLook));
}
