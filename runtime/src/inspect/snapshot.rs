//! The one view of all tasks.

use super::{Status, Trace, WaitReason, WaitsFor};
use crate::stack;
use crate::sync::{self, LockInfo};
use crate::sys::clock;
use crate::task::record::{Record, TaskId, flag};
use crate::task::registry;
use crate::task::scope::{self, Scope, ScopeId};
use core::panic::Location;
use core::ptr;
use std::fmt;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// All tasks, or those of a scope, each as it was at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Snapshot {
    /// Sorted by number.
    pub tasks: Vec<TaskInfo>,
}

/// A task of ours, or an OS thread that was adopted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// Made by [`go`](crate::go).
    Task,
    /// A thread that used a channel, lock or scope.
    Thread,
}

/// One task.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TaskInfo {
    /// Its number.
    pub id: TaskId,
    /// Task or adopted thread.
    pub kind: Kind,
    /// What it does.
    pub status: Status,
    /// Why and where it waits; `None` when it is not parked.
    pub wait: Option<Wait>,
    /// What it waits for, if that was [asked](super::explain); else empty. Of a
    /// select, what each of its cases waits for.
    pub waits_for: Vec<WaitsFor>,
    /// Where the blocking call is that it is in; `None` outside of one.
    pub call: Option<&'static Location<'static>>,
    /// Where it waited or was in a blocking call last, while it does neither; `None` if it
    /// never did.
    pub last_site: Option<&'static Location<'static>>,
    /// For how long it has been in a blocking call, exact to some milliseconds; `None`
    /// outside of one.
    pub call_age: Option<Duration>,
    /// The name it was given.
    pub name: Option<String>,
    /// The labels it was given.
    pub labels: Vec<(String, String)>,
    /// Meant to outlive tests.
    pub daemon: bool,
    /// The function that it runs: the type name of its closure, or of its future.
    pub entry: &'static str,
    /// The function that made it: the closure's own path, or else the entry of
    /// the task that made it.
    pub creator: &'static str,
    /// Where it was made.
    pub created_at: &'static Location<'static>,
    /// Who made it.
    pub parent: Option<TaskId>,
    /// The stack that it was made on, if that is
    /// [kept](super::keep_creation_stacks).
    pub creation_stack: Option<Trace>,
    /// The scope it was born in; for a thread, the one it is in.
    pub scope: ScopeId,
    /// Whether somebody holds a handle to that scope.
    pub scope_open: bool,
    /// The worker that it is bound to.
    pub worker: Option<u32>,
    /// Whether it has [locked](crate::lock_os_thread) its thread.
    pub locked: bool,
    /// Its stack; `None` for a thread, and for a task that has not started.
    pub stack: Option<StackInfo>,
    /// Its frames, if they were [asked for](Snapshot::with_frames).
    pub trace: Option<Trace>,
    /// Equal stamps of one task mean that it was in one state all the time.
    pub stamp: u64,
    pub(super) origin: Origin,
}

/// The record that a task was read from; it may serve another one by now.
#[derive(Clone, Copy)]
pub(super) struct Origin(pub(super) &'static Record);

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Pointer::fmt(&ptr::from_ref(self.0), f)
    }
}

/// Why, where and since when a task is parked.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Wait {
    /// Why.
    pub reason: WaitReason,
    /// The blocking call.
    pub site: &'static Location<'static>,
    /// For how long, exact to some milliseconds.
    pub age: Duration,
    /// Whether a timer will end it.
    pub timed: bool,
    /// When that timer fires.
    pub left: Option<Duration>,
    /// The lock that it waits for, and who has that; `None` if it waits for something
    /// else.
    pub lock: Option<LockInfo>,
}

/// A task's stack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct StackInfo {
    /// Usable bytes.
    pub limit: usize,
    /// Bytes in use; `None` while the task runs or blocks its thread, or is on a
    /// segment.
    pub depth: Option<usize>,
    /// Segments that [`stack::grow`] has put it on; at most 511 are counted.
    pub segments: usize,
}

impl TaskInfo {
    /// Parked where only another task or thread can end it.
    pub fn durably_blocked(&self) -> bool {
        self.wait.is_some_and(|wait| wait.reason.durable() && !wait.timed)
    }
}

impl Snapshot {
    /// Every task and every adopted thread.
    pub fn all() -> Snapshot {
        // Some threads besides.
        let mut found = Vec::with_capacity(scope::live_everywhere() + 64);
        registry::each_unlocked(|record| {
            if !matches!(record.state.read().status(), Status::Idle | Status::Dead) {
                found.push((record.id_number(), record));
            }
        });
        // Sorted before there is much to be moved.
        found.sort_by_key(|(id, _)| *id);
        let now = clock::now();
        let mut tasks = Vec::with_capacity(found.len());
        for some in found.chunks(AT_ONCE) {
            read_all(some.iter().map(|(_, record)| *record), now, &mut tasks);
        }
        // A record may have come to serve another task meanwhile.
        Snapshot::sorted(tasks)
    }

    /// The tasks that were born in the scope; adopted threads not included.
    pub fn of(scope: &Scope) -> Snapshot {
        let mut tasks = Vec::new();
        registry::each_of(scope.inner(), |found| tasks.extend(read(found.record)));
        // One may have ended, and its record been used again, in between.
        tasks.retain(|task| task.scope == scope.id());
        Snapshot::sorted(tasks)
    }

