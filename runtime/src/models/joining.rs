//! The join word: the result is disposed of once, the record freed once and
//! not touched after it, and a joiner is never left behind.

use super::{Futex, Plain, explore};
use crate::join::{Detach, Done, JoinWord};
use crate::state::{Cause, Claim, Release, StateWord, Status};
use loom::thread::{self, JoinHandle};
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Body {
    Closure,
    Outcome,
    Gone,
}

/// The record of a task that ends, and the task that holds its handle.
struct Model {
    word: JoinWord,
    body: Plain<Body>,
    waiter: Plain<bool>,
    free: Plain<bool>,
    /// The holder of the handle.
    joiner: StateWord,
    kind: Kind,
    /// Where it sleeps if it is a thread.
    futex: Futex,
    joined: Plain<bool>,
    flaw: Option<Flaw>,
}

/// Two kinds of joiners, each the worst of its sort.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// An adopted thread: goes on as soon as its state says so.
    Thread,
    /// A task that migrates: whoever enqueues it runs it, perhaps while the
    /// worker that parked it is not done with that.
    Task,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// The handle's drop sets `DETACHED` and then disposes of the result.
    DetachesFirst,
    /// A woken joiner frees the record although it may still be read.
    FreesUnacknowledged,
    /// A joiner that gave up does not wait until nobody knows it any more.
    LeavesUnacknowledged,
    /// The scheduler acknowledges before it has claimed the waiter.
    AcknowledgesFirst,
    /// The task does not dispose of the result that it was left with.
    IgnoresDetached,
    /// Nobody holds the joiner while it publishes itself.
    NotHeld,
}

impl Model {
    fn new(kind: Kind, flaw: Option<Flaw>) -> Arc<Model> {
        let model = Model {
            word: JoinWord::new(),
            body: Plain::new(Body::Closure),
            waiter: Plain::new(false),
            free: Plain::new(false),
            joiner: StateWord::new(),
            kind,
            futex: Futex::new(),
            joined: Plain::new(false),
            flaw,
        };
        model.joiner.birth();
        assert_eq!(model.joiner.start(), Cause::Ready);
        Arc::new(model)
    }

    fn is(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    /// The word, for somebody who may still use the record.
    fn word(&self) -> &JoinWord {
        assert!(!self.free.get(), "touched after it was freed");
        &self.word
    }

    fn free(&self) {
        assert!(!self.free.replace(true), "freed twice");
    }

    /// Takes the outcome or disposes of it.
    fn take(&self) {
        let _ = self.word();
        assert_eq!(self.body.replace(Body::Gone), Body::Outcome, "taken twice, or too early");
    }

    fn enqueue(&self) {
        match self.kind {
            Kind::Thread => self.futex.wake(),
            Kind::Task => self.resume(),
        }
    }

    /// `entry::end` and `bury`: the task's way out. `care`: the result must be
    /// disposed of if nobody wants it.
    fn end(&self, care: bool) {
        self.body.set(Body::Outcome);
        if care && self.word().ready() && !self.is(Flaw::IgnoresDetached) {
            self.take();
        }
        match self.word().done() {
            Done::Nothing => {}
            Done::Free => self.free(),
            Done::Wake => {
                let _ = self.word();
                assert!(self.waiter.get(), "no waiter is named");
                if self.is(Flaw::AcknowledgesFirst) {
                    self.word().acknowledge();
                }
                let claim = self.joiner.claim(Cause::Ready, None);
                if !self.is(Flaw::AcknowledgesFirst) {
                    self.word().acknowledge();
                }
                if claim == Claim::Won {
                    self.enqueue();
                }
            }
        }
    }

    /// The handle is dropped.
    fn detach(&self) {
        let next = match self.word().detach() {
            Detach::Result if self.is(Flaw::DetachesFirst) => {
                let next = self.word().detach_after_result();
                self.take();
                next
            }
            Detach::Result => {
                self.take();
                self.word().detach_after_result()
            }
            next => next,
        };
        if next == Detach::Free {
            self.free();
        }
    }

    /// `JoinHandle::join`.
    fn join(&self) {
        if self.word().is_done() {
            return self.finish();
        }
        self.waiter.set(true);
        if self.is(Flaw::NotHeld) {
            self.joiner.wait();
            if !self.word.wait() && self.joiner.claim(Cause::Ready, Some(1)) == Claim::Won {
                self.resume();
            }
            return;
        }
        // `settle_held`, `park_thread`
        self.joiner.wait_held();
        let parked = self.word().wait();
        match (self.joiner.release(), self.kind) {
            (Release::Enqueue, Kind::Task) => return self.resume(),
            (Release::Nothing, _) if !parked => {
                let claim = self.joiner.claim(Cause::Ready, Some(1));
                if claim == Claim::Won && self.kind == Kind::Task {
                    return self.resume();
                }
            }
            _ => {}
        }
        if self.kind == Kind::Thread {
            loop {
                let seen = self.joiner.read();
                if seen.status() == Status::Runnable && !seen.held() {
                    return self.resume();
                }
                self.futex.wait(|| self.joiner.read().low() == seen.low());
            }
        }
    }

    /// The joiner goes on after its park.
    fn resume(&self) {
        let cause = self.joiner.start();
        let hasty = match cause {
            Cause::Ready => Flaw::FreesUnacknowledged,
            _ => Flaw::LeavesUnacknowledged,
        };
        if !self.is(hasty) {
            self.word().withdraw();
        }
        match cause {
            Cause::Ready => self.finish(),
            // Another park, while it still has the handle.
            _ => self.joiner.wait(),
        }
    }

    fn finish(&self) {
        self.take();
        self.free();
        self.joined.set(true);
    }

    /// The reaper ends the joiner's park, if it finds it parked.
    fn reap(&self) -> bool {
        let seen = self.joiner.read();
        if seen.status() != Status::Waiting || seen.ticket() != 1 {
            return false;
        }
        let claim = self.joiner.claim(Cause::Reaper, Some(seen.ticket()));
        if claim == Claim::Won {
            self.enqueue();
        }
        claim != Claim::Lost
    }

    fn must_be_over(&self) {
        assert!(self.free.get(), "never freed");
    }
}

fn spawn<T: 'static>(model: &Arc<Model>, f: impl FnOnce(&Model) -> T + 'static) -> JoinHandle<T> {
    let model = Arc::clone(model);
    thread::spawn(move || f(&model))
}

