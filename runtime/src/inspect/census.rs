//! What a leak check counts: who is blocked, and who might still wake somebody.

use super::{Status, WaitReason};
use crate::sched::{SCHED, errands, offload, sysmon, tapes};
use crate::sync::{self, LockInfo};
use crate::sys::{barrier, thread};
use crate::task::record::{Record, TaskId, flag};
use crate::task::scope::{self, Scope, ScopeId};
use crate::task::state::Reading;
use crate::task::{adopt, registry, threads};
use core::panic::Location;
use std::collections::HashSet;
use std::sync::atomic::Ordering;

/// The live tasks of a scope and those outside that could wake one of them,
/// each read at one moment.
///
/// Two censuses that are [the same](Census::same) show what held during the
/// whole time between them: a task with an equal stamp was in one state all
/// that time, and nothing was born in the scope.
#[derive(Clone, Debug)]
pub struct Census {
    /// Live tasks of the scope, daemons not included.
    pub members: Vec<Member>,
    /// Tasks ever born in the scope.
    pub born: u64,
    /// Tasks and adopted threads that could still wake a member: they belong to
    /// no open scope, or to one that shares a primitive with this one, and are
    /// not durably blocked. Threads of a test harness and the calling thread
    /// are not counted.
    pub outside: usize,
    /// Timers that are set and could make a task of the scope ready or start one:
    /// those of the scope itself, and of what is counted in `outside`. Time limits
    /// and sleeps are not among them; whoever has one is not blocked.
    pub timers: usize,
    /// All who wait for a lock without a time limit, in the scope or not: tasks and
    /// adopted threads.
    pub locks: Vec<LockWait>,
    /// All who are outside, blocked or not, with their states.
    outsiders: Vec<(TaskId, u64)>,
    /// Kernel ids of all adopted threads.
    threads: HashSet<u32>,
    /// Whose census it is; `None` if every thread counts.
    scope: Option<ScopeId>,
}

/// A task or an adopted thread that waits for a lock, and nothing but the lock ends
/// that.
///
/// If two censuses show equal waits, each of a cycle of owners, then all in the cycle
/// were parked at one time, and each had the lock that another waited for: guards are
/// not `Send`, so nobody else can give it back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct LockWait {
    /// Who waits.
    pub id: TaskId,
    /// See [`TaskInfo::stamp`](super::TaskInfo::stamp).
    pub stamp: u64,
    /// The call that waits.
    pub site: &'static Location<'static>,
    /// What it is for.
    pub reason: WaitReason,
    /// The lock, and who has it.
    pub lock: LockInfo,
}

/// One live task of the scope.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Member {
    /// Its number.
    pub id: TaskId,
    /// See [`TaskInfo::stamp`](super::TaskInfo::stamp).
    pub stamp: u64,
    /// Parked where only another task or thread can end it.
    pub blocked: bool,
    /// Ready to run, but without a processor.
    pub runnable: bool,
    /// The lock that it waits for without a time limit, and who has that.
    pub lock: Option<LockInfo>,
}

impl Census {
    /// Counts. Takes the registry's lock; visits every task that exists.
    pub fn take(scope: &Scope) -> Census {
        Census::of(Some(scope))
    }

    /// Counts all scopes as one: every task is a member, daemons excepted, and only
    /// adopted threads are outside.
    pub fn everywhere() -> Census {
        Census::of(None)
    }