    /// One task or thread.
    pub(crate) fn one(record: &'static Record) -> Option<TaskInfo> {
        registry::with_lock(|| read(record))
    }

    /// Memory of all stacks of the process, measured now and not when the tasks
    /// were read: see [`stack::usage`] for what that takes.
    pub fn stacks(&self) -> stack::Usage {
        stack::usage()
    }

    fn sorted(mut tasks: Vec<TaskInfo>) -> Snapshot {
        if !tasks.is_sorted_by_key(|task| task.id) {
            tasks.sort_by_key(|task| task.id);
        }
        Snapshot { tasks }
    }
}

/// Tasks that are read before one that has a name may end.
const AT_ONCE: usize = 256;
/// So many records further on there is one that the cache is asked for.
const AHEAD: usize = 8;

/// The number of the running task, or of the calling thread, which is adopted for it
/// if need be.
///
/// ```
/// let task = gopark::go(gopark::inspect::current_task);
/// let id = task.id();
/// assert_eq!(task.join().unwrap(), id);
/// ```
pub fn current_task() -> TaskId {
    crate::task::current().id()
}

/// Reads one task, under the registry's lock. `None`: it has ended.
pub(super) fn read(record: &'static Record) -> Option<TaskInfo> {
    read_at(record, clock::now())
}

/// Calls `f` with all tasks and adopted threads, some hundreds at a time and in no order. What
/// it leaves of them is gone afterwards.
pub(super) fn each_slab(mut f: impl FnMut(&mut Vec<TaskInfo>)) {
    let mut tasks = Vec::new();
    for slab in registry::slabs() {
        tasks.clear();
        read_all(slab.iter(), clock::now(), &mut tasks);
        f(&mut tasks);
    }
}

/// Reads them all, with ages as of that time.
fn read_all(
    records: impl Iterator<Item = &'static Record> + Clone,
    now: u64,
    tasks: &mut Vec<TaskInfo>,
) {
    let mut soon = records.clone().skip(AHEAD);
    registry::with_lock(|| {
        for record in records {
            if let Some(soon) = soon.next() {
                Record::prefetch_all(soon);
            }
            tasks.extend(read_at(record, now));
        }
    });
}

/// One of them, under the registry's lock.
fn read_at(record: &'static Record, now: u64) -> Option<TaskInfo> {
    let (life, origin) = (record.life(), record);
    let (stamp, info) = record.observe(|record, reading| {
        let status = reading.status();
        let parked = reading.parked();
        if matches!(status, Status::Idle | Status::Dead) || record.has(flag::SYSTEM) {
            return None;
        }
        let kind = if record.has(flag::THREAD) { Kind::Thread } else { Kind::Task };
        let scope = match kind {
            Kind::Task => record.home(),
            Kind::Thread => record.scope(),
        };
        // ORDERING: Acquire; pairs with the Release of whoever binds it: see enqueue::put().
        let worker = record.worker.load(Ordering::Acquire);
        Some(TaskInfo {
            id: record.id(),
            kind,
            status,
            wait: parked.then(|| wait(record, now)).flatten(),
            waits_for: Vec::new(),
            call: record.site().filter(|_| status == Status::Syscall),
            last_site: record.site().filter(|_| !parked && status != Status::Syscall),
            call_age: (status == Status::Syscall).then(|| age(record, now)),
            name: None,
            labels: Vec::new(),
            daemon: record.has(flag::DAEMON),
            entry: record.entry(),
            creator: record.creator(),
            created_at: record.created_at(),
            parent: record.parent(),
            creation_stack: None,
            scope: scope.id(),
            scope_open: scope.is_open(),
            // SAFETY: null, or a worker, and those are never freed (W3).
            worker: unsafe { worker.as_ref() }.map(|w| w.id),
            locked: kind == Kind::Task && record.thread_locks() != 0,
            stack: stack_info(record, status),
            trace: None,
            stamp: 0,
            origin: Origin(origin),
        })
    })?;
    let mut info = info?;
    info.stamp = stamp;
    // The registry's lock keeps the names from going away; whose they are, the
    // life tells.
    let extra = record.clone_extra();
    if record.life() != life {
        return None;
    }
    if let Some(extra) = extra {
        info.name = extra.name;
        info.labels = extra.labels;
        info.creation_stack = extra.stack.as_deref().map(Trace::of_birth);
    }
    Some(info)
}

fn stack_info(record: &Record, status: Status) -> Option<StackInfo> {
    let place = record.place();
    let stack = place.stack()?;
    let sp = record.sp.load(Ordering::Relaxed).addr();
    let runs = matches!(status, Status::Running | Status::Syscall | Status::Preempted);
    let still = !runs && stack.contains(sp);
    Some(StackInfo {
        limit: stack.class().usable(),
        depth: still.then(|| stack.top().addr() - sp),
        segments: place.segments(),
    })
}

fn age(record: &Record, now: u64) -> Duration {
    Duration::from_nanos(now.saturating_sub(record.since()))
}

fn wait(record: &Record, now: u64) -> Option<Wait> {
    let until = record.until();
    let timed = until != u64::MAX;
    Some(Wait {
        reason: record.reason(),
        site: record.site()?,
        age: age(record, now),
        timed,
        // Who parks while others are read has no more than all of its time left.
        left: timed.then(|| Duration::from_nanos(until.saturating_sub(clock::now()))),
        lock: sync::lock_of(record),
    })
}
