//! Ending tasks that leaked, so that the next test starts clean.
//!
//! The reaper marks every task of a scope before it wakes any, so that a task
//! whose partner is unwound finds itself marked too and does not go on with
//! half a world. Each parked task is then claimed and resumes with an unwind,
//! which runs its destructors; running ones unwind at their next park.
//!
//! A task is *abandoned* if it swallows the unwind sixteen times, blocks in a
//! destructor in a call that has no error to return, computes without parking,
//! or stands behind such a one. Its stack and record are kept: something may
//! still point there.

use super::caller::{self, Caller};
use super::packet::ReapToken;
use super::record::{Record, TaskId, flag};
use super::registry::{self, Found};
use super::running;
use super::scope::{Scope, ScopeInner};
use super::state::Cause;
use crate::sched::counts::ELSEWHERE;
use crate::sched::park::{self, Unwinding};
use crate::sys::barrier;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Unwinds that a task may swallow.
const PATIENCE: u8 = 16;

/// How long the reaper waits for tasks that make no progress: computing ones,
/// those behind them, and those whose wait it cannot end.
const GRACE: Duration = Duration::from_secs(1);

/// The longest time between two looks. What one took longer, because the whole
/// process stood still, is not counted: the tasks stood still, too.
const LOOK: Duration = Duration::from_millis(125);

/// What became of the tasks of a scope.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Reaped {
    /// Tasks that ended, destructors run.
    pub ended: usize,
    /// Tasks that could not be ended and are kept as they are.
    pub abandoned: usize,
}

/// Unwinds the running task, which the reaper has marked.
#[cold]
pub(crate) fn unwind(task: &Record) {
    if cfg!(not(panic = "unwind")) {
        return;
    }
    if is_patient(task) {
        caller::say(task);
        std::panic::resume_unwind(Box::new(ReapToken))
    }
}

/// Counts one more attempt to end the task. `false`: it is given up.
pub(crate) fn is_patient(task: &Record) -> bool {
    task.reaps.set(task.reaps.get().saturating_add(1));
    let patient = task.reaps.get() <= PATIENCE;
    if !patient {
        task.set(flag::ABANDONED);
    }
    patient
}

/// A point where a marked task ends although it need not park.
#[inline]
pub(crate) fn check_reap() {
    if let Some(task) = running()
        && task.record().has(flag::REAP)
    {
        check_marked(task.record());
    }
}

#[cold]
pub(super) fn check_marked(task: &Record) {
    if !task.has(flag::ABANDONED) && park::unwinding_here() == Unwinding::No {
        unwind(task);
    }
}

impl Scope {
    /// Ends the tasks of the scope, daemons excepted: all are marked, then each
    /// parked one resumes with an unwind that runs its destructors. Tasks born
    /// in the scope meanwhile end before they start.
    ///
    /// Blocks the calling thread until every task has ended or, after a second
    /// without progress, is abandoned. With `panic = "abort"` nothing can be
    /// unwound and all are abandoned at once.
    ///
    /// ```
    /// let scope = gopark::Scope::new("example");
    /// {
    ///     let _in = scope.enter();
    ///     gopark::go(|| gopark::sleep(std::time::Duration::from_secs(3600)));
    /// }
    /// assert_eq!(scope.reap().ended, 1);
    /// assert_eq!(scope.live(), 0);
    /// ```
    pub fn reap(&self) -> Reaped {
        self.reap_and(|| (), || ())
    }

    /// Makes daemons of these tasks, as far as they are alive and belong to the scope, as if
    /// they had been [built](crate::Builder::daemon) that way: [`reap`](Self::reap) leaves them
    /// alone.
    ///
    /// ```
    /// let scope = gopark::Scope::new("example");
    /// let (stop, stopped) = gopark::chan::rendezvous::<()>();
    /// let stays = {
    ///     let _in = scope.enter();
    ///     gopark::go(|| gopark::sleep(std::time::Duration::from_secs(3600)));
    ///     gopark::go(move || stopped.recv())
    /// };
    /// scope.spare(&[stays.id()]);
    /// assert_eq!(scope.reap().ended, 1);
    /// drop(stop);
    /// assert!(stays.join().unwrap().is_err());
    /// ```
    pub fn spare(&self, tasks: &[TaskId]) {
        registry::each_of(self.inner(), |found| {
            if tasks.contains(&found.record.id()) {
                found.record.set_in(found.life, flag::DAEMON);
            }
        });
    }

