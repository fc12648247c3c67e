//! What workers share, and the lock that guards it.
//!
//! It is taken when a worker goes to sleep or is woken, when a ring overflows, and by
//! every 61st decision; never on the way of a task that runs where its processor found it.
//! What is done under it stands where it is decided: who gets a processor in `allot.rs`,
//! how many there are in `processors.rs`, tasks and records in `stock.rs`, workers that end
//! in `threads.rs`.
//!
//! **L1** Under the lock nothing is allocated (N1), so each list has room for all
//! that could ever be in it: for every record that was made, every worker, every
//! processor. Who makes one more of them first counts it and then sees to the room
//! for as many as were counted: makes a larger list without the lock, moves the
//! entries under it, and frees the old one after. Only then does he put the new
//! one anywhere. So whichever of several comes first, there is room for all those
//! that are about.

use super::Sched;
use super::processor::Processor;
use super::worker::Worker;
use crate::task::record::Record;
use std::collections::VecDeque;

/// Who wants a processor.
pub(super) enum Member {
    Worker(&'static Worker),
    /// Any worker, for the run queues.
    Anyone,
}

/// What the lock guards.
pub(crate) struct Shared {
    pub(super) idle_processors: Vec<&'static Processor>,
    /// How many processors are retired (S2).
    pub(super) retired: usize,
    /// Most recently idle last. May hold workers that are not idle any more.
    pub(super) idle_workers: Vec<&'static Worker>,
    pub(super) fifo: VecDeque<Member>,
    pub(super) anyone_queued: bool,
    /// Tasks that any worker may run. Pointers side by side, like `free`.
    pub(super) global: VecDeque<&'static Record>,
    /// Unused records. A vector, not a list through the records: taking one
    /// must not wait for its cache line.
    pub(super) free: Vec<&'static Record>,
    pub(super) sysmon_sleeps: bool,
    /// How often an idle processor was taken.
    pub(super) taken: u64,
    /// How often a processor went from one worker to another that waited for it.
    pub(super) handovers: u64,
    pub(super) workers: Vec<&'static Worker>,
    /// Worker threads that there are, or are about to be.
    pub(super) threads: usize,
    /// Workers without a thread (W5).
    pub(super) gone: Vec<&'static Worker>,
}

impl Shared {
    pub(super) const fn new() -> Shared {
        Shared {
            idle_processors: Vec::new(),
            retired: 0,
            idle_workers: Vec::new(),
            fifo: VecDeque::new(),
            anyone_queued: false,
            global: VecDeque::new(),
            free: Vec::new(),
            sysmon_sleeps: false,
            taken: 0,
            handovers: 0,
            workers: Vec::new(),
            threads: 0,
            gone: Vec::new(),
        }
    }
}

impl Sched {
    /// Runs `f` under the scheduler's lock.
    pub(crate) fn locked<R>(&self, f: impl FnOnce(&mut Shared) -> R) -> R {
        // SAFETY: under the lock that guards it; `f` cannot call locked() again
        // without hanging, and nothing here does.
        self.lock.with(|| f(unsafe { &mut *self.shared.get() }))
    }

    /// Gives a list room for `count` entries (L1).
    pub(super) fn make_room<L: List>(&self, count: usize, list: fn(&mut Shared) -> &mut L) {
        if self.locked(|s| list(s).room()) >= count {
            return;
        }
        let mut new = L::with_room(count.next_power_of_two());
        self.locked(|s| {
            let old = list(s);
            if old.room() < new.room() {
                new.take_all(old);
                core::mem::swap(old, &mut new);
            }
        });
        // Freed here.
        drop(new);
    }
}

/// A list that is moved to a larger place (L1).
pub(super) trait List {
    fn with_room(count: usize) -> Self;
    fn room(&self) -> usize;
    /// Moves everything out of a list for which there is room here.
    fn take_all(&mut self, other: &mut Self);
}

impl<T> List for Vec<T> {
    fn with_room(count: usize) -> Self {
        Vec::with_capacity(count)
    }

    fn room(&self) -> usize {
        self.capacity()
    }

    fn take_all(&mut self, other: &mut Self) {
        self.append(other);
    }
}

impl<T> List for VecDeque<T> {
    fn with_room(count: usize) -> Self {
        VecDeque::with_capacity(count)
    }

    fn room(&self) -> usize {
        self.capacity()
    }

    fn take_all(&mut self, other: &mut Self) {
        self.append(other);
    }
}
