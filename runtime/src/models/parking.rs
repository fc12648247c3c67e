//! The state word: a park ends once, by one cause, and whoever ends it sees
//! the parked context, as the task sees what they left for it.
//!
//! Whoever enqueues the task runs it on the spot, as a worker in migrating mode
//! may: no queue adds an order that the state word itself does not give.

use super::{Futex, Plain, explore};
use crate::state::{Cause, Claim, Release, StateWord, Status};
use loom::sync::Mutex;
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::thread::{self, JoinHandle};
use std::sync::Arc;

/// What the record's link leads to.
const LINK: u32 = 0;
const SUBJECT: u32 = 1;

struct Task {
    state: StateWord,
    /// What the switch saves: written before the park, read by whoever starts it.
    context: Plain<u32>,
    /// The record's link: to what the task waits for while it is parked, to the next one
    /// while it is in a queue (X2 of `task/subject.rs`).
    next: Plain<u32>,
    /// What the commit does: complete before the task goes on.
    committed: Plain<bool>,
    /// What each cause leaves for the task before it claims.
    left: [Plain<bool>; 3],
    runs: AtomicU32,
    /// Where an adopted thread sleeps.
    futex: Futex,
}

impl Task {
    /// A task that runs.
    fn running() -> Arc<Task> {
        let task = Task {
            state: StateWord::new(),
            context: Plain::new(0),
            next: Plain::new(LINK),
            committed: Plain::new(false),
            left: [Plain::new(false), Plain::new(false), Plain::new(false)],
            runs: AtomicU32::new(0),
            futex: Futex::new(),
        };
        task.state.birth();
        assert_eq!(task.state.start(), Cause::Ready);
        Arc::new(task)
    }

    fn save(&self) {
        self.context.set(7);
        self.next.set(SUBJECT);
    }

    fn park(&self) {
        self.save();
        self.committed.set(true);
        self.state.wait();
    }

    /// Into a queue, and back onto a worker.
    fn run(&self) {
        self.next.set(LINK);
        let cause = self.state.start();
        assert_eq!(self.context.get(), 7, "started before its context was saved");
        assert!(self.committed.get(), "went on before its commit");
        assert!(self.left[cause as usize].get(), "did not find what {cause:?} left");
        self.runs.fetch_add(1, Ordering::Relaxed);
    }

    fn claim(&self, cause: Cause, ticket: Option<u32>) -> Claim {
        self.left[cause as usize].set(true);
        self.state.claim(cause, ticket)
    }

    /// Ends a park. Whether it was this caller who did.
    fn ready(&self, cause: Cause, ticket: Option<u32>) -> bool {
        let claim = self.claim(cause, ticket);
        if claim == Claim::Won {
            self.run();
        }
        claim != Claim::Lost
    }

    /// sysmon, which trims once, if it may; or `Pad::look`, which reads what it waits for.
    fn look(&self) {
        if self.state.begin_trim(self.state.read()) {
            assert_eq!(self.context.get(), 7, "held before its context was saved");
            assert_eq!(self.next.get(), SUBJECT, "held, and in a queue");
            if self.state.end_trim() == Release::Enqueue {
                self.run();
            }
        }
    }

    fn must_have_run(&self, times: u32) {
        assert_eq!(self.runs.load(Ordering::Relaxed), times, "runs of the task");
    }
}

fn spawn<T: 'static>(task: &Arc<Task>, f: impl FnOnce(&Task) -> T + 'static) -> JoinHandle<T> {
    let task = Arc::clone(task);
    thread::spawn(move || f(&task))
}

/// T2.
#[test]
fn one_of_three_causes_wins() {
    explore(None, || {
        let task = Task::running();
        let timer = spawn(&task, |task| task.ready(Cause::Timer, Some(1)));
        let reaper = spawn(&task, |task| task.ready(Cause::Reaper, None));
        task.park();
        let won = [task.ready(Cause::Ready, None), timer.join().unwrap(), reaper.join().unwrap()];
        assert_eq!(won.iter().filter(|won| **won).count(), 1, "{won:?}");
        task.must_have_run(1);
    });
}

/// T3: an observer comes at any time, before the park too.
#[test]
fn two_causes_and_an_observer() {
    explore(None, || {
        let task = Task::running();
        let observer = spawn(&task, Task::look);
        let timer = spawn(&task, |task| task.ready(Cause::Timer, Some(1)));
        task.park();
        let ready = task.ready(Cause::Ready, None);
        assert_ne!(ready, timer.join().unwrap(), "one of two wins");
        observer.join().unwrap();
        task.must_have_run(1);
    });
}

#[test]
fn two_observers() {
    explore(None, || {
        let task = Task::running();
        task.park();
        let one = spawn(&task, Task::look);
        let two = spawn(&task, Task::look);
        assert!(task.ready(Cause::Ready, None));
        one.join().unwrap();
        two.join().unwrap();
        task.must_have_run(1);
    });
}