    /// The census of a scope, or of all.
    fn of(scope: Option<&Scope>) -> Census {
        barrier::heavy();
        let near = scope.map(|scope| near(scope.id()));
        // What shares something with this scope counts, whoever it is. What uses a
        // primitive in the root scope is not noted, so a check of the root takes
        // everything for near; so does one of all.
        let is_near = |id| match (&near, scope) {
            (Some(near), Some(scope)) => near.contains(&id) || scope.inner().is_root(),
            _ => true,
        };
        let me = core::ptr::from_ref(crate::task::current().record());
        let mut census = Census {
            members: Vec::new(),
            born: scope.map_or_else(scope::everywhere::born, Scope::born),
            outside: 0,
            timers: 0,
            locks: Vec::new(),
            outsiders: Vec::new(),
            threads: HashSet::new(),
            scope: scope.and_then(counted_scope),
        };
        registry::each(|record| {
            census.threads.extend(adopted_thread(record));
            let Some((stamp, seen)) = record.observe(look) else {
                // One task after another is born there, and runs.
                census.outside += usize::from(!core::ptr::eq(record, me));
                return;
            };
            let Some(Look { id, scope: scope_id, open, blocked, runnable, lock }) = seen else {
                return;
            };
            if let Some((site, reason, lock)) = lock {
                census.locks.push(LockWait { id, stamp, site, reason, lock });
            }
            let lock = lock.map(|(.., lock)| lock);
            let is_member = scope.is_none_or(|scope| scope_id == scope.id());
            if is_member && !record.has(flag::THREAD) {
                if !record.has(flag::DAEMON) {
                    census.members.push(Member { id, stamp, blocked, runnable, lock });
                }
                return;
            }
            let harness = record.has(flag::HARNESS);
            // When all is looked at, no test runs that a thread of the harness could run.
            let is_near = is_near(scope_id) && !(harness && scope.is_none());
            if core::ptr::eq(record, me) || (!is_near && (open || harness)) {
                return;
            }
            census.outside += usize::from(!blocked);
            census.outsiders.push((id, stamp));
        });
        // After the tasks: a timer that fired meanwhile has changed what it woke, so
        // the next census is not the same.
        census.timers = scope::all_timers(|id, open| is_near(id) || !open);
        census.outsiders.sort_unstable();
        census.members.sort_unstable_by_key(|member| member.id);
        census
    }

    /// Every member is parked where only others can wake it.
    pub fn all_blocked(&self) -> bool {
        self.members.iter().all(|member| member.blocked)
    }

    /// Kernel ids of threads that this census knows nothing of, and that could wake a
    /// member: the [foreign](foreign_threads_of) ones, and those that have been adopted
    /// since.
    ///
    /// If there are none after either of two censuses that are [the same](Census::same),
    /// then no thread was there between them that nothing is known of.
    pub fn unknown_threads(&self) -> Vec<u32> {
        let mut threads = threads_beside(self.scope);
        threads.retain(|tid| !self.threads.contains(tid));
        threads
    }

    /// Nothing moved between this census and a later one.
    pub fn same(&self, later: &Census) -> bool {
        self.born == later.born
            && self.outside == later.outside
            && self.timers == later.timers
            && self.outsiders == later.outsiders
            && self.members == later.members
    }
}

struct Look {
    id: TaskId,
    scope: ScopeId,
    open: bool,
    blocked: bool,
    runnable: bool,
    lock: Option<(&'static Location<'static>, WaitReason, LockInfo)>,
}

fn look(record: &Record, reading: Reading) -> Option<Look> {
    let status = reading.status();
    if matches!(status, Status::Idle | Status::Dead) || record.has(flag::SYSTEM) {
        return None;
    }
    let blocked = record.is_blocked(reading);
    let scope = if record.has(flag::THREAD) { record.scope() } else { record.home() };
    let reason = record.reason();
    let lock = match blocked && reason.is_lock() {
        true => record.site().zip(sync::lock_of(record)),
        false => None,
    };
    Some(Look {
        id: record.id(),
        scope: scope.id(),
        open: scope.is_open(),
        blocked,
        runnable: status == Status::Runnable,
        lock: lock.map(|(site, lock)| (site, reason, lock)),
    })
}

/// The open scopes that share a primitive with this one, directly or through
/// others.
fn near(id: ScopeId) -> HashSet<ScopeId> {
    let open = scope::open_scopes();
    let mut near = HashSet::from([id]);
    loop {
        let before = near.len();
        for (other, partners) in &open {
            if near.contains(other) {
                near.extend(partners);
            } else if partners.iter().any(|partner| near.contains(partner)) {
                near.insert(*other);
            }
        }
        if near.len() == before {
            return near;
        }
    }
}

