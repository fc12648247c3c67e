//! The allocator of this binary: one lock, and a trap that a test can set for
//! the next allocation of its thread.

use std::alloc::{GlobalAlloc, Layout, System};
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

// SAFETY: all is left to the system's allocator.
unsafe impl GlobalAlloc for Locked {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if let Some(trap) = TRAP.take() {
            trap();
        }
        let _guard = lock();
        // SAFETY: by the caller's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        let _guard = lock();
        // SAFETY: by the caller's contract.
        unsafe { System.dealloc(ptr, layout) }
    }
}
