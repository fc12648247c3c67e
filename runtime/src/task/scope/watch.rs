//! How somebody waits until something in a scope parks or ends.
//!
//! Tasks look at `watched` whenever they park or end, so it must cost them nothing while
//! nobody watches: a light barrier, whose partner is the heavy one of whoever begins to
//! watch. Either the task sees the watch and counts an event, or the watcher, who looks at
//! the tasks after it has begun, sees the task where it is.
//!
//! All scopes at once are watched in `everywhere.rs`.

use super::{Scope, ScopeInner, everywhere};
use crate::sys::{barrier, futex};
use std::sync::atomic::Ordering;
use std::time::Duration;

impl ScopeInner {
    /// Called after a task of the scope parked or ended.
    #[inline]
    pub(crate) fn notify(&self) {
        barrier::light();
        if self.watched.load(Ordering::Relaxed) != 0 {
            self.notify_slow();
        }
    }

    #[cold]
    pub(super) fn notify_slow(&self) {
        // ORDERING: Release; pairs with the Acquire in Watch::epoch().
        self.epoch.fetch_add(1, Ordering::Release);
        futex::wake(&self.epoch, i32::MAX);
        everywhere::notify();
    }
}

impl Scope {
    /// Starts to watch: as long as the value lives, tasks of this scope count
    /// an event whenever one parks or ends, and so do threads that end.
    pub fn watch(&self) -> Watch<'_> {
        // ORDERING: Release; the barrier below is what makes parks see it.
        self.inner.watched.fetch_add(1, Ordering::Release);
        barrier::heavy();
        Watch { scope: self }
    }
}

/// Counts events of a scope; made by [`Scope::watch`].
#[derive(Debug)]
pub struct Watch<'a> {
    scope: &'a Scope,
}

impl Watch<'_> {
    /// Events so far.
    pub fn epoch(&self) -> u32 {
        // ORDERING: Acquire; pairs with the Release in notify_slow().
        self.scope.inner.epoch.load(Ordering::Acquire)
    }

    /// Blocks the calling thread until an event comes after the `seen` ones, or
    /// for `timeout`. May return early.
    pub fn wait(&self, seen: u32, timeout: Duration) {
        futex::wait(&self.scope.inner.epoch, seen, Some(timeout));
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.scope.inner.watched.fetch_sub(1, Ordering::Relaxed);
    }
}
