//! Who has a lock, and where it was taken: written by the owner at every lock,
//! read by the verifier, which looks for tasks that wait for each other.
//!
//! The two words, and in which order they are written and read: `owner_word.rs`.
//!
//! # Invariants
//!
//! - **O1** The place is null or comes from a `&'static Location`.

use crate::owner_word::OwnerWord;
use crate::task::TaskId;
use std::panic::Location;

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

pub(super) struct Owner(OwnerWord<Location<'static>>);

impl Owner {
    pub(super) const fn nobody() -> Self {
        Self(OwnerWord::nobody())
    }

    /// Only by the owner, as [`Owner::clear`]. Who notes with it who did something last may
    /// do so beside others: then task and site may be of two of them.
    #[inline]
    pub(super) fn set(&self, task: TaskId, site: &'static Location<'static>) {
        self.0.set(task.get(), site);
    }

    #[inline]
    pub(super) fn clear(&self) {
        self.0.clear();
    }

    /// Exact if the owner keeps the lock during the call, as one that is parked
    /// does; otherwise somebody who had it a moment ago.
    pub(super) fn get(&self) -> Option<Holder> {
        let (task, site) = self.0.get()?;
        // SAFETY: O1.
        let site = unsafe { site.as_ref() }?;
        Some(Holder { task: TaskId::new(task)?, site })
    }
}
