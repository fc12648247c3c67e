//! The lock of the runtime's own short sections: one word, a futex behind it.
//!
//! It guards queues and lists for tens of nanoseconds, never user code, never
//! across a park. A task never loses its processor while it holds one.
//!
//! | value | meaning |
//! |---|---|
//! | 0 | free |
//! | 1 | held, nobody sleeps |
//! | 2 | held, somebody may sleep |
//!
//! `lock`: 0 => 1, or else x => 2 and sleep. `unlock`: x => 0, wake one if x was 2.

use super::futex;
use core::sync::atomic::{AtomicU32, Ordering};

const FREE: u32 = 0;
const HELD: u32 = 1;
const CONTENDED: u32 = 2;

/// How often a contender looks before it sleeps: about a microsecond.
const SPINS: u32 = 100;

pub(crate) struct RawLock(AtomicU32);

impl RawLock {
    pub(crate) const fn new() -> Self {
        Self(AtomicU32::new(FREE))
    }

    #[inline]
    pub(crate) fn lock(&self) {
        // ORDERING: Acquire; pairs with the Release swap in unlock().
        if self
            .0
            .compare_exchange_weak(FREE, HELD, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
        {
            self.lock_slow();
        }
    }

    #[cold]
    fn lock_slow(&self) {
        for _ in 0..SPINS {
            // ORDERING: Acquire; pairs with the Release swap in unlock().
            if self.0.load(Ordering::Relaxed) == FREE
                && self
                    .0
                    .compare_exchange_weak(FREE, HELD, Ordering::Acquire, Ordering::Relaxed)
                    .is_ok()
            {
                return;
            }
            core::hint::spin_loop();
        }
        // ORDERING: Acquire; pairs with the Release swap in unlock().
        while self.0.swap(CONTENDED, Ordering::Acquire) != FREE {
            futex::wait(&self.0, CONTENDED, None);
        }
    }

    /// Releases the lock.
    ///
    /// # Safety
    /// The caller holds it.
    #[inline]
    pub(crate) unsafe fn unlock(&self) {
        let word = self.0.as_ptr();
        // ORDERING: Release; pairs with the Acquire in lock(). From here on the
        // lock, and what contains it, may be freed by the next holder: only
        // the address is used below.
        if self.0.swap(FREE, Ordering::Release) == CONTENDED {
            futex::wake_ptr(word, 1);
        }
    }

    /// Runs `f` under the lock. `f` must not panic, park or run user code.
    #[inline]
    pub(crate) fn with<R>(&self, f: impl FnOnce() -> R) -> R {
        self.lock();
        let r = f();
        // SAFETY: locked two lines up.
        unsafe { self.unlock() };
        r
    }
}
