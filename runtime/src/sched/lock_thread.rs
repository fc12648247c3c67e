//! A task that keeps its OS thread to itself: [`lock_os_thread`].
//!
//! What a lock does is done to the worker: it becomes *exclusive*, which means that
//! it runs the tasks that are bound to it and takes none from the run queues, and
//! that it ends when no task is bound to it any more. The workers that
//! [`Builder::own_thread`](crate::Builder::own_thread) makes are so from the start.
//!
//! | | bound (default) | migrating |
//! |---|---|---|
//! | the task | is bound anyway | is bound as long as it holds a guard |
//! | siblings that have started | go on there | there are none, but for those that have parked there while they unwound |
//! | the worker when the last guard is dropped | takes new tasks again | the same |
//! | the worker when the task has ended with a guard that was forgotten | ends after the last sibling | ends |
//!
//! A worker counts the tasks that have locked it, a record how often its task has.
//! Both numbers change on the worker's own thread.

use super::SCHED;
use super::worker::{self, Worker};
use crate::sys::section::Section;
use crate::task::record::Record;
use crate::task::{self, TaskId};
use core::marker::PhantomData;
use std::fmt;
use std::sync::atomic::Ordering;

/// Locks the calling task to the OS thread that it runs on, until the guard is
/// dropped. Go: `runtime.LockOSThread`, `UnlockOSThread`.
///
/// For what belongs to a thread rather than to a task: its name, its namespace, its
/// signal mask, a graphics context, a library that keeps state in thread-locals.
/// Locks nest: the thread is locked until the last guard of the task is dropped.
///
/// - In [migrating](crate::runtime::Config::migrating) mode this is Go's. Until
///   then the task runs on this thread only and no other task runs there; whoever
///   wakes it wakes this thread. The one exception are tasks that have parked there
///   in the middle of an unwind, which resume where they can.
/// - By default a task stays on its thread [anyway](crate#bound-tasks). The lock
///   keeps others from starting there; siblings that have started go on. A task
///   that wants no siblings at all takes a thread of its own from the beginning,
///   with [`Builder::own_thread`](crate::Builder::own_thread).
///
/// A task that ends with a guard that it has [forgotten](std::mem::forget) takes
/// its thread with it, so that nobody gets one that was changed for good. By default
/// the siblings come first: the thread ends after the last of them.
///
/// New tasks of a locked one start elsewhere, so each message to or from it crosses
/// threads. Blocks nothing. On a thread that is not a task this does nothing: such a
/// thread runs nobody else.
///
/// # Panics
/// In a task that holds 2²⁰ − 1 of these guards, or has forgotten them.
///
/// ```
/// let task = gopark::go(|| {
///     let _here = gopark::lock_os_thread();
///     let thread = std::thread::current().id();
///     gopark::sleep(std::time::Duration::from_millis(1));
///     std::thread::current().id() == thread
/// });
/// assert!(task.join().unwrap());
/// ```
///
/// The guard stays with its task:
///
/// ```compile_fail,E0277
/// let guard = gopark::lock_os_thread();
/// gopark::go(move || drop(guard));
/// ```
pub fn lock_os_thread() -> OsThreadLock {
    let task = task::running().map(|task| {
        lock(task.record());
        (task.record(), task.id())
    });
    OsThreadLock { task, _stays: PhantomData }
}

/// Keeps its task on its OS thread: see [`lock_os_thread`].
///
/// Only the task itself unlocks: a guard that another one drops, who has found it in
/// a thread-local, counts as forgotten.
#[must_use = "dropping the guard unlocks the thread"]
pub struct OsThreadLock {
    task: Option<(&'static Record, TaskId)>,
    /// Not `Send`, not `Sync`.
    _stays: PhantomData<*mut ()>,
}

impl Drop for OsThreadLock {
    fn drop(&mut self) {
        let Some((record, id)) = self.task else { return };
        let mine = |task: task::TaskRef| core::ptr::eq(task.record(), record) && task.id() == id;
        if task::running().is_some_and(mine) {
            unlock(record);
        }
    }
}

impl fmt::Debug for OsThreadLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OsThreadLock").field("task", &self.task.map(|(_, id)| id)).finish()
    }
}

/// The running task locks its thread once more.
fn lock(task: &'static Record) {
    let depth = task.thread_locks();
    task.set_thread_locks(depth + 1);
    if depth == 0 {
        let _section = Section::new();
        let w = worker::current().expect("a task runs on a worker");
        set_locks(w, w.locks.get() + 1);
        if migrates(w) {
            w.bound_alive.rise();
            // ORDERING: Release; pairs with the Acquire in enqueue::put().
            task.worker.store(core::ptr::from_ref(w).cast_mut(), Ordering::Release);
        }
    }
}

/// The running task drops a guard of its own.
fn unlock(task: &'static Record) {
    let depth = task.thread_locks() - 1;
    task.set_thread_locks(depth);
    if depth == 0 {
        let _section = Section::new();
        let w = worker::current().expect("a task runs on a worker");
        if migrates(w) {
            // Nobody readies a task that runs, so nobody reads this now.
            task.worker.store(core::ptr::null_mut(), Ordering::Relaxed);
            w.bound_alive.fall();
        }
        set_locks(w, w.locks.get() - 1);
    }
}

/// Whether a task that runs there is bound by its lock only.
fn migrates(w: &Worker) -> bool {
    SCHED.migrating() && !w.own.get()
}

fn set_locks(w: &'static Worker, locks: u32) {
    w.locks.set(locks);
    // Under the lock, for whoever looks for an idle worker: this one may be listed
    // since an earlier time.
    SCHED.locked(|_| w.exclusive.set(w.own.get() || locks != 0));
}
