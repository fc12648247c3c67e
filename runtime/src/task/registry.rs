//! All records that ever existed: what observers walk.
//!
//! Records come in slabs that are never freed (R1). The slabs are a [`Pile`], which is
//! only added to, so walking it needs no cooperation from the tasks and no lock.
//! The lock serves another end: it keeps names and labels alive while an observer
//! copies them; a task that has such takes it at its end, the others never do.
#![expect(clippy::disallowed_types, reason = "names are read and dropped outside of sections")]

use super::record::{Life, Record, flag};
use super::scope::ScopeInner;
use super::state::{Reading, Status};
use crate::pile::Pile;
use crate::sys::section;
use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Records per slab: 48 KiB.
const SLAB: usize = 256;

static SLABS: Pile<Box<[Record]>> = Pile::new();

/// Records that were promised: made, or about to be.
static PROMISED: AtomicUsize = AtomicUsize::new(0);

static NAMES: Mutex<()> = Mutex::new(());

fn names() -> MutexGuard<'static, ()> {
    section::check_outside();
    NAMES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many records there will be, with a slab more.
pub(crate) fn promise() -> usize {
    PROMISED.fetch_add(SLAB, Ordering::Relaxed) + SLAB
}

/// Makes a slab of idle records.
pub(crate) fn grow() -> &'static [Record] {
    let records = (0..SLAB).map(|_| Record::new()).collect();
    match SLABS.add(records, |_, _| true) {
        Ok(slab) => slab,
        Err(_) => unreachable!("every slab fits"),
    }
}

/// Every record that there is, in use or not, some hundreds at a time.
pub(crate) fn slabs() -> impl Iterator<Item = &'static [Record]> {
    SLABS.iter().map(|slab| &**slab)
}

fn all() -> impl Iterator<Item = &'static Record> {
    slabs().flatten()
}

/// Runs `f` while no task can free its name and labels.
pub(crate) fn with_lock<R>(f: impl FnOnce() -> R) -> R {
    let _guard = names();
    f()
}

/// Calls `f` for every record that is in use: tasks and adopted threads.
/// The registry is locked meanwhile.
pub(crate) fn each(f: impl FnMut(&'static Record)) {
    let _guard = names();
    all().filter(|record| is_alive(record.state.read().status())).for_each(f);
}

/// A task as it was found: what is done to it later is done to this life and
/// this state, or not at all.
#[derive(Clone, Copy)]
pub(crate) struct Found {
    pub(crate) record: &'static Record,
    pub(crate) life: Life,
    pub(crate) reading: Reading,
}

/// Calls `f` for every live task whose home the scope is; adopted threads are
/// not included.
pub(crate) fn each_of(scope: &'static ScopeInner, mut f: impl FnMut(Found)) {
    each(|record| {
        let life = record.life();
        let at_home = core::ptr::eq(record.home(), scope);
        // ORDERING: Acquire; pairs with the Release fence in Record::fill(): if
        // the home is a later life's, that life is seen below (R3).
        fence(Ordering::Acquire);
        let reading = record.state.read();
        if at_home
            && is_alive(reading.status())
            && record.life() == life
            && !record.has(flag::THREAD)
        {
            f(Found { record, life, reading });
        }
    });
}

/// Calls `f` for every record that there is, in use or not, and takes no lock:
/// names and labels may go away meanwhile.
pub(crate) fn each_unlocked(f: impl FnMut(&'static Record)) {
    all().for_each(f);
}

fn is_alive(status: Status) -> bool {
    !matches!(status, Status::Idle | Status::Dead)
}
