//! All scopes at once: what a check looks at when the program ends.

use super::reuse::RETIRED;
use super::{ALL, Scope, guard};
use crate::sys::{barrier, futex};
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Counts the events of all scopes that are watched; a futex.
static EVENTS: AtomicU32 = AtomicU32::new(0);

/// A task of a watched scope parked or ended.
pub(super) fn notify() {
    // ORDERING: Release; pairs with the Acquire in WatchAll::epoch().
    EVENTS.fetch_add(1, Ordering::Release);
    futex::wake(&EVENTS, i32::MAX);
}

/// Tasks ever born in any scope. Less than before only if a scope was used again.
pub(crate) fn born() -> u64 {
    guard(&ALL).iter().map(|scope| scope.born()).sum()
}

impl Scope {
    /// All scopes that something belongs to: those that are open, the root among
    /// them, and those whose tasks, threads or [unseen panics](Self::take_panics) have
    /// outlived their last handle.
    ///
    /// ```
    /// let scope = gopark::Scope::new("mine");
    /// assert!(gopark::Scope::all().iter().any(|it| it.id() == scope.id()));
    /// assert!(gopark::Scope::all().iter().any(|it| it.name() == "root"));
    /// ```
    pub fn all() -> Vec<Scope> {
        crate::sched::start_default();
        super::root();
        // While this is held none is taken out to be used again.
        let _retired = guard(&RETIRED);
        let all = guard(&ALL);
        let holds_something = |scope: &&super::ScopeInner| {
            scope.is_root()
                || scope.is_open()
                || scope.live() != 0
                || scope.threads() != 0
                || scope.has_panics()
        };
        all.iter().copied().filter(|scope| holds_something(scope)).map(Scope::handle).collect()
    }

    pub(crate) fn is_of_test(&self) -> bool {
        self.inner.of_test.load(Ordering::Relaxed)
    }

    /// Watches all scopes together: like [`watch`](Self::watch) for each that there is.
    pub fn watch_all() -> WatchAll {
        let watch = WatchAll { scopes: Mutex::new(Vec::new()) };
        watch.renew();
        watch
    }
}

/// Counts events of all scopes; made by [`Scope::watch_all`].
pub struct WatchAll {
    scopes: Mutex<Vec<Scope>>,
}

impl WatchAll {
    /// Watches the scopes, too, that have been opened since.
    pub fn renew(&self) {
        let mut scopes = self.scopes.lock().unwrap_or_else(PoisonError::into_inner);
        let known = scopes.len();
        for scope in Scope::all() {
            if !scopes.iter().any(|it| it.id() == scope.id()) {
                // The barrier below is what makes parks see it.
                scope.inner.notice.begin();
                scopes.push(scope);
            }
        }
        if scopes.len() != known {
            barrier::heavy();
        }
    }

    /// Events so far.
    pub fn epoch(&self) -> u32 {
        // ORDERING: Acquire; pairs with the Release in notify().
        EVENTS.load(Ordering::Acquire)
    }

    /// Blocks the calling thread until an event comes after the `seen` ones, or
    /// for `timeout`. May return early.
    pub fn wait(&self, seen: u32, timeout: Duration) {
        futex::wait(&EVENTS, seen, Some(timeout));
    }
}

impl Drop for WatchAll {
    fn drop(&mut self) {
        let scopes = self.scopes.get_mut().unwrap_or_else(PoisonError::into_inner);
        for scope in scopes {
            scope.inner.notice.end();
        }
    }
}

impl fmt::Debug for WatchAll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchAll").finish_non_exhaustive()
    }
}