#[test]
#[should_panic(expected = "runs of the task")]
fn broken_an_observer_does_not_enqueue() {
    explore(None, || {
        let task = Task::running();
        task.park();
        let observer = spawn(&task, |task| {
            if task.state.begin_trim(task.state.read()) {
                let _ = task.state.end_trim();
            }
        });
        assert!(task.ready(Cause::Ready, None));
        observer.join().unwrap();
        task.must_have_run(1);
    });
}

#[test]
#[should_panic(expected = "Causality violation")]
fn broken_what_it_waits_for_is_read_without_holding_it() {
    explore(None, || {
        let task = Task::running();
        task.park();
        let observer = spawn(&task, |task| {
            if task.state.read().status() == Status::Waiting {
                assert_eq!(task.next.get(), SUBJECT);
            }
        });
        assert!(task.ready(Cause::Ready, None));
        observer.join().unwrap();
    });
}

#[test]
#[should_panic(expected = "Causality violation")]
fn broken_what_it_waits_for_is_written_after_the_park() {
    explore(None, || {
        let task = Task::running();
        let observer = spawn(&task, Task::look);
        task.context.set(7);
        task.state.wait();
        task.next.set(SUBJECT);
        observer.join().unwrap();
    });
}

#[test]
#[should_panic(expected = "+ scan => 2 (running)")]
fn broken_a_claim_starts_a_task_that_is_held() {
    explore(None, || {
        let task = Task::running();
        task.park();
        let observer = spawn(&task, Task::look);
        if task.claim(Cause::Ready, None) != Claim::Lost {
            let _ = task.state.start();
        }
        observer.join().unwrap();
    });
}

#[test]
#[should_panic(expected = "Causality violation")]
fn broken_a_cause_leaves_its_word_after_the_claim() {
    explore(None, || {
        let task = Task::running();
        task.park();
        let observer = spawn(&task, Task::look);
        let claim = task.state.claim(Cause::Ready, None);
        task.left[Cause::Ready as usize].set(true);
        if claim == Claim::Won {
            task.run();
        }
        observer.join().unwrap();
    });
}

/// `settle_held`: a timer may fire, and an observer come, before the commit has
/// run, but the task does not go on before it.
#[test]
fn a_held_park_goes_on_after_its_commit() {
    explore(None, || {
        let task = Task::running();
        let timer = spawn(&task, |task| task.ready(Cause::Timer, Some(1)));
        let observer = spawn(&task, Task::look);
        task.save();
        task.state.wait_held();
        task.committed.set(true);
        if task.state.release() == Release::Enqueue {
            task.run();
        }
        let fired = timer.join().unwrap();
        observer.join().unwrap();
        task.must_have_run(u32::from(fired));
    });
}

#[test]
#[should_panic(expected = "Causality violation")]
fn broken_a_park_with_a_timer_is_not_held() {
    explore(None, || {
        let task = Task::running();
        let timer = spawn(&task, |task| task.ready(Cause::Timer, Some(1)));
        task.save();
        task.state.wait();
        task.committed.set(true);
        timer.join().unwrap();
    });
}

/// A timer that lost names a park that is over.
fn a_late_timer(names: Option<u32>) {
    explore(None, move || {
        let task = Task::running();
        let timer = spawn(&task, move |task| task.ready(Cause::Timer, names));
        task.park();
        if task.ready(Cause::Ready, None) {
            task.park();
            assert!(!timer.join().unwrap(), "a late timer ended another park");
            assert_eq!(task.state.read().status(), Status::Waiting);
        } else {
            assert!(timer.join().unwrap());
        }
        task.must_have_run(1);
    });
}

#[test]
fn a_late_timer_loses() {
    a_late_timer(Some(1));
}

#[test]
#[should_panic(expected = "a late timer ended another park")]
fn broken_a_timer_does_not_name_its_park() {
    a_late_timer(None);
}

/// A commit says no, and the scheduler makes the task go on by itself; but the
/// reaper may have done so, and the task may be in another park by now.
fn a_refused_commit(names: Option<u32>) {
    explore(None, move || {
        let task = Task::running();
        let reaper = spawn(&task, |task| {
            let claim = task.claim(Cause::Reaper, Some(1));
            if claim == Claim::Won {
                task.run();
                task.park();
            }
            claim != Claim::Lost
        });
        task.save();
        task.state.wait_held();
        task.committed.set(true);
        let went_on = match task.state.release() {
            Release::Enqueue => {
                task.run();
                false
            }
            // `unpark_self`
            Release::Nothing => task.ready(Cause::Ready, names),
        };
        let reaped = reaper.join().unwrap();
        assert!(!(went_on && reaped), "the refusal ended another park");
        task.must_have_run(1);
    });
}

#[test]
fn a_refused_commit_ends_its_own_park() {
    a_refused_commit(Some(1));
}

#[test]
#[should_panic(expected = "the refusal ended another park")]
fn broken_a_refused_commit_does_not_name_its_park() {
    a_refused_commit(None);
}

