//! OS threads that the program makes: whose are they?
//!
//! A leak check that sees `pthread_create` calls (it stands in the way of the C
//! library's, see `leakcheck`) tells of each birth here. The thread belongs to the
//! scope of the task or thread that made it, and so do the tasks that it starts.
//!
//! Only the thread's own number in [`MINE`] says which entry is its own, and the entry
//! stays in the table until the thread's last destructors have run:
//!
//! - **Y1** An entry counts in its scope from before `pthread_create` until the thread
//!   has given its record back, so the scope is not used again under the record (C2).
//!   It is no handle: a thread that outlives its test does not keep the scope open.
//! - **Y2** An entry has a kernel id only while that thread exists, so ids in the
//!   table name one thread each.
#![expect(clippy::disallowed_types, reason = "threads are made, and end, outside of sections")]

use super::record::{Record, TaskId};
use super::scope::{Scope, ScopeInner};
use super::{adopt, lineage};
use crate::sched::worker;
use crate::stack;
use crate::sys::{section, thread};
use core::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

struct Entry {
    /// Kernel id; 0 until it runs.
    tid: AtomicU32,
    /// None: the root scope, which is not made for this, as that starts the runtime.
    scope: Option<&'static ScopeInner>,
    /// It serves the whole program.
    shared: bool,
    /// Made by a thread that makes those on which tests run.
    of_harness: bool,
    born: Instant,
    /// The task or adopted thread that made it.
    maker: Option<TaskId>,
    frames: Arc<[usize]>,
}

/// Every thread whose birth was told, by its number.
struct Table {
    entries: BTreeMap<usize, Arc<Entry>>,
    last: usize,
}

static TABLE: Mutex<Table> = Mutex::new(Table { entries: BTreeMap::new(), last: 0 });

fn table() -> MutexGuard<'static, Table> {
    section::check_outside();
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}

thread_local! {
    /// The calling thread's number in the table; 0 if it has none.
    static MINE: Cell<usize> = const { Cell::new(0) };
}

/// What is known of a thread's origin.
#[derive(Debug, Default)]
pub struct Origin {
    /// An address in each function that leads to the call that makes it, the innermost first.
    pub frames: Arc<[usize]>,
    /// It serves the whole program, whoever happens to start it: it belongs to the
    /// root scope.
    pub shared: bool,
}

/// A thread that is about to be made; to be taken to it. Dropped anywhere else, the
/// thread was not made after all.
#[derive(Debug)]
#[must_use]
pub struct Birth {
    number: usize,
}

impl Birth {
    /// On the thread that makes another one, before it does. `None` when the runtime
    /// makes one for itself, or when it will belong to no scope and not `all` are
    /// asked for; then there is no need for `origin`.
    pub fn announce(all: bool, origin: impl FnOnce() -> Origin) -> Option<Birth> {
        if thread::makes_own() {
            return None;
        }
        let heir = heir();
        if heir.scope.is_none() && !all {
            return None;
        }
        let Origin { frames, shared } = origin();
        let scope = heir.scope.filter(|_| !shared);
        if let Some(scope) = scope {
            scope.thread_born();
        } else if !all {
            return None;
        }
        let entry = Arc::new(Entry {
            tid: AtomicU32::new(0),
            scope,
            shared,
            of_harness: !shared && adopt::is_harness(),
            born: Instant::now(),
            maker: heir.maker.map(Record::id),
            frames,
        });
        if let Some(maker) = heir.maker {
            lineage::has_child(maker);
        }
        let mut table = table();
        table.last += 1;
        let number = table.last;
        table.entries.insert(number, entry);
        Some(Birth { number })
    }

    /// On the new thread, before anything else.
    pub fn begin(self) {
        let Birth { number } = self;
        if !thread::at_end(number, ended) {
            // It would never be struck off.
            return;
        }
        MINE.set(number);
        if let Some(entry) = table().entries.get(&number) {
            entry.tid.store(thread::id(), Ordering::Relaxed);
        }
        core::mem::forget(self);
    }
}

/// Whether one of those return addresses may be on the calling stack, at the address `from`
/// or further out: none is overlooked, but one that is found may be left from a call that is
/// over. Much cheaper than to unwind the stack.
pub fn may_return_to(addresses: &[usize], from: usize) -> bool {
    stack::has_word(from, addresses)
}

