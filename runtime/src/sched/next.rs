//! The task that runs next: put by the holder of a processor, taken by him or a thief.

use crate::sys::atomic::{AtomicPtr, Ordering};
use core::ptr;

/// One entry, or none.
pub(crate) struct Next<T>(AtomicPtr<T>);

impl<T> Next<T> {
    pub(crate) fn new() -> Self {
        Next(AtomicPtr::new(ptr::null_mut()))
    }

    /// Holder: the entry that was there before, null for none, is the caller's.
    #[inline]
    pub(crate) fn put(&self, entry: *mut T) -> *mut T {
        // ORDERING: AcqRel; Release publishes what the entry points to, and pairs with the
        // Acquire in take(); Acquire: the former entry may come from an earlier holder.
        self.0.swap(entry, Ordering::AcqRel)
    }

    /// Anybody: the entry, null for none, is the caller's.
    #[inline]
    pub(crate) fn take(&self) -> *mut T {
        // ORDERING: Acquire; pairs with the Release in put().
        self.0.swap(ptr::null_mut(), Ordering::Acquire)
    }

    /// Anybody: is there one, or was there a moment ago?
    #[cfg(not(loom))]
    #[inline]
    pub(crate) fn is_some(&self) -> bool {
        !self.0.load(Ordering::Relaxed).is_null()
    }
}
