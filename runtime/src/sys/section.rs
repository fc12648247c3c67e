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
//! before and dropped after. [`may_allocate`] tells, and the allocator of the tests
//! (`tests/no_alloc.rs`) asks it every time; locks of std's are taken after
//! [`check_outside`].

use crate::arch;
use core::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

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

/// Whether the calling thread may be suspended: it is outside of all sections.
#[inline]
pub(crate) fn is_outside() -> bool {
    arch::sections() == 0
}

/// Whether the calling thread may allocate (N1): it is outside of all sections, or the breach
/// is known.
///
/// For allocators that check the runtime; not part of the API.
#[doc(hidden)]
#[inline(never)]
pub fn may_allocate() -> bool {
    is_outside() || EXEMPT.get() != 0 || LIFTED.load(Ordering::Relaxed)
}

/// Calls `f` in a section, so that tests can see that a breach of N1 is found.
///
/// Not part of the API.
///
/// # Safety
/// `f` does not park, and neither yields nor suspends the task: while others run on it, the
/// thread would still be in the section, and the task outside of it on another thread.
#[doc(hidden)]
pub unsafe fn in_section<R>(f: impl FnOnce() -> R) -> R {
    let _section = Section::new();
    f()
}

/// With debug assertions: fails in a section. Stands where one of std's locks is
/// taken, which the allocator of the tests does not see.
#[inline]
#[track_caller]
pub(crate) fn check_outside() {
    debug_assert!(may_allocate(), "a lock of std's is taken in a section (N1)");
}

/// N1 holds no more, in the whole process: it is about to end, and says why.
pub(crate) fn lift() {
    LIFTED.store(true, Ordering::Relaxed);
}

static LIFTED: AtomicBool = AtomicBool::new(false);

thread_local! {
    static EXEMPT: Cell<u32> = const { Cell::new(0) };
}

/// A known breach of N1, until the scope ends; no switch of tasks comes between.
/// Each says why it is bearable, or that it is TEMPORARY.
pub(crate) struct Exempt(());

// Not inlined, so that no address of the thread-local is kept by a task's frame.
impl Exempt {
    #[inline(never)]
    pub(crate) fn new() -> Exempt {
        EXEMPT.set(EXEMPT.get() + 1);
        Exempt(())
    }
}

impl Drop for Exempt {
    #[inline(never)]
    fn drop(&mut self) {
        EXEMPT.set(EXEMPT.get() - 1);
    }
}
