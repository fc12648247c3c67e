//! The lock of the runtime's own short sections: one word, a futex behind it.
//!
//! It guards queues and lists for tens of nanoseconds, never user code, never
//! across a park. Who holds one is in a section (`section.rs`), from before it is
//! taken until after it is released.
//!
//! Every operation on a channel takes one, so what it costs matters. Taking it
//! is one atomic read-modify-write. Releasing it is a plain store, not a second
//! one, although a sleeper must not be missed:
//!
//! - release: **(u1)** store `FREE`; **(u2)** [`barrier::light`]; **(u3)** read
//!   the count of sleepers; wake one if it is not zero.
//! - sleep: **(l1)** count oneself; **(l2)** [`barrier::heavy`]; **(l3)** sleep
//!   unless the word is `FREE`, which the kernel looks at.
//!
//! Either u3 sees l1, or l3 sees u1: that is what the pair of barriers gives.
//!
//! After u1 the next holder may free the lock and what contains it, so the
//! counts are not in the lock but in a static table, shared by the locks whose
//! addresses fall on one entry. A wake-up that was meant for another lock does
//! no harm.

use super::{barrier, futex};
use crate::arch;
use core::sync::atomic::{AtomicU32, Ordering};

const FREE: u32 = 0;
const HELD: u32 = 1;

/// A contender looks this many times before it sleeps, and waits twice as long
/// after each look, up to [`LONGEST`]: some twenty microseconds in all. Looking
/// takes the cache line away from the holder; one that is left alone does many
/// short sections in the time of one hand-over.
const LOOKS: u32 = 20;
const LONGEST: u32 = 64;

/// A cache line each, so that unrelated locks do not disturb each other.
#[repr(align(64))]
struct Sleepers(AtomicU32);

const ENTRIES: usize = 64;
static SLEEPERS: [Sleepers; ENTRIES] = [const { Sleepers(AtomicU32::new(0)) }; ENTRIES];

fn sleepers(word: *const u32) -> &'static AtomicU32 {
    // Fibonacci hashing of the address; its top bits are the entry.
    let hash = (word.addr() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    &SLEEPERS[(hash >> (64 - ENTRIES.ilog2())) as usize].0
}

pub(crate) struct RawLock(AtomicU32);

impl RawLock {
    pub(crate) const fn new() -> Self {
        Self(AtomicU32::new(FREE))
    }

    #[inline]
    pub(crate) fn lock(&self) {
        arch::enter_section();
        if !self.try_lock() {
            self.lock_slow();
        }
    }

    #[inline]
    fn try_lock(&self) -> bool {
        // ORDERING: Acquire; pairs with the Release store in unlock().
        self.0.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    #[cold]
    fn lock_slow(&self) {
        loop {
            for look in 0..LOOKS {
                if self.0.load(Ordering::Relaxed) == FREE && self.try_lock() {
                    return;
                }
                for _ in 0..(4 << look.min(8)).min(LONGEST) {
                    core::hint::spin_loop();
                }
            }
            let sleepers = sleepers(self.0.as_ptr());
            // ORDERING: Relaxed; the barrier orders it (l1).
            sleepers.fetch_add(1, Ordering::Relaxed);
            barrier::heavy();
            futex::wait(&self.0, HELD, None);
            sleepers.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Releases the lock.
    ///
    /// # Safety
    /// The caller holds it.
    #[inline]
    pub(crate) unsafe fn unlock(&self) {
        let word = self.0.as_ptr();
        // ORDERING: Release; pairs with the Acquire in try_lock(). From here on
        // the lock may be gone: only its address is used below.
        self.0.store(FREE, Ordering::Release);
        barrier::light();
        if sleepers(word).load(Ordering::Relaxed) != 0 {
            wake(word);
        }
        arch::leave_section();
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

#[cold]
fn wake(word: *const u32) {
    futex::wake_ptr(word, 1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::UnsafeCell;

    #[derive(Default)]
    struct Counter {
        value: UnsafeCell<u64>,
    }
    // SAFETY: the cell is used under the lock.
    unsafe impl Sync for Counter {}

    impl Counter {
        /// Adds one, slowly.
        ///
        /// # Safety
        /// Under the lock.
        unsafe fn add(&self, pause: bool) {
            // SAFETY: by contract.
            let value = unsafe { &mut *self.value.get() };
            let before = *value;
            if pause {
                // Long enough for the others to go to sleep.
                std::thread::yield_now();
            }
            *value = before + 1;
        }
    }

    #[test]
    fn contended_sections_exclude_each_other() {
        super::super::barrier::init();
        let (lock, counter) = (RawLock::new(), Counter::default());
        std::thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    for n in 0..50_000 {
                        // SAFETY: under the lock.
                        lock.with(|| unsafe { counter.add(n % 1000 == 0) });
                    }
                });
            }
        });
        assert_eq!(counter.value.into_inner(), 200_000);
    }
}
