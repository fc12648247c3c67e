//! The state word of a wait group.
//!
//! ```text
//!   63                             1   0
//!  ┌────────────────────────────────┬────────┐
//!  │ counter                        │ QUEUED │
//!  └────────────────────────────────┴────────┘
//! ```
//!
//! | change | who |
//! |---|---|
//! | counter up | `add`, at any time |
//! | counter down, except to 0 with `QUEUED` set | `done`, at any time |
//! | counter down to 0, and `QUEUED` off | the last `done`, with the queue locked; in the same section it ends the round, and then wakes those who queued in it |
//! | `QUEUED` on, with a counter above 0 | `wait`, with the queue locked; it then queues and parks, or, in a select, does something else |
//!
//! So reaching zero and letting the waiters go is one step, whatever is added
//! at the same time: a waiter returns if and only if the counter was zero at some
//! moment of its wait. (Go panics when a group is used again too early; here
//! the waiters of both rounds are told apart.)

use crate::sys::atomic::{AtomicU64, Ordering};

const QUEUED: u64 = 1;
const ONE: u64 = 1 << 1;
const MAX: u64 = 1 << 62;

pub(crate) struct WgWord(AtomicU64);

/// What came of one thing that is done.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Down {
    Counted,
    /// Nothing yet: it is the last, and somebody waits. Lock the queue, and
    /// [`reach_zero`](WgWord::reach_zero).
    Last,
    /// Nothing: the counter is zero.
    Below,
}

impl WgWord {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// False if the counter would exceed its limit.
    #[must_use]
    pub(crate) fn add(&self, n: u64) -> bool {
        let mut state = self.0.load(Ordering::Relaxed);
        loop {
            let Some(sum) = (state >> 1).checked_add(n).filter(|sum| *sum <= MAX) else {
                return false;
            };
            let new = (sum * ONE) | (state & QUEUED);
            // ORDERING: Relaxed; counting up publishes nothing.
            match self.0.compare_exchange_weak(state, new, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => state = now,
            }
        }
    }

    /// One less.
    pub(crate) fn down(&self) -> Down {
        let mut state = self.0.load(Ordering::Relaxed);
        loop {
            if state < ONE {
                return Down::Below;
            }
            if state == ONE | QUEUED {
                return Down::Last;
            }
            // ORDERING: Release; pairs with the Acquire in is_zero(), announce() and
            // reach_zero(): what came before done() is visible after wait(). AcqRel
            // where it becomes zero is not needed: the chain of read-modify-writes
            // carries the former ones.
            match self.0.compare_exchange_weak(
                state,
                state - ONE,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Down::Counted,
                Err(now) => state = now,
            }
        }
    }

    /// From one to zero, with the queue locked, whose waiters are let go in the same
    /// section. False if the counter has changed meanwhile.
    #[must_use]
    pub(crate) fn reach_zero(&self) -> bool {
        // ORDERING: Release, as in down(); the waiters get it through the lock
        // and the wake-up. Acquire: pairs with the Release of the other calls
        // of down(), which the waiters are to see too.
        self.0.compare_exchange(ONE | QUEUED, 0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// With the queue locked, before a waiter queues. False if there is nothing to
    /// wait for.
    #[must_use]
    pub(crate) fn announce(&self) -> bool {
        // ORDERING: Acquire; pairs with the Release in down(). The queue is locked,
        // so that the last done() finds the waiter or is over.
        let mut state = self.0.load(Ordering::Acquire);
        while state >= ONE {
            match self.0.compare_exchange_weak(
                state,
                state | QUEUED,
                // ORDERING: as above.
                Ordering::Acquire,
                Ordering::Acquire,
            ) {
                Ok(_) => return true,
                Err(now) => state = now,
            }
        }
        false
    }

    #[must_use]
    pub(crate) fn is_zero(&self) -> bool {
        // ORDERING: Acquire; pairs with the Release in down().
        self.0.load(Ordering::Acquire) < ONE
    }

    /// For those who are curious.
    #[cfg(not(loom))]
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed) / ONE
    }
}
