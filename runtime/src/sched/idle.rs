//! Who sleeps, who searches, and why no wake-up is lost.
//!
//! One word packs two counts: processors that nobody holds, and workers that
//! *spin*, i.e. hold a processor and search for work without having any.
//!
//! # Rejected
//! - *Wake a worker for every new task.* A wake-up costs a system call; most
//!   tasks are run by their spawner a moment later.
//! - *Hand the new task to a sleeping worker directly.* It loses locality, and
//!   the worker that is about to go idle runs nothing while the other wakes.
//! - *A lock around "submit" and "go to sleep".* Correct, and the hottest lock
//!   of the program.
//!
//! # Protocol for tasks that any worker may run
//! Submitter: **(s1)** put the task into a queue; **(s2)** [`barrier::light`];
//! **(s3)** read the word; if a processor is idle and nobody spins, move
//! `spinning` from 0 to 1 by compare-exchange and give an idle processor to a
//! worker that starts spinning.
//!
//! Worker that found nothing: **(w1)** put the processor among the idle ones
//! (`idle` + 1); **(w2)** if it was spinning, `spinning` − 1; **(w3)**
//! [`barrier::heavy`]; **(w4)** look through all queues once more; if there is work, take an
//! idle processor back and go on.
//!
//! Spinner that found work: **(f1)** `spinning` − 1; if that was the last
//! spinner and a processor is idle, wake one more (s3): where there was one
//! task there may be two, and their submitters saw a spinner and did nothing.
//!
//! # Why none is lost
//! Suppose a task was submitted and everybody sleeps. Take the worker that was
//! the last to pass w3. The barriers s2 and w3 have an order.
//! - s2 first: then s1 is visible to w4, and the worker found the task.
//! - w3 first: then w1 and w2 are visible to s3. A processor is idle, and this
//!   worker does not spin. If `spinning` is still not zero, another worker
//!   spins, and its w3 is to come, against the choice of the last. So it is
//!   zero, and s3 wakes somebody.
//!
//! In both cases whoever wakes or looks does not stop before the queues are
//! empty (w4, f1), so one wake-up serves any number of tasks.
//!
//! # Protocol for tasks that one worker must run
//! The waker pushes to the worker's inbox and then reads the worker's status;
//! the worker stores `IDLE` to its status and then reads its inbox; both with
//! sequential consistency, so at least one sees the other (`kick` in `enqueue.rs`,
//! `go_idle` in `handover.rs`).
//!
//! `models.rs` checks both with loom, and that leaving out w4 is caught.

use crate::sys::atomic::{AtomicU64, Ordering};
use crate::sys::barrier;

const IDLE_ONE: u64 = 1;
const IDLE: u64 = (1 << 32) - 1;
const SPIN_ONE: u64 = 1 << 32;

/// In a cache line of its own: every spawn reads it.
#[repr(align(128))]
pub(crate) struct IdleWord(AtomicU64);

impl IdleWord {
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Self {
        IdleWord(AtomicU64::new(0))
    }

    /// loom's atomics are made at run time.
    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        IdleWord(AtomicU64::new(0))
    }

    /// s2 and s3: `true` if the caller must make a worker spin; it has been
    /// counted as spinning already.
    #[inline]
    pub(crate) fn should_wake(&self) -> bool {
        barrier::light();
        let word = self.0.load(Ordering::Relaxed);
        if word & IDLE == 0 || word >= SPIN_ONE {
            return false;
        }
        self.begin_first_spin(word)
    }

    #[cold]
    fn begin_first_spin(&self, mut word: u64) -> bool {
        loop {
            if word & IDLE == 0 || word >= SPIN_ONE {
                return false;
            }
            // ORDERING: AcqRel; pairs with the other changes of this word.
            match self.0.compare_exchange_weak(
                word,
                word + SPIN_ONE,
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
    }

    /// Is there an idle processor? A guess, without a barrier.
    pub(crate) fn any(&self) -> bool {
        self.0.load(Ordering::Relaxed) & IDLE != 0
    }

    /// Idle processors; a guess.
    #[cfg(not(loom))]
    pub(crate) fn count(&self) -> u32 {
        (self.0.load(Ordering::Relaxed) & IDLE) as u32
    }

    /// Workers that search; a guess.
    #[cfg(not(loom))]
    pub(crate) fn spinning(&self) -> u32 {
        (self.0.load(Ordering::Relaxed) >> 32) as u32
    }

    /// Whether one more worker should search: not more than half of the busy ones.
    pub(crate) fn may_spin(&self, processors: u32) -> bool {
        let word = self.0.load(Ordering::Relaxed);
        let (idle, spinning) = ((word & IDLE) as u32, (word >> 32) as u32);
        2 * spinning < processors - idle.min(processors)
    }

    /// One more worker spins.
    pub(crate) fn begin_spin(&self) {
        // ORDERING: AcqRel; pairs with the other changes of this word.
        self.0.fetch_add(SPIN_ONE, Ordering::AcqRel);
    }

    /// w2 or f1: one less. `true` if it was the last.
    pub(crate) fn end_spin(&self) -> bool {
        // ORDERING: AcqRel; pairs with the other changes of this word.
        let old = self.0.fetch_sub(SPIN_ONE, Ordering::AcqRel);
        debug_assert!(old >= SPIN_ONE);
        old >> 32 == 1
    }

    /// w1: a processor joins the idle ones. Under the scheduler's lock.
    pub(crate) fn add_idle(&self) {
        // ORDERING: AcqRel; pairs with the other changes of this word.
        self.0.fetch_add(IDLE_ONE, Ordering::AcqRel);
    }

    /// A processor leaves the idle ones. Under the scheduler's lock.
    pub(crate) fn remove_idle(&self) {
        // ORDERING: AcqRel; pairs with the other changes of this word.
        let old = self.0.fetch_sub(IDLE_ONE, Ordering::AcqRel);
        debug_assert!(old & IDLE != 0);
    }

    /// w3.
    pub(crate) fn before_last_look(&self) {
        barrier::heavy();
    }
}