/// The verdict holds for the park that was seen, and a late wake-up still works.
#[test]
fn condemned_while_it_is_claimed() {
    explore(Some(3), || {
        let task = Task::running();
        let verifier = spawn(&task, |task| {
            let seen = task.state.read();
            (seen, task.state.condemn(seen))
        });
        let observer = spawn(&task, Task::look);
        task.park();
        assert!(task.ready(Cause::Ready, None), "a condemned task cannot wake");
        observer.join().unwrap();
        task.must_have_run(1);
        task.park();
        let (seen, condemned) = verifier.join().unwrap();
        let last = task.state.read();
        assert!(!condemned || matches!(seen.status(), Status::Waiting | Status::CopyStack));
        if last.status() == Status::Leaked {
            assert_eq!(last.ticket(), seen.ticket(), "condemned in another park");
        }
    });
}

impl Task {
    /// `park_thread`: the thread looks at its word by itself, and only sleeps
    /// while it says that nothing has come.
    fn park_thread(&self, commit: impl FnOnce()) {
        self.save();
        self.state.wait_held();
        self.committed.set(true);
        commit();
        let _ = self.state.release();
        loop {
            let seen = self.state.read();
            if seen.status() == Status::Runnable && !seen.held() {
                return self.run();
            }
            self.futex.wait(|| self.state.read().low() == seen.low());
        }
    }
}

/// An adopted thread, its partner, and an observer for whom enqueuing means to
/// wake the thread.
fn an_adopted_thread(observer_wakes: bool) {
    explore(Some(3), move || {
        let task = Task::running();
        // The primitive's lock, which the thread holds until it is parked.
        let lock = Arc::new(Mutex::new(()));
        let held = lock.lock().unwrap();
        let observer = spawn(&task, move |task| {
            let claimed = task.state.begin_trim(task.state.read())
                && task.state.end_trim() == Release::Enqueue;
            if claimed && observer_wakes {
                task.futex.wake();
            }
        });
        let partner = {
            let lock = Arc::clone(&lock);
            spawn(&task, move |task| {
                let held = lock.lock().unwrap();
                let claim = task.claim(Cause::Ready, None);
                drop(held);
                match claim {
                    Claim::Won => task.futex.wake(),
                    Claim::Held => {}
                    Claim::Lost => panic!("nobody else claims"),
                }
            })
        };
        task.park_thread(|| drop(held));
        partner.join().unwrap();
        observer.join().unwrap();
        task.must_have_run(1);
    });
}

#[test]
fn an_adopted_thread_wakes() {
    an_adopted_thread(true);
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_an_observer_does_not_wake_a_thread() {
    an_adopted_thread(false);
}

/// `look::held`, by somebody who wants to see the frames of a task.
#[derive(Clone, Copy, PartialEq, Eq)]
enum HoldFlaw {
    /// It is read without being held.
    Peeks,
    /// What was claimed meanwhile is not enqueued.
    ForgetsToEnqueue,
    /// It is let go before it is read.
    ReleasesEarly,
}

impl Task {
    fn hold(&self, flaw: Option<HoldFlaw>) {
        if flaw == Some(HoldFlaw::Peeks) {
            if matches!(self.state.read().status(), Status::Waiting | Status::Preempted) {
                assert_eq!(self.context.get(), 7, "read while it went on");
            }
            return;
        }
        if self.state.hold(|_| true).is_none() {
            return;
        }
        let early = (flaw == Some(HoldFlaw::ReleasesEarly)).then(|| self.state.release());
        assert_eq!(self.context.get(), 7, "read while it went on");
        let released = early.unwrap_or_else(|| self.state.release());
        if released == Release::Enqueue && flaw != Some(HoldFlaw::ForgetsToEnqueue) {
            self.run();
        }
    }
}

/// A parked task is claimed, trimmed, and held by another reader.
fn held_in_its_park(flaw: Option<HoldFlaw>) {
    explore(Some(2), move || {
        let task = Task::running();
        let one = spawn(&task, move |task| task.hold(flaw));
        let two = spawn(&task, Task::look);
        task.park();
        assert!(task.ready(Cause::Ready, None));
        one.join().unwrap();
        two.join().unwrap();
        task.must_have_run(1);
    });
}

/// A suspended thread goes on when it likes, and changes what is read.
fn held_while_suspended(flaw: Option<HoldFlaw>) {
    explore(Some(2), move || {
        let task = Task::running();
        let one = spawn(&task, move |task| task.hold(flaw));
        task.save();
        task.state.suspend();
        task.state.resume();
        task.context.set(8);
        one.join().unwrap();
        assert_eq!(task.state.read().status(), Status::Running);
    });
}

#[test]
fn a_parked_task_is_held_and_read() {
    held_in_its_park(None);
}

#[test]
fn a_suspended_task_is_held_and_read() {
    held_while_suspended(None);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn broken_a_suspended_task_is_read_without_being_held() {
    held_while_suspended(Some(HoldFlaw::Peeks));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn broken_a_suspended_task_is_let_go_before_it_is_read() {
    held_while_suspended(Some(HoldFlaw::ReleasesEarly));
}

#[test]
#[should_panic(expected = "runs of the task")]
fn broken_who_was_held_is_not_enqueued() {
    held_in_its_park(Some(HoldFlaw::ForgetsToEnqueue));
}