/// Kernel ids of threads that nothing is known of: they could do anything.
///
/// Not among them: the runtime's own threads; threads that were adopted, which
/// a [`Census`] counts; the calling thread; threads of a test harness, the main
/// thread among them once one was [marked](mark_harness_thread). Empty where the
/// system has no list of threads.
///
/// ```
/// use std::sync::mpsc;
///
/// let (tx, rx) = mpsc::channel::<()>();
/// let thread = std::thread::spawn(move || rx.recv());
/// assert!(gopark::inspect::foreign_threads().len() >= 1);
/// drop(tx);
/// assert!(thread.join().unwrap().is_err());
/// ```
pub fn foreign_threads() -> Vec<u32> {
    foreign_beside(None)
}

/// Those of the [foreign threads](foreign_threads) that could wake a task of the
/// scope: all but the ones that were born in another open scope, if the two share
/// nothing. A thread that outlives its scope could do anything.
///
/// Where nobody tells of the birth of threads, these are all foreign threads.
pub fn foreign_threads_of(scope: &Scope) -> Vec<u32> {
    foreign_beside(counted_scope(scope))
}

fn foreign_beside(scope: Option<ScopeId>) -> Vec<u32> {
    let mut threads = threads_beside(scope);
    let mut adopted = HashSet::new();
    registry::each(|record| adopted.extend(adopted_thread(record)));
    threads.retain(|tid| !adopted.contains(tid));
    threads
}

/// A scope, if some threads do not count for it.
fn counted_scope(scope: &Scope) -> Option<ScopeId> {
    (!scope.inner().is_root()).then(|| scope.id())
}

/// The kernel id of an adopted thread.
pub(crate) fn adopted_thread(record: &Record) -> Option<u32> {
    record.has(flag::THREAD).then(|| record.tid.load(Ordering::Relaxed))
}

/// Threads that could wake a task of the scope, as far as their birth says, or of any.
pub(crate) fn threads_beside(scope: Option<ScopeId>) -> Vec<u32> {
    // Before the list: whoever ends meanwhile is missing there. A thread that is born
    // meanwhile counts.
    let apart: HashSet<u32> = scope.map_or_else(HashSet::new, |scope| {
        let near = near(scope);
        threads::ids_of(|other| other.is_open() && !near.contains(&other.id()))
            .into_iter()
            .collect()
    });
    let threads = others_threads().into_iter().map(|key| key.id);
    threads.filter(|tid| !apart.contains(tid)).collect()
}

/// Threads that are neither the runtime's own nor a test harness's nor the caller,
/// each with its start time (clock ticks since boot): all that can be known of threads
/// where nobody tells of their birth.
pub fn strangers() -> Vec<(u32, u64)> {
    others_threads().iter().map(|key| (key.id, key.started)).collect()
}

/// How many threads the process has.
#[cfg(feature = "debug")]
pub(crate) fn count_threads() -> usize {
    thread::list().len()
}

fn others_threads() -> Vec<thread::ThreadKey> {
    let (mut alive, ours) = list_with_ours();
    let harness = adopt::harness_threads(&alive);
    let mut known = HashSet::from([thread::id()]);
    if adopt::has_harness() {
        known.insert(thread::main_id());
    }
    known.extend(ours);
    alive.retain(|key| !known.contains(&key.id) && !harness.contains(key));
    alive
}

/// All threads of the process, and which of them are the runtime's. One that
/// has just been made does not know its id yet, so it is waited for: it takes a
/// moment, and every other thread that the list shows has been there before.
fn list_with_ours() -> (Vec<thread::ThreadKey>, Vec<u32>) {
    loop {
        let alive = thread::list();
        let mut ours: Vec<u32> =
            SCHED.workers().iter().map(|w| w.tid.load(Ordering::Relaxed)).collect();
        ours.extend([sysmon::thread_id(), errands::thread_id(), tapes::thread_id()]);
        ours.extend(offload::thread_ids());
        if !ours.contains(&0) {
            return (alive, ours);
        }
        std::thread::yield_now();
    }
}

/// Tells the runtime that the calling thread belongs to a test harness: it runs
/// one test after the other, so what it does after its own test wakes nobody in
/// another. Leak checks then do not wait for it.
///
/// ```
/// gopark::inspect::mark_harness_thread();
/// ```
pub fn mark_harness_thread() {
    adopt::mark_harness();
}
