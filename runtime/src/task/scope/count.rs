//! How much of a scope is alive: tasks, timers, threads.
//!
//! How many tasks of a scope are alive must be known without visiting them, and
//! counting must not make processors share a cache line. So each processor has
//! a shard of its own with two counters, born and died; only the holder of the
//! processor writes it, so the counters need no atomic read-modify-write. All
//! other threads share one more shard, and so do processors that were made after the
//! scope and are more than there are CPUs (`shards.rs`).
//!
//! Here is what makes C1 true; its rule stands in `scope.rs`. Each count goes down with
//! a Release that pairs with the Acquire of whoever sums it: what a task, a thread or a
//! timer has made before it was counted out is seen by whoever sees it gone. That is what
//! `is_vacant` in `reuse.rs` argues from.

use super::ScopeInner;
use std::sync::atomic::Ordering;

impl ScopeInner {
    /// Counts a birth on the processor, which the caller holds.
    #[inline]
    pub(crate) fn count_birth(&self, processor: Option<u32>) {
        self.shards.count_birth(processor);
    }

    /// Counts a death on the processor, which the caller holds.
    #[inline]
    pub(crate) fn count_death(&self, processor: Option<u32>) {
        self.shards.count_death(processor);
    }

    /// Tasks alive (C1).
    pub(crate) fn live(&self) -> usize {
        let died = self.shards.died();
        let born = self.born();
        usize::try_from(born.saturating_sub(died)).unwrap_or(usize::MAX)
    }

    pub(crate) fn born(&self) -> u64 {
        self.shards.born()
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