fn dropped(flaw: Option<Flaw>, care: bool) {
    explore(None, move || {
        let model = Model::new(Kind::Thread, flaw);
        let task = spawn(&model, move |model| model.end(care));
        model.detach();
        task.join().unwrap();
        model.must_be_over();
        assert_eq!(model.body.get(), if care { Body::Gone } else { Body::Outcome });
    });
}

fn joined(kind: Kind, flaw: Option<Flaw>) {
    explore(None, move || {
        let model = Model::new(kind, flaw);
        let task = spawn(&model, |model| model.end(true));
        model.join();
        task.join().unwrap();
        assert!(model.joined.get(), "the joiner was left behind");
        model.must_be_over();
    });
}

fn joined_and_reaped(kind: Kind, flaw: Option<Flaw>) {
    explore(Some(3), move || {
        let model = Model::new(kind, flaw);
        let task = spawn(&model, |model| model.end(true));
        let reaper = spawn(&model, Model::reap);
        model.join();
        task.join().unwrap();
        if reaper.join().unwrap() {
            assert_eq!(model.joiner.read().status(), Status::Waiting, "woken in another park");
            model.detach();
        } else {
            assert!(model.joined.get(), "the joiner was left behind");
        }
        model.must_be_over();
        assert_eq!(model.body.get(), Body::Gone, "the result is left");
    });
}

#[test]
fn a_dropped_handle() {
    dropped(None, true);
}

#[test]
fn a_dropped_handle_to_a_result_without_destructor() {
    dropped(None, false);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn broken_a_handle_disposes_after_it_detached() {
    dropped(Some(Flaw::DetachesFirst), true);
}

#[test]
#[should_panic(expected = "left: Outcome")]
fn broken_a_task_does_not_dispose() {
    dropped(Some(Flaw::IgnoresDetached), true);
}

#[test]
fn a_thread_joins() {
    joined(Kind::Thread, None);
}

#[test]
fn a_task_joins() {
    joined(Kind::Task, None);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn broken_a_joiner_frees_a_record_that_is_still_read() {
    joined(Kind::Thread, Some(Flaw::FreesUnacknowledged));
}

/// A joiner that must not park, because it is being unwound, withdraws what it
/// never said.
#[test]
fn a_joiner_that_does_not_park() {
    explore(None, || {
        let model = Model::new(Kind::Thread, None);
        let task = spawn(&model, |model| model.end(true));
        if model.word().is_done() {
            model.finish();
        } else {
            model.waiter.set(true);
            model.word().withdraw();
            model.detach();
        }
        task.join().unwrap();
        model.must_be_over();
        assert_eq!(model.body.get(), Body::Gone, "the result is left");
    });
}

#[test]
fn a_thread_that_joins_is_reaped() {
    joined_and_reaped(Kind::Thread, None);
}

#[test]
fn a_task_that_joins_is_reaped() {
    joined_and_reaped(Kind::Task, None);
}

#[test]
#[should_panic(expected = "woken in another park")]
fn broken_a_reaped_joiner_goes_on_while_it_is_known() {
    joined_and_reaped(Kind::Task, Some(Flaw::LeavesUnacknowledged));
}

#[test]
#[should_panic(expected = "woken in another park")]
fn broken_the_waiter_is_claimed_after_the_acknowledgement() {
    joined_and_reaped(Kind::Task, Some(Flaw::AcknowledgesFirst));
}

#[test]
#[should_panic(expected = "woken in another park")]
fn broken_a_joiner_publishes_itself_unheld() {
    joined_and_reaped(Kind::Task, Some(Flaw::NotHeld));
}
