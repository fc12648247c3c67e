//! What a thread is asked for: a word of bits that is its futex.

use crate::sys::atomic::{AtomicU32, Ordering};

pub(crate) struct Asked(AtomicU32);

impl Asked {
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Self {
        Asked(AtomicU32::new(0))
    }

    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Asked(AtomicU32::new(0))
    }

    /// What the thread waits on while it is 0.
    pub(crate) fn futex(&self) -> &AtomicU32 {
        &self.0
    }

    /// Anybody. `true`: the thread is to be woken, which whoever asked before has not done
    /// or does just now.
    #[must_use]
    pub(crate) fn ask(&self, bits: u32) -> bool {
        // ORDERING: Release; pairs with the Acquire in take(): the thread sees what the
        // caller has seen.
        self.0.fetch_or(bits, Ordering::Release) == 0
    }

    /// The thread: all that it was asked for since.
    pub(crate) fn take(&self) -> u32 {
        // ORDERING: Acquire; pairs with the Release in ask().
        self.0.swap(0, Ordering::Acquire)
    }
}
