//! The state word of a semaphore.
//!
//! ```text
//!   63                        1   0
//!  ┌───────────────────────────┬────────┐
//!  │ permits that are free     │ QUEUED │
//!  └───────────────────────────┴────────┘
//! ```
//!
//! While `QUEUED` is not set, permits come and go without the queue's lock. While
//! it is set, only whoever has that lock changes the word: so nobody who comes
//! later takes what the first waiter is waiting for, and no permit is given back
//! without a look at the queue.

use crate::sys::atomic::{AtomicU64, Ordering};

const QUEUED: u64 = 1;
const ONE: u64 = 1 << 1;

pub(crate) struct SemWord(AtomicU64);

/// What came of permits that were given back.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Give {
    /// Whoever comes next may take them.
    Done,
    /// Nothing yet: somebody waits. Lock the queue, and
    /// [`give_locked`](SemWord::give_locked).
    Queued,
    /// Nothing: there would be more than there ever were.
    TooMany,
}

impl SemWord {
    #[cfg(not(loom))]
    pub(crate) const fn new(permits: u32) -> Self {
        Self(AtomicU64::new(permits as u64 * ONE))
    }

    #[cfg(loom)]
    pub(crate) fn new(permits: u32) -> Self {
        Self(AtomicU64::new(u64::from(permits) * ONE))
    }

    /// Takes permits if there are as many and nobody waits.
    #[inline]
    #[must_use]
    pub(crate) fn take(&self, permits: u32) -> bool {
        let wanted = u64::from(permits) * ONE;
        let mut state = self.0.load(Ordering::Relaxed);
        while state & QUEUED == 0 && state >= wanted {
            // ORDERING: Acquire; pairs with the Release in give() and
            // give_locked(): what was done with the permits is visible.
            match self.0.compare_exchange_weak(
                state,
                state - wanted,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => state = now,
            }
        }
        false
    }

    /// Takes permits, or makes whoever gives some back look into the queue, which
    /// is locked.
    #[must_use]
    pub(crate) fn take_or_announce(&self, permits: u32) -> bool {
        loop {
            if self.take(permits) {
                return true;
            }
            let state = self.0.load(Ordering::Relaxed);
            if state & QUEUED != 0 {
                return false;
            }
            let missing = state < u64::from(permits) * ONE;
            // ORDERING: Relaxed; a waiter publishes nothing through the word.
            if missing
                && self
                    .0
                    .compare_exchange(state, state | QUEUED, Ordering::Relaxed, Ordering::Relaxed)
                    .is_ok()
            {
                return false;
            }
        }
    }

    /// Gives permits back, unless there would be more than `limit` then. The queue
    /// need not be locked.
    #[inline]
    pub(crate) fn give(&self, permits: u32, limit: u32) -> Give {
        let mut state = self.0.load(Ordering::Relaxed);
        loop {
            if state & QUEUED != 0 {
                return Give::Queued;
            }
            let new = state + u64::from(permits) * ONE;
            if new / ONE > u64::from(limit) {
                return Give::TooMany;
            }
            // ORDERING: Release; pairs with the Acquire in take() and granted().
            match self.0.compare_exchange_weak(state, new, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return Give::Done,
                Err(now) => state = now,
            }
        }
    }

    /// The same with the queue locked, whoever waits.
    #[must_use]
    pub(crate) fn give_locked(&self, permits: u32, limit: u32) -> bool {
        let more = u64::from(permits) * ONE;
        let mut state = self.0.load(Ordering::Relaxed);
        loop {
            if (state + more) / ONE > u64::from(limit) {
                return false;
            }
            // ORDERING: Release; as in give().
            match self.0.compare_exchange_weak(
                state,
                state + more,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => state = now,
            }
        }
    }

    /// Whether there are as many free permits, for the first waiter. The queue is
    /// locked.
    pub(crate) fn suffices(&self, permits: u32) -> bool {
        self.0.load(Ordering::Relaxed) >= u64::from(permits) * ONE
    }

    /// The first waiter was claimed and has its permits. The queue is locked.
    pub(crate) fn grant(&self, permits: u32) {
        // ORDERING: Relaxed; the waiter sees what the others did by granted().
        self.0.fetch_sub(u64::from(permits) * ONE, Ordering::Relaxed);
    }

    /// By a waiter that has its permits.
    pub(crate) fn granted(&self) {
        // ORDERING: Acquire; pairs with the Release in give() and give_locked().
        self.0.load(Ordering::Acquire);
    }

    /// The queue is empty, and locked.
    pub(crate) fn left_empty(&self) {
        // ORDERING: Release; keeps the order of give() for form.
        self.0.fetch_and(!QUEUED, Ordering::Release);
    }

    /// Permits that are free.
    #[cfg(not(loom))]
    pub(crate) fn free(&self) -> u64 {
        self.0.load(Ordering::Relaxed) / ONE
    }
}
