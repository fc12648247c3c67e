//! How somebody waits until something in a scope parks or ends.
//!
//! The two words, and why no event is missed: `notice.rs`.
//!
//! All scopes at once are watched in `everywhere.rs`.

use super::{Scope, ScopeInner, everywhere};
use crate::sys::{barrier, futex};
use std::time::Duration;

impl ScopeInner {
    /// Called after a task of the scope parked or ended.
    #[inline]
    pub(crate) fn notify(&self) {
        if self.notice.is_wanted() {
            self.notify_slow();
        }
    }

    #[cold]
    pub(super) fn notify_slow(&self) {
        self.notice.tell();
        futex::wake(self.notice.futex(), i32::MAX);
        everywhere::notify();
    }
}

impl Scope {
    /// Starts to watch: as long as the value lives, tasks of this scope count
    /// an event whenever one parks or ends, and so do threads that end.
    pub fn watch(&self) -> Watch<'_> {
        self.inner.notice.begin();
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
        self.scope.inner.notice.events()
    }

    /// Blocks the calling thread until an event comes after the `seen` ones, or
    /// for `timeout`. May return early.
    pub fn wait(&self, seen: u32, timeout: Duration) {
        futex::wait(self.scope.inner.notice.futex(), seen, Some(timeout));
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.scope.inner.notice.end();
    }
}
