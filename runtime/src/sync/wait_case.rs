//! The wait for a group as a case of a select.
//!
//! # Invariants
//!
//! - **L1** The link is queued by [`Operation::enqueue`] only, and the select takes
//!   it out again before it returns or unwinds (E1 of `chan/case.rs`). So W2 of
//!   `waitq` is kept by the select.

use super::WaitGroup;
use super::waiters::Waiters;
use crate::chan::waitq::Link;
use crate::chan::{Attempt, Case, Operation};
use crate::sys::lock::RawLock;
use crate::task::TaskRef;
use crate::task::subject::{Describe, Pad};
use std::fmt;

/// The wait for a [`WaitGroup`], for a [`select`](crate::chan::select()); made by
/// [`WaitGroup::case`]. It has no outcome, and can be selected again at once.
///
/// ```
/// use gopark::chan;
/// use gopark::sync::WaitGroup;
///
/// let (group, idle) = (WaitGroup::new(), chan::never::<()>());
/// group.go(|| ());
/// assert_eq!(chan::select(&mut [&mut idle.case(), &mut group.case()]), 1);
/// ```
pub struct WaitCase<'a> {
    group: &'a WaitGroup,
    link: Link,
}

impl<'a> WaitCase<'a> {
    pub(super) fn new(group: &'a WaitGroup) -> Self {
        Self { group, link: Link::vacant() }
    }

    fn waiters(&self) -> &Waiters {
        self.group.waiters()
    }
}

impl Case for WaitCase<'_> {}

// SAFETY: all is of the one group.
#[expect(private_interfaces, reason = "nobody outside can call this")]
unsafe impl Operation for WaitCase<'_> {
    fn lock(&self) -> Option<&RawLock> {
        Some(self.waiters().lock())
    }

    fn touch(&self, me: TaskRef) {
        self.group.touch(me);
    }

    unsafe fn attempt(&self) -> Attempt {
        if self.group.announce() { Attempt::NotYet } else { Attempt::Done(None) }
    }

    unsafe fn enqueue(&self, me: TaskRef, case: u16) {
        self.link.assign(me, case);
        // SAFETY: locked, by contract; the link leaves the queue in time (L1).
        unsafe { self.waiters().held().push(&self.link) };
    }

    unsafe fn dequeue(&self) {
        // SAFETY: locked, by contract; the link is in this queue or in none.
        unsafe { self.waiters().held().remove(&self.link) };
    }

    unsafe fn settle(&self) {}

    fn describe(&self, pad: &mut Pad) {
        self.group.describe(pad);
    }

    /// It has no error to return.
    fn fail(&self, _: TaskRef) -> bool {
        false
    }
}

impl fmt::Debug for WaitCase<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WaitCase").field(self.group).finish()
    }
}