    /// Like [`reap`](Self::reap), and `caller`, which was [accused](Caller::accuse) and
    /// whose wait is known to be one that nothing ends, is unwound too: a test that
    /// hangs, of which these are the tasks.
    ///
    /// All are marked first. Then `caller` goes on: it runs what the accusation says,
    /// on its own thread, and unwinds out of its wait; and when that is said, the tasks
    /// follow. So what is to be said is said before a destructor runs. A `caller` in
    /// a wait that cannot be ended, such as that of [`scope`](crate::scope()) for its
    /// tasks, goes on when that is over, and unwinds at its next wait. If it never
    /// waits again, it says nothing.
    ///
    /// The mark stays until the caller is [pardoned](Caller::pardon). Blocks the
    /// calling thread as `reap` does. With `panic = "abort"` nobody is unwound.
    ///
    /// ```
    /// use gopark::inspect::{Caller, is_reaping};
    /// use std::panic::{AssertUnwindSafe, catch_unwind};
    /// use std::{sync::mpsc, thread};
    ///
    /// let scope = gopark::Scope::new("example");
    /// let (tx, rx) = mpsc::channel();
    /// let hangs = thread::spawn(move || {
    ///     tx.send(Caller::here()).unwrap();
    ///     let wait = || gopark::chan::never::<()>().recv();
    ///     let ended = catch_unwind(AssertUnwindSafe(wait));
    ///     Caller::here().pardon();
    ///     is_reaping(&*ended.unwrap_err())
    /// });
    /// let caller = rx.recv().unwrap();
    /// while caller.blocked().is_none() {
    ///     thread::yield_now();
    /// }
    /// caller.accuse(|| println!("this test hangs"));
    /// scope.reap_with(&caller);
    /// assert!(hangs.join().unwrap());
    /// ```
    pub fn reap_with(&self, caller: &Caller) -> Reaped {
        self.reap_and(|| caller.condemn(), || caller.end_wait())
    }

    /// `marked` is called when all are marked and none is woken, `again` whenever
    /// there may be more to wake.
    fn reap_and(&self, marked: impl FnOnce(), again: impl Fn()) -> Reaped {
        let inner = self.inner();
        let before = members(inner).len();
        if cfg!(not(panic = "unwind")) {
            abandon(inner);
            return Reaped { ended: 0, abandoned: before };
        }
        let watch = self.watch();
        inner.reaping.fetch_add(1, Ordering::Relaxed);
        // Who is born and does not see that is seen here, and marked (`launch.rs`).
        barrier::heavy();
        registry::each_of(inner, |found| {
            if !found.record.has(flag::DAEMON) {
                found.record.set_in(found.life, flag::REAP);
            }
        });
        // A task that parks from here on sees the mark, or the watch sees it park.
        barrier::heavy();
        marked();
        let (mut last, mut idle) = (Progress::default(), Duration::ZERO);
        let abandoned = loop {
            let seen = watch.epoch();
            again();
            let now = wake_marked(inner);
            // A task is dead a moment before it is counted. One that a timer starts
            // from here on ends by itself, or before it starts.
            if now.left == 0 && inner.live() <= now.daemons {
                break 0;
            }
            if now != last {
                (last, idle) = (now, Duration::ZERO);
            } else if idle >= GRACE || (now.left != 0 && now.left == now.hopeless) {
                break abandon(inner);
            }
            let begun = Instant::now();
            watch.wait(seen, LOOK);
            idle += begun.elapsed().min(LOOK);
        };
        inner.reaping.fetch_sub(1, Ordering::Relaxed);
        Reaped { ended: before.saturating_sub(abandoned), abandoned }
    }
}

/// A look at what is left; two equal ones mean that nothing moved.
#[derive(Default, PartialEq, Eq)]
struct Progress {
    left: usize,
    daemons: usize,
    /// Given up already, and parked again.
    hopeless: usize,
    tickets: u64,
}

fn members(scope: &'static ScopeInner) -> Vec<TaskId> {
    let mut ids = Vec::new();
    registry::each_of(scope, |found| {
        if !found.record.has(flag::DAEMON) {
            ids.push(found.record.id());
        }
    });
    ids
}

/// Resumes every marked task that is parked.
fn wake_marked(scope: &'static ScopeInner) -> Progress {
    let mut progress = Progress::default();
    let mut claimed = Vec::new();
    registry::each_of(scope, |Found { record: task, reading, .. }| {
        if task.has(flag::DAEMON) {
            progress.daemons += 1;
            return;
        }
        progress.left += 1;
        progress.tickets += u64::from(reading.ticket());
        if !reading.parked() {
            return;
        }
        if task.has(flag::ABANDONED) {
            progress.hopeless += 1;
        } else if task.has(flag::UNINTERRUPTIBLE) {
            // What it waits for may come from outside: somebody unlocks, and the wait
            // for a condition takes its lock back; a task of another scope ends.
        } else if let Some(claim) = park::claim(task, Cause::Reaper, Some(reading.ticket())) {
            claimed.push(claim);
        }
    });
    // Enqueued outside the registry's lock: a task that ends may want it.
    for claim in claimed {
        claim.enqueue();
    }
    progress
}

/// Gives up what is left.
fn abandon(scope: &'static ScopeInner) -> usize {
    let mut count = 0;
    registry::each_of(scope, |Found { record: task, life, reading }| {
        if !task.has(flag::DAEMON) {
            count += 1;
            task.set_in(life, flag::ABANDONED);
            // Only a parked one becomes `leaked`; the others show what they do.
            if task.state.condemn(reading) {
                ELSEWHERE.one_condemned();
            }
        }
    });
    count
}
