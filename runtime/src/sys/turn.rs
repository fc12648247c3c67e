//! A turn that one at a time can have; the others go away, or come again.
//!
//! For what is touched in signal handlers, too, where nobody may wait.

use super::atomic::{AtomicBool, Ordering};

pub(crate) struct Turn(AtomicBool);

impl Turn {
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Self {
        Turn(AtomicBool::new(false))
    }

    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Turn(AtomicBool::new(false))
    }

    /// `true`: it is the caller's, until it gives it back.
    #[inline]
    #[must_use]
    pub(crate) fn take(&self) -> bool {
        // ORDERING: Acquire; pairs with the Release in give_back(): what was done in
        // the turns before is there.
        self.0.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// By whoever has it.
    #[inline]
    pub(crate) fn give_back(&self) {
        // ORDERING: Release; pairs with the Acquire in take().
        self.0.store(false, Ordering::Release);
    }
}