impl Drop for Birth {
    fn drop(&mut self) {
        strike_off(self.number);
    }
}

/// Runs as the last of the thread's destructors (Y1).
extern "C" fn ended(number: *mut libc::c_void) {
    MINE.set(0);
    strike_off(number.addr());
}

fn strike_off(number: usize) {
    let entry = table().entries.remove(&number);
    if let Some(scope) = entry.and_then(|entry| entry.scope) {
        scope.thread_ended();
    }
}

/// Whose a thread will be that is made here.
struct Heir {
    /// None: nobody's.
    scope: Option<&'static ScopeInner>,
    /// The caller, if the runtime knows it.
    maker: Option<&'static Record>,
}

/// Adopts the thread of a test, whose scope there is only from then on, and nobody else.
fn heir() -> Heir {
    let maker = worker::current_task().or_else(adopt::existing).or_else(adopt::of_test);
    let scope = match maker {
        Some(record) => Some(record.scope()).filter(|scope| !scope.is_root()),
        None => inherited(),
    };
    Heir { scope, maker }
}

/// What is known of the calling thread.
pub(crate) struct OwnBirth {
    pub(crate) maker: Option<TaskId>,
    pub(crate) frames: Arc<[usize]>,
}

/// `None` if nobody told of its birth.
pub(crate) fn own_birth() -> Option<OwnBirth> {
    match MINE.get() {
        0 => None,
        number => table()
            .entries
            .get(&number)
            .map(|entry| OwnBirth { maker: entry.maker, frames: Arc::clone(&entry.frames) }),
    }
}

/// Whether the calling thread may be one that a harness has made for a test: also if
/// nobody told of its birth.
pub(crate) fn may_run_a_test() -> bool {
    match MINE.get() {
        0 => true,
        number => table().entries.get(&number).is_none_or(|entry| entry.of_harness),
    }
}

/// The scope that the calling thread was born in.
pub(crate) fn inherited() -> Option<&'static ScopeInner> {
    match MINE.get() {
        0 => None,
        number => table().entries.get(&number)?.scope,
    }
}

/// Kernel ids of the threads that belong to scopes which `counts` picks; the root is
/// not asked about.
pub(crate) fn ids_of(counts: impl Fn(&'static ScopeInner) -> bool) -> Vec<u32> {
    let table = table();
    let those = table.entries.values().filter(|entry| entry.scope.is_some_and(&counts));
    those.map(|entry| entry.tid.load(Ordering::Relaxed)).filter(|tid| *tid != 0).collect()
}

/// A thread that is alive.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Thread {
    /// Counts the threads whose birth was told.
    pub number: usize,
    /// Its kernel id; `None` until it has begun to run.
    pub id: Option<u32>,
    /// Since it was made.
    pub age: Duration,
    /// Where it was made: an address in each function, the innermost first.
    pub frames: Arc<[usize]>,
    /// It serves the whole program (see [`Origin::shared`]).
    pub shared: bool,
}

/// The threads that were born in the scope and are alive, by number, those included
/// that do not run yet.
pub fn of(scope: &Scope) -> Vec<Thread> {
    let wanted = scope.inner();
    let is_there = |of: Option<&ScopeInner>| match of {
        Some(scope) => core::ptr::eq(scope, wanted),
        None => wanted.is_root(),
    };
    let table = table();
    let those = table.entries.iter().filter(|(_, entry)| is_there(entry.scope));
    those
        .map(|(number, entry)| Thread {
            number: *number,
            id: Some(entry.tid.load(Ordering::Relaxed)).filter(|tid| *tid != 0),
            age: entry.born.elapsed(),
            frames: Arc::clone(&entry.frames),
            shared: entry.shared,
        })
        .collect()
}

/// How many threads were born in the scope, which is not the root, and are alive, those
/// included that do not run yet. Reads one counter.
pub fn count(scope: &Scope) -> usize {
    scope.inner().threads()
}

/// How many threads are alive whose birth was told, those of no scope included.
pub fn known() -> usize {
    table().entries.len()
}
