//! A word that says until when somebody sleeps; the protocol is in `watch.rs`.

#![cfg_attr(loom, allow(dead_code, reason = "the models use a part of it"))]

use crate::sys::atomic::{AtomicU64, Ordering, fence};

/// `u64::MAX`: nobody sleeps, or without end.
pub(crate) struct Cover(AtomicU64);

impl Cover {
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Self {
        Cover(AtomicU64::new(u64::MAX))
    }

    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Cover(AtomicU64::new(u64::MAX))
    }

    /// t3: the caller will sleep until `time`. `false`: somebody sleeps no longer than
    /// that already.
    pub(crate) fn begin(&self, time: u64) -> bool {
        // ORDERING: SeqCst; pairs with the fence in end(): either that sees which
        // processors are idle, or this sees that nobody sleeps.
        fence(Ordering::SeqCst);
        let mut now = self.0.load(Ordering::Relaxed);
        while now > time {
            match self.0.compare_exchange(now, time, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(other) => now = other,
            }
        }
        false
    }

    /// t5, t6: the caller does not sleep any more.
    pub(crate) fn end(&self, time: u64) {
        let _ = self.0.compare_exchange(time, u64::MAX, Ordering::Relaxed, Ordering::Relaxed);
        // ORDERING: SeqCst; pairs with the fences in begin() and is_later(): whoever
        // relied on the word has done what this thread now looks for.
        fence(Ordering::SeqCst);
    }

    /// y1, y2: for a word that one thread alone writes.
    pub(crate) fn set(&self, time: u64) {
        self.0.store(time, Ordering::Relaxed);
        // ORDERING: SeqCst; pairs with the fence in is_later().
        fence(Ordering::SeqCst);
    }

    /// a2, a3: whether nobody is awake by then, for all that the caller knows.
    pub(crate) fn is_later(&self, time: u64) -> bool {
        // ORDERING: SeqCst; pairs with the fences in end() and set().
        fence(Ordering::SeqCst);
        self.0.load(Ordering::Relaxed) > time
    }
}
