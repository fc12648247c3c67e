//! Tasks: their records, their life, who they belong to.
//!
//! | file | what |
//! |---|---|
//! | `state.rs` | the state word and its transitions |
//! | `reason.rs` | why a task waits |
//! | `record.rs` | the record, and which field belongs to whom |
//! | `registry.rs` | all records, for observers |
//! | `packet.rs`, `join.rs` | closure and result; the word between task and handle |
//! | `scope.rs`, `affinity.rs` | who owns a task; who shares a primitive |
//! | `spawn.rs` | `go`, `Builder`, `JoinHandle`, `run` |
//! | `entry.rs` | first and last steps of a task on its own stack; `goexit` |
//! | `adopt.rs` | OS threads as tasks |
//! | `reap.rs` | unwinding tasks that leaked |

pub(crate) mod adopt;
pub(crate) mod affinity;
pub(crate) mod entry;
pub(crate) mod packet;
pub(crate) mod reap;
pub(crate) mod reason;
pub(crate) mod record;
pub(crate) mod registry;
pub(crate) mod scope;
pub(crate) mod spawn;
pub(crate) use super::{join, state};

use crate::sched::worker;
use record::Record;
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

    pub(crate) fn id(self) -> TaskId {
        self.0.id()
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

/// The running task; nothing is adopted, so the fault handler may ask too.
#[inline]
pub(crate) fn running() -> Option<TaskRef> {
    worker::current_task().map(TaskRef)
}

/// Makes every park of the running task inside `f` a panic.
///
/// For code that must not be interleaved with sibling tasks on the same thread:
/// a library that keeps a pointer to its stack in a thread-local, say. Nests.
/// On a thread that is not a task it only calls `f`.
///
/// # Panics
/// A park inside panics, at the call that would park. Other panics of `f` pass
/// through.
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
