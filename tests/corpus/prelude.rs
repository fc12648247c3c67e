//! What the programs use.

pub(crate) use gopark::chan::{Receiver, Sender, bounded, never, never_sender, rendezvous};
pub(crate) use gopark::context::Context;
pub(crate) use gopark::inspect::WaitReason;
pub(crate) use gopark::sync::{
    Barrier, Condvar, Group, Mutex, OnceCell, RwLock, Semaphore, WaitGroup,
};
pub(crate) use gopark::{Builder, go, select, yield_now};
pub(crate) use std::mem::forget;
pub(crate) use std::sync::Arc;
pub(crate) use std::time::Duration;

use gopark::TaskId;
use gopark::inspect::Snapshot;

/// Comes back when that task waits for this. The order in which two tasks come to a
/// lock is forced by it, and needs no sleep.
pub(crate) fn until_waits(task: TaskId, reason: WaitReason) {
    let waits = |snapshot: Snapshot| {
        let found = snapshot.tasks.into_iter().find(|info| info.id == task);
        found.and_then(|info| info.wait).is_some_and(|wait| wait.reason == reason)
    };
    while !waits(Snapshot::all()) {
        yield_now();
    }
}

/// Both ends of a channel, as a structure of Go keeps them: it stays open as long as
/// somebody has the structure, and a send into it never fails.
pub(crate) struct Chan<T> {
    pub(crate) tx: Sender<T>,
    pub(crate) rx: Receiver<T>,
}

impl<T> Chan<T> {
    #[track_caller]
    pub(crate) fn new() -> Chan<T> {
        let (tx, rx) = rendezvous();
        Chan { tx, rx }
    }

    #[track_caller]
    pub(crate) fn buffered(n: usize) -> Chan<T> {
        let (tx, rx) = bounded(n);
        Chan { tx, rx }
    }
}

impl<T> Clone for Chan<T> {
    #[track_caller]
    fn clone(&self) -> Chan<T> {
        Chan { tx: self.tx.clone(), rx: self.rx.clone() }
    }
}
