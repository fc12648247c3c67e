//! Tasks: their records, their life, who they belong to.
//!
//! | file | what |
//! |---|---|
//! | `state.rs` | the state word and its transitions; in `state/`, its states and its bits |
//! | `reason.rs` | why a task waits |
//! | `record.rs` | the record, and which field belongs to whom |
//! | `extra.rs` | what few tasks carry: names, labels |
//! | `registry.rs`, `pile.rs` | all records, for observers; a list that only grows |
//! | `packet.rs`, `join.rs` | closure and result; the word between task and handle |
//! | `scope.rs`, `scope/`, `affinity.rs` | who owns a task; who shares a primitive |
//! | `spawn.rs` | `go`, `Builder`, `run`, and other ways to start a task |
//! | `launch.rs` | how one comes to life, or is given up before |
//! | `handle.rs` | `JoinHandle`: who waits for the end of a task, and gets its result |
//! | `entry.rs` | first and last steps of a task on its own stack; `goexit`, `yield_now`, `safepoint` |
//! | `adopt.rs` | OS threads as tasks |
//! | `threads.rs` | which scope an OS thread was born in |
//! | `bell.rs` | wakers of futures as tasks |
//! | `lineage.rs` | who made whom, also when they have ended |
//! | `reap.rs` | unwinding tasks that leaked |
//! | `subject.rs` | what a parked task waits for |
//! | `caller.rs` | who can be looked at, and unwound, by a watcher |

pub(crate) mod adopt;
pub(crate) mod affinity;
pub(crate) mod bell;
pub(crate) mod caller;
pub(crate) mod entry;
pub(crate) mod extra;
pub(crate) mod handle;
pub(crate) mod launch;
pub(crate) mod lineage;
pub(crate) mod packet;
pub(crate) mod reap;
pub(crate) mod reason;
pub(crate) mod record;
pub(crate) mod registry;
pub(crate) mod scope;
#[cfg(feature = "tracing")]
pub(crate) mod spans;
#[cfg(not(feature = "tracing"))]
#[path = "no_spans.rs"]
pub(crate) mod spans;
pub(crate) mod spawn;
pub(crate) mod subject;
pub(crate) mod threads;
pub(crate) use super::{join, state};

use crate::sched::{preempt, worker};
use record::{Record, flag};
use std::fmt;

pub(crate) use reap::check_reap;
pub(crate) use record::TaskId;

/// A task or an adopted thread. Records are never freed, so the reference is
/// always valid; that it is still the same task, the holder knows.
#[derive(Clone, Copy)]
pub(crate) struct TaskRef(&'static Record);

impl TaskRef {
    #[inline]
    pub(crate) fn record(self) -> &'static Record {
        self.0
    }

    #[inline]
    pub(crate) fn id(self) -> TaskId {
        self.0.id()
    }

    /// Whether [`attend`](Self::attend) has something to do.
    #[inline]
    pub(crate) fn is_called(self) -> bool {
        self.0.has(flag::REAP | flag::PREEMPT)
    }

    /// Does what others have asked the running task for: ends, or gives way.
    #[inline]
    pub(crate) fn attend(self) {
        if self.is_called() {
            attend(self.0);
        }
    }
}

#[cold]
#[inline(never)]
fn attend(task: &'static Record) {
    if task.has(flag::PREEMPT) && !task.has(flag::REAP) {
        preempt::give_way(task);
    }
    if task.has(flag::REAP) {
        reap::check_marked(task);
    }
}

impl From<&'static Record> for TaskRef {
    fn from(record: &'static Record) -> TaskRef {
        TaskRef(record)
    }
}

impl fmt::Debug for TaskRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskRef({})", self.0.id())
    }
}

/// The running task; outside of tasks, the thread, which is adopted now if it
/// was not before.
#[inline]
pub(crate) fn current() -> TaskRef {
    match worker::current_task() {
        Some(task) => TaskRef(task),
        None => TaskRef(adopt::current()),
    }
}

/// The beginning of every operation that may park: the current task, which ends
/// here if the reaper has marked it, and gives way if it has had its slice. Comes
/// before any lock, because a thread that is adopted now allocates.
#[inline]
pub(crate) fn arrive() -> TaskRef {
    let me = current();
    me.attend();
    me
}

/// The beginning of an operation that never parks: the current task, which gives
/// way if it has had its slice. Before any lock, too.
#[inline]
pub(crate) fn pass() -> TaskRef {
    let me = current();
    if me.0.has(flag::PREEMPT) {
        preempt::give_way(me.0);
    }
    me
}

/// [`pass`] for those who need not know the task; nothing is adopted.
#[inline]
pub(crate) fn pass_by() {
    if let Some(task) = worker::current_task()
        && task.has(flag::PREEMPT)
    {
        preempt::give_way(task);
    }
}

/// The running task; nothing is adopted, so the fault handler may ask too.
#[inline]
pub(crate) fn running() -> Option<TaskRef> {
    worker::current_task().map(TaskRef)
}

/// Makes every park of the running task inside `f` a panic.
///
/// For code that must not be interleaved with sibling tasks on the same thread:
/// a library that keeps a pointer to its stack in a thread-local, say. Nests. A
/// call that need not park does not [give way](crate#giving-way) inside, either.
/// On a thread that is not a task it only calls `f`.
///
/// # Panics
/// A park inside panics, at the call that would park. Other panics of `f` pass
/// through. Nested more than 65535 deep it panics itself.
///
/// ```
/// let outcome = gopark::go(|| {
///     gopark::no_park(|| gopark::sleep(std::time::Duration::from_millis(1)))
/// })
/// .join();
/// assert!(outcome.is_err());
/// ```
pub fn no_park<R>(f: impl FnOnce() -> R) -> R {
    struct Leave(Option<TaskRef>);
    impl Drop for Leave {
        fn drop(&mut self) {
            if let Some(task) = self.0 {
                let depth = &task.record().no_park;
                depth.set(depth.get() - 1);
            }
        }
    }
    let task = running();
    if let Some(task) = task {
        let depth = &task.record().no_park;
        depth.set(depth.get().checked_add(1).expect("no_park nests 65535 deep at most"));
    }
    let _leave = Leave(task);
    f()
}
