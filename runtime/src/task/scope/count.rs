//! How much of a scope is alive: tasks, timers, threads.
//!
//! How many tasks of a scope are alive must be known without visiting them, and
//! counting must not make processors share a cache line. So each processor has
//! a shard of its own with two counters, born and died; only the holder of the
//! processor writes it, so the counters need no atomic read-modify-write. All
//! other threads share one more shard, and so do processors that were made after the
//! scope and are more than there are CPUs.
//!
//! Here is what makes C1 true; its rule stands in `scope.rs`. Each count goes down with
//! a Release that pairs with the Acquire of whoever sums it: what a task, a thread or a
//! timer has made before it was counted out is seen by whoever sees it gone. That is what
//! `is_vacant` in `reuse.rs` argues from.

use super::ScopeInner;
use std::sync::atomic::{AtomicU64, Ordering};

/// The births and deaths that one processor counted.
#[repr(align(128))]
#[derive(Default)]
pub(super) struct Shard {
    pub(super) born: AtomicU64,
    pub(super) died: AtomicU64,
}

/// Adds one to a counter that only the caller writes.
#[inline]
fn bump(counter: &AtomicU64) {
    // ORDERING: Release; pairs with the Acquire in live(): what happened before
    // the birth or death is visible to whoever counts it.
    counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Release);
}

impl ScopeInner {
    /// Number of the shard that is shared.
    #[inline]
    fn others(&self) -> u32 {
        self.shards.len() as u32 - 1
    }

    /// Counts a birth on the processor `shard`, which the caller holds.
    #[inline]
    pub(crate) fn count_birth(&self, shard: Option<u32>) {
        match shard {
            Some(n) if n < self.others() => bump(&self.shards[n as usize].born),
            // ORDERING: Release; pairs with the Acquire in live().
            _ => drop(self.shards[self.others() as usize].born.fetch_add(1, Ordering::Release)),
        }
    }

    /// Counts a death on the processor `shard`, which the caller holds.
    #[inline]
    pub(crate) fn count_death(&self, shard: Option<u32>) {
        match shard {
            Some(n) if n < self.others() => bump(&self.shards[n as usize].died),
            // ORDERING: Release; pairs with the Acquire in live().
            _ => drop(self.shards[self.others() as usize].died.fetch_add(1, Ordering::Release)),
        }
    }

    /// Tasks alive (C1).
    pub(crate) fn live(&self) -> usize {
        // ORDERING: Acquire; pairs with the Release in bump(): births that
        // happened before a death we count are in the sum below.
        let died: u64 = self.shards.iter().map(|s| s.died.load(Ordering::Acquire)).sum();
        let born = self.born();
        usize::try_from(born.saturating_sub(died)).unwrap_or(usize::MAX)
    }

    pub(crate) fn born(&self) -> u64 {
        // ORDERING: Acquire; pairs with the Release in bump().
        self.shards.iter().map(|s| s.born.load(Ordering::Acquire)).sum()
    }

    /// A timer of the scope is set. The caller belongs to it.
    pub(crate) fn timer_set(&self) {
        self.timers.fetch_add(1, Ordering::Relaxed);
    }

    /// It was stopped, or what it did is done.
    pub(crate) fn timer_unset(&self) {
        // ORDERING: Release; pairs with the Acquire in timers(): the
        // task that it woke or started is to be seen.
        self.timers.fetch_sub(1, Ordering::Release);
    }

    /// Timers that are set.
    pub(crate) fn timers(&self) -> usize {
        // ORDERING: Acquire; pairs with the Release in timer_unset().
        self.timers.load(Ordering::Acquire)
    }

    /// A thread is about to be made that belongs to the scope, as the caller does.
    pub(crate) fn thread_born(&self) {
        self.threads_born.fetch_add(1, Ordering::Relaxed);
        self.threads.fetch_add(1, Ordering::Relaxed);
    }

    /// It has ended, or was not made.
    pub(crate) fn thread_ended(&self) {
        // ORDERING: Release; pairs with the Acquire in threads().
        self.threads.fetch_sub(1, Ordering::Release);
        self.notify();
    }

    /// Threads that are alive, or about to be made.
    pub(crate) fn threads(&self) -> usize {
        // ORDERING: Acquire; pairs with the Release in thread_ended(): what a thread
        // has done, and the tasks that it started, are to be seen.
        self.threads.load(Ordering::Acquire)
    }
}
