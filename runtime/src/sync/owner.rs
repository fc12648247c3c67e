//! Who has a lock, and where it was taken: written by the owner at every lock,
//! read by the verifier, which looks for tasks that wait for each other.
//!
//! | field | who writes | when |
//! |---|---|---|
//! | `site` | the owner | after it has the lock |
//! | `task` | the owner | after `site`; 0 before it lets go |
//!
//! # Invariants
//!
//! - **O1** `site` is null or comes from a `&'static Location`.

use crate::task::TaskId;
use std::panic::Location;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering, fence};

/// Who has a lock, and where it was taken.
///
/// ```
/// use gopark::sync::LockExt;
///
/// let lock = gopark::sync::Mutex::new(0);
/// let guard = lock.lock();
/// let holder = lock.holder().unwrap();
/// assert_eq!(holder.site.line(), line!() - 2);
/// drop(guard);
/// assert_eq!(lock.holder(), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// The task, or the adopted OS thread, that has the lock.
    pub task: TaskId,
    /// The call that took it.
    pub site: &'static Location<'static>,
}

pub(super) struct Owner {
    /// The owner's number, 0 for nobody.
    task: AtomicU64,
    site: AtomicPtr<Location<'static>>,
}

impl Owner {
    pub(super) const fn nobody() -> Self {
        Self { task: AtomicU64::new(0), site: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Only by the owner, as [`Owner::clear`]. Who notes with it who did something last may
    /// do so beside others: then task and site may be of two of them.
    #[inline]
    pub(super) fn set(&self, task: TaskId, site: &'static Location<'static>) {
        self.site.store(ptr::from_ref(site).cast_mut(), Ordering::Relaxed);
        // ORDERING: Release; pairs with the Acquire in get(), which then sees
        // this site or a later one.
        self.task.store(task.get(), Ordering::Release);
    }

    #[inline]
    pub(super) fn clear(&self) {
        self.task.store(0, Ordering::Relaxed);
    }

    /// Exact if the owner keeps the lock during the call, as one that is parked
    /// does; otherwise somebody who had it a moment ago.
    pub(super) fn get(&self) -> Option<Holder> {
        loop {
            // ORDERING: Acquire; pairs with the Release in set().
            let task = TaskId::new(self.task.load(Ordering::Acquire))?;
            let site = self.site.load(Ordering::Relaxed);
            // ORDERING: Acquire; the site is read before the owner is read again.
            fence(Ordering::Acquire);
            if self.task.load(Ordering::Relaxed) == task.get() {
                // SAFETY: O1.
                let site = unsafe { site.as_ref() }?;
                return Some(Holder { task, site });
            }
        }
    }
}
