//! The allocator of this binary: one lock, a trap that a test can set for the next
//! allocation of its thread, and the check that all test binaries have.

use crate::no_alloc::{Checked, check};
use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::sync::{Mutex, MutexGuard, PoisonError};

struct Locked;

#[global_allocator]
static ALLOCATOR: Locked = Locked;

static LOCK: Mutex<()> = Mutex::new(());

thread_local!(static TRAP: Cell<Option<fn()>> = const { Cell::new(None) });

/// Nobody allocates meanwhile, the caller neither.
pub(crate) fn lock() -> MutexGuard<'static, ()> {
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the next allocation on this thread does first.
pub(crate) fn set_trap(trap: fn()) {
    TRAP.set(Some(trap));
}

// SAFETY: all is left to another allocator.
unsafe impl GlobalAlloc for Locked {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if let Some(trap) = TRAP.take() {
            trap();
        }
        check("allocates");
        let _guard = lock();
        // SAFETY: by the caller's contract.
        unsafe { Checked.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        check("frees");
        let _guard = lock();
        // SAFETY: by the caller's contract.
        unsafe { Checked.dealloc(ptr, layout) }
    }
}
