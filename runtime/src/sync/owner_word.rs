//! Two words that say who has a lock, and where he took it. He writes them; anybody
//! reads them.
//!
//! | step | who | what |
//! |---|---|---|
//! | o1 | the owner, when he has the lock | the place |
//! | o2 | the owner | himself |
//! | o3 | the owner, before he lets go | nobody |
//! | g1 | a reader | who it is |
//! | g2 | a reader | the place |
//! | g3 | a reader | who it is, once more; if that is another, from g1 on |
//!
//! Who is found at g1 wrote his place before. If g2 finds a later owner's, o3 of the one
//! before comes before g3, which does not find that one any more. (It would if he had the
//! lock a second time by then. That is not worth a third word in every lock.)

use crate::sys::atomic::{AtomicPtr, AtomicU64, Ordering};
use core::ptr;

/// `P` is what places are.
pub(crate) struct OwnerWord<P> {
    /// The owner's number, 0 for nobody.
    task: AtomicU64,
    site: AtomicPtr<P>,
}

impl<P> OwnerWord<P> {
    #[cfg(not(loom))]
    pub(crate) const fn nobody() -> Self {
        OwnerWord { task: AtomicU64::new(0), site: AtomicPtr::new(ptr::null_mut()) }
    }

    #[cfg(loom)]
    pub(crate) fn nobody() -> Self {
        OwnerWord { task: AtomicU64::new(0), site: AtomicPtr::new(ptr::null_mut()) }
    }

    /// o1 and o2.
    #[inline]
    pub(crate) fn set(&self, task: u64, site: *const P) {
        // ORDERING: Release; pairs with the Acquire of the place in get(): who sees it
        // sees that the former owner is none any more.
        self.site.store(site.cast_mut(), Ordering::Release);
        // ORDERING: Release; pairs with the Acquire of the task in get(), which then
        // finds this place or a later one.
        self.task.store(task, Ordering::Release);
    }

    /// o3.
    #[inline]
    pub(crate) fn clear(&self) {
        self.task.store(0, Ordering::Relaxed);
    }

    /// g1 to g3: the owner's number, and the place.
    pub(crate) fn get(&self) -> Option<(u64, *const P)> {
        loop {
            // ORDERING: Acquire; pairs with the Release of the task in set().
            let task = self.task.load(Ordering::Acquire);
            if task == 0 {
                return None;
            }
            // ORDERING: Acquire; pairs with the Release of the place in set().
            let site = self.site.load(Ordering::Acquire);
            if self.task.load(Ordering::Relaxed) == task {
                return Some((task, site.cast_const()));
            }
        }
    }
}
