//! The word by which a processor is lent out: which blocking call it belongs to.
//!
//! ```text
//! 0         whoever holds the processor keeps it, or it is idle
//! n         its holder is in call n; whoever makes this 0 has the processor
//! ```
//!
//! Each call on a processor has a number of its own, by which sysmon sees how
//! long a call lasts, and a call that ends late leaves the processor to others.
//! The protocol is in `blocking.rs`.

#![cfg_attr(loom, allow(dead_code, reason = "the models use a part of it"))]

use crate::sys::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::sys::barrier;

pub(crate) struct CallWord(AtomicU64);

impl CallWord {
    pub(crate) fn new() -> Self {
        CallWord(AtomicU64::new(0))
    }

    /// b2: the holder lends its processor for call `n`. From here on it may be
    /// somebody else's.
    #[inline]
    pub(crate) fn lend(&self, n: u64) {
        // ORDERING: Release; pairs with the Acquire in take(): what the holder
        // did with the processor is visible to whoever takes it (S1).
        self.0.store(n, Ordering::Release);
    }

    /// The call that it is lent for.
    #[inline]
    pub(crate) fn lent(&self) -> Option<u64> {
        let n = self.0.load(Ordering::Relaxed);
        (n != 0).then_some(n)
    }

    /// b4, r2: ends the loan for call `n`. `true`: the processor is the caller's.
    #[inline]
    pub(crate) fn take(&self, n: u64) -> bool {
        // ORDERING: Acquire; pairs with the Release in lend().
        self.0.compare_exchange(n, 0, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }
}

/// How soon sysmon looks at the processors again by itself.
pub(crate) struct Nap(AtomicU32);

/// In no time.
pub(crate) const AWAKE: u32 = 0;
/// In a millisecond: soon enough for a call that nobody waits behind.
pub(crate) const DOZES: u32 = 1;
/// Later: a call that begins must wake it.
pub(crate) const SLEEPS: u32 = 2;

impl Nap {
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Self {
        Nap(AtomicU32::new(AWAKE))
    }

    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Nap(AtomicU32::new(AWAKE))
    }

    /// b3: what sysmon does, read after b2.
    #[inline]
    pub(crate) fn after_lending(&self) -> u32 {
        barrier::light();
        self.0.load(Ordering::Relaxed)
    }

    /// `true`: the caller wakes sysmon.
    pub(crate) fn end(&self) -> bool {
        self.0.swap(AWAKE, Ordering::Relaxed) != AWAKE
    }

    /// sysmon: it will doze.
    pub(crate) fn doze(&self) {
        self.0.store(DOZES, Ordering::Relaxed);
    }

    /// m1, m2: sysmon will sleep, after one more look.
    pub(crate) fn before_last_look(&self) {
        self.0.store(SLEEPS, Ordering::Relaxed);
        barrier::heavy();
    }

    /// sysmon: it looks.
    pub(crate) fn awake(&self) {
        self.0.store(AWAKE, Ordering::Relaxed);
    }
}
