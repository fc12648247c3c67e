//! All records that ever existed: what observers walk.
//!
//! Records come in slabs that are never freed (R1), so walking them needs no
//! cooperation from the tasks. The lock serves two ends: it guards the list of
//! slabs, and it keeps names and labels alive while an observer copies them; a
//! task that has such takes it at its end, the others never do.

use super::record::{Record, flag};
use super::scope::ScopeInner;
use super::state::Status;
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
        if in_use(record) {
            f(record);
        }
    }
}

/// Calls `f` for every live task of the scope, adopted threads not included.
pub(crate) fn each_of(scope: &'static ScopeInner, mut f: impl FnMut(&'static Record)) {
    each(|record| {
        if core::ptr::eq(record.scope(), scope) && !record.has(flag::THREAD) {
            f(record);
        }
    });
}

fn in_use(record: &Record) -> bool {
    !matches!(record.state.read().status(), Status::Idle | Status::Dead)
}
