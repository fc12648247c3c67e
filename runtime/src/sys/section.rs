//! Sections: where a thread must not be suspended.
//!
//! A signal suspends a worker's thread wherever its task is (`sched/signal.rs`),
//! in the middle of malloc or with a lock of the program held. Then the rest of the
//! process must be able to go on without it, at least until it gets a processor
//! again. So the thread counts the sections that it is in, and the handler leaves
//! a thread alone whose count is not zero:
//!
//! - while it holds a [`RawLock`](super::lock::RawLock), which others wait for
//!   without giving their processors up;
//! - between asking which processor it holds and the last use of that, because
//!   after a suspension it may hold another one;
//! - in the scheduler's loop, and always in sysmon.
//!
//! **N1** Code in a section does not allocate and does not free, prints nothing,
//! makes no thread and takes no lock but a `RawLock`. Somebody who is suspended may
//! hold malloc's lock, or that of stdout, and needs a processor to release it; who
//! waits for it in a section never gives one up. What a section needs is made
//! before and dropped after. With debug assertions [`may_allocate`] tells, and the
//! allocator of the tests asks it every time.

use crate::arch;

/// A section that ends with the scope.
pub(crate) struct Section(());

impl Section {
    #[inline]
    pub(crate) fn new() -> Section {
        arch::enter_section();
        Section(())
    }
}

impl Drop for Section {
    #[inline]
    fn drop(&mut self) {
        arch::leave_section();
    }
}

/// Whether the calling thread may allocate (N1): it is outside of all sections.
///
/// For allocators that check the runtime; not part of the API.
#[doc(hidden)]
#[inline]
pub fn may_allocate() -> bool {
    arch::sections() == 0
}
