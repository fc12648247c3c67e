//! Counts of what has happened, for [`Metrics`](crate::inspect::Metrics).
//!
//! What happens often is counted where it happens, by the one thread that is there:
//! the holder of a processor, or a worker. So a count is a load and a store of its own
//! cache line. What other threads do goes to [`ELSEWHERE`], by atomic addition.
//!
//! A worker's counts change in sections only: the signal handler counts too, and leaves
//! whoever is in one alone.

use crate::task::reason::WaitReason;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// Written by one thread at a time.
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) const fn new() -> Count {
        Count(AtomicU64::new(0))
    }

    /// The one thread.
    #[inline]
    pub(crate) fn add(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed) + n, Ordering::Relaxed);
    }

    /// Anybody.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How many there are now; written by one thread at a time.
pub(crate) struct Level(AtomicUsize);

impl Level {
    pub(crate) const fn new() -> Level {
        Level(AtomicUsize::new(0))
    }

    /// Anybody.
    #[inline]
    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// The one thread: one more.
    #[inline]
    pub(crate) fn rise(&self) {
        self.0.store(self.get() + 1, Ordering::Relaxed);
    }

    /// The one thread: one less.
    #[inline]
    pub(crate) fn fall(&self) {
        self.0.store(self.get() - 1, Ordering::Relaxed);
    }
}

/// Set and read by one thread at a time, and read by others.
pub(crate) struct Flag(AtomicBool);

impl Flag {
    pub(crate) const fn new() -> Flag {
        Flag(AtomicBool::new(false))
    }

    #[inline]
    pub(crate) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn set(&self, on: bool) {
        self.0.store(on, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn replace(&self, on: bool) -> bool {
        let before = self.get();
        self.set(on);
        before
    }
}

/// A processor's; its holder counts.
pub(crate) struct OfProcessor {
    pub(crate) created: Count,
    pub(crate) started: Count,
    pub(crate) finished: Count,
    /// How often it took tasks from another's queue.
    pub(crate) steals: Count,
}

impl OfProcessor {
    pub(crate) const fn new() -> OfProcessor {
        OfProcessor {
            created: Count::new(),
            started: Count::new(),
            finished: Count::new(),
            steals: Count::new(),
        }
    }
}

/// A worker's.
pub(crate) struct OfWorker {
    /// Tasks that it has made ready.
    pub(crate) readies: Count,
    /// Tasks that let others go first because they wanted to.
    pub(crate) yields: Count,
    /// Tasks that gave way after a slice, at a safepoint.
    pub(crate) gave_way: Count,
    /// Tasks that were suspended, because they did not.
    pub(crate) suspended: Count,
    /// Tasks that the signal found in a system call.
    pub(crate) detached: Count,
    /// Calls from which a task came back, declared ones and those that were found: to a
    /// processor at once; behind others; suspended, as it computed after one.
    pub(crate) back_at_once: Count,
    pub(crate) back_queued: Count,
    pub(crate) back_suspended: Count,
    /// By the number of the reason.
    pub(crate) parks: [Count; WaitReason::COUNT],
}

impl OfWorker {
    pub(crate) const fn new() -> OfWorker {
        OfWorker {
            readies: Count::new(),
            yields: Count::new(),
            gave_way: Count::new(),
            suspended: Count::new(),
            detached: Count::new(),
            back_at_once: Count::new(),
            back_queued: Count::new(),
            back_suspended: Count::new(),
            parks: [const { Count::new() }; WaitReason::COUNT],
        }
    }
}

/// What is done without a processor, or on a thread that is no worker.
pub(crate) struct Elsewhere {
    created: AtomicU64,
    readies: AtomicU64,
    trims: AtomicU64,
    condemned: AtomicU64,
}

pub(crate) static ELSEWHERE: Elsewhere = Elsewhere {
    created: AtomicU64::new(0),
    readies: AtomicU64::new(0),
    trims: AtomicU64::new(0),
    condemned: AtomicU64::new(0),
};

impl Elsewhere {
    #[cold]
    pub(crate) fn one_created(&self) {
        self.created.fetch_add(1, Ordering::Relaxed);
    }

    #[cold]
    pub(crate) fn one_ready(&self) {
        self.readies.fetch_add(1, Ordering::Relaxed);
    }

    /// A stack that is trimmed.
    pub(crate) fn one_trim(&self) {
        self.trims.fetch_add(1, Ordering::Relaxed);
    }

    /// A task that was judged to be leaked.
    pub(crate) fn one_condemned(&self) {
        self.condemned.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn created(&self) -> u64 {
        self.created.load(Ordering::Relaxed)
    }

    pub(crate) fn readies(&self) -> u64 {
        self.readies.load(Ordering::Relaxed)
    }

    pub(crate) fn trims(&self) -> u64 {
        self.trims.load(Ordering::Relaxed)
    }

    pub(crate) fn condemned(&self) -> u64 {
        self.condemned.load(Ordering::Relaxed)
    }
}
