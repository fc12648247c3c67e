//! Whether stacks remember who used them.
//!
//! What [`high_water`](super::high_water) measures is which pages the kernel
//! backs, and a stack that is handed out warm still has those of its former
//! task. While exactness is on, such a stack gives back everything below its
//! top page first: a system call and a page fault for each page that the task
//! then touches. So it is on in builds with debug assertions, and in others for
//! good from the first call of `high_water`: who measures pays.

use super::{Stack, adapt};
use crate::sys::mem::PAGE;
use std::sync::atomic::{AtomicBool, Ordering};

static EXACT: AtomicBool = AtomicBool::new(cfg!(debug_assertions));

pub(super) fn turn_on() {
    if !EXACT.load(Ordering::Relaxed) {
        EXACT.store(true, Ordering::Relaxed);
    }
}

/// The pool hands out a stack; nothing on it is in use.
#[inline]
pub(super) fn handed_out(stack: Stack) {
    // A stack that is handed out at the same time as the first measurement may
    // miss it; that is documented.
    if EXACT.load(Ordering::Relaxed) {
        forget(stack);
    }
}

#[cold]
fn forget(stack: Stack) {
    adapt::cut(stack, PAGE);
}
