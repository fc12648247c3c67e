//! All records that ever existed: what observers walk.
//!
//! Records come in slabs that are never freed (R1), so walking them needs no
//! cooperation from the tasks. The lock serves two ends: it guards the list of
//! slabs, and it keeps names and labels alive while an observer copies them; a
//! task that has such takes it at its end, the others never do.

use super::record::{Life, Record, flag};
use super::scope::ScopeInner;
use super::state::{Reading, Status};
use std::sync::atomic::{Ordering, fence};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Records per slab: 48 KiB.
const SLAB: usize = 256;

static SLABS: Mutex<Vec<&'static [Record]>> = Mutex::new(Vec::new());

fn slabs() -> MutexGuard<'static, Vec<&'static [Record]>> {
    SLABS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes a slab of idle records.
pub(crate) fn grow() -> &'static [Record] {
    let slab: Box<[Record]> = (0..SLAB).map(|_| Record::new()).collect();
    let slab: &'static [Record] = Box::leak(slab);
    slabs().push(slab);
    slab
}

/// Runs `f` while no task can free its name and labels.
pub(crate) fn with_lock<R>(f: impl FnOnce() -> R) -> R {
    let _guard = slabs();
    f()
}

/// Calls `f` for every record that is in use: tasks and adopted threads.
/// The registry is locked meanwhile.
pub(crate) fn each(mut f: impl FnMut(&'static Record)) {
    let slabs = slabs();
    for record in slabs.iter().flat_map(|slab| slab.iter()) {
        if is_alive(record.state.read().status()) {
            f(record);
        }
    }
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

/// Calls `f` for every record that there is, in use or not, without holding the
/// registry: names and labels may go away meanwhile.
pub(crate) fn each_unlocked(mut f: impl FnMut(&'static Record)) {
    let count = slabs().len();
    for n in 0..count {
        // Slabs are only added (R1).
        let slab = slabs()[n];
        slab.iter().for_each(&mut f);
    }
}

fn is_alive(status: Status) -> bool {
    !matches!(status, Status::Idle | Status::Dead)
}
