//! The word between a task and its handle.
//!
//! | bit | set by | meaning |
//! |---|---|---|
//! | `READY` | the task | the result is written and has a destructor or is a panic: it must be disposed of |
//! | `DETACHED` | the handle's drop | nobody will ask for the result |
//! | `WAITING` | the joiner | the record names a waiter to be claimed |
//! | `DONE` | the scheduler | the task is dead, its stack is gone, its scope has counted it |
//! | `ACK` | the scheduler | after `DONE` and `WAITING`: the waiter was claimed, the record is not touched again |
//!
//! - **J1** Of `READY` and `DETACHED`, the second one to come disposes of the
//!   result, before it sets its bit in the handle's case: once `DETACHED` is
//!   set, the handle never touches the record again.
//! - **J2** Of `DONE` and `DETACHED`, the second one frees the record. Without
//!   `DETACHED` the joiner frees it, after `DONE`, and after `ACK` if it had
//!   `WAITING` set when `DONE` came.

use crate::sys::atomic::{AtomicU32, Ordering};

const READY: u32 = 1;
const DETACHED: u32 = 1 << 1;
const WAITING: u32 = 1 << 2;
const DONE: u32 = 1 << 3;
const ACK: u32 = 1 << 4;

pub(crate) struct JoinWord(AtomicU32);

/// What the handle's drop must do next.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Detach {
    /// Dispose of the result, then call [`JoinWord::detach_after_result`].
    Result,
    /// Nothing: the task does the rest, and the record is not ours any more.
    Nothing,
    /// Free the record.
    Free,
}

/// What the scheduler must do for a task that is dead.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// Nothing: the handle does the rest, and the record is not ours any more.
    Nothing,
    /// Free the record.
    Free,
    /// Claim the waiter, then call [`JoinWord::acknowledge`], then enqueue it.
    Wake,
}

impl JoinWord {
    pub(crate) fn new() -> Self {
        JoinWord(AtomicU32::new(0))
    }

    /// The task has written its result. `true`: the handle is gone, and the
    /// task disposes of the result (J1).
    pub(crate) fn ready(&self) -> bool {
        // ORDERING: AcqRel. Release publishes the result to detach(); Acquire
        // pairs with its Release.
        self.0.fetch_or(READY, Ordering::AcqRel) & DETACHED != 0
    }

    /// The handle goes without a join.
    pub(crate) fn detach(&self) -> Detach {
        // ORDERING: Acquire; pairs with the Release in ready() and done(): the
        // result is visible.
        let mut old = self.0.load(Ordering::Acquire);
        loop {
            if old & READY != 0 {
                return Detach::Result;
            }
            // ORDERING: AcqRel. Release: the handle's use of the record ends
            // here, before the Acquire in done() lets it be freed. Acquire as above.
            match self.0.compare_exchange_weak(
                old,
                old | DETACHED,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) if old & DONE != 0 => return Detach::Free,
                Ok(_) => return Detach::Nothing,
                Err(now) => old = now,
            }
        }
    }

    /// After [`Detach::Result`]: the result is disposed of.
    pub(crate) fn detach_after_result(&self) -> Detach {
        // ORDERING: AcqRel, as in detach().
        if self.0.fetch_or(DETACHED, Ordering::AcqRel) & DONE != 0 {
            Detach::Free
        } else {
            Detach::Nothing
        }
    }

    /// The task is dead.
    pub(crate) fn done(&self) -> Done {
        // ORDERING: AcqRel. Release publishes the result; Acquire pairs with
        // detach() and with wait(), which published the waiter.
        let old = self.0.fetch_or(DONE, Ordering::AcqRel);
        if old & DETACHED != 0 {
            Done::Free
        } else if old & WAITING != 0 {
            Done::Wake
        } else {
            Done::Nothing
        }
    }

    /// The waiter was claimed; the record is the joiner's from here on.
    pub(crate) fn acknowledge(&self) {
        // ORDERING: Release; pairs with the Acquire in withdraw() and is_done():
        // reading the waiter comes before the record is freed.
        self.0.fetch_or(ACK, Ordering::Release);
    }

    /// The joiner is parked and its name is in the record. `false`: too late,
    /// the task is dead and no waiter was seen.
    pub(crate) fn wait(&self) -> bool {
        let mut old = self.0.load(Ordering::Relaxed);
        while old & DONE == 0 {
            // ORDERING: AcqRel. Release publishes the waiter to done(); Acquire
            // pairs with its Release.
            match self.0.compare_exchange_weak(
                old,
                old | WAITING,
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => old = now,
            }
        }
        false
    }

    /// The joiner does not wait any more, whether it did or not. Afterwards
    /// nobody knows the waiter, and nobody but the joiner touches the record if
    /// the task is dead. `true`: the scheduler has taken the waiter.
    pub(crate) fn withdraw(&self) -> bool {
        // ORDERING: AcqRel, as in wait().
        let old = self.0.fetch_and(!WAITING, Ordering::AcqRel);
        let taken = old & WAITING != 0 && old & DONE != 0;
        if taken {
            // The scheduler is between done() and acknowledge(): a claim away.
            // ORDERING: Acquire; pairs with the Release in acknowledge().
            while self.0.load(Ordering::Acquire) & ACK == 0 {
                #[cfg(loom)]
                loom::thread::yield_now();
                #[cfg(not(loom))]
                std::thread::yield_now();
            }
        }
        taken
    }

    /// Starts over, for a record that is used again.
    #[cfg(not(loom))]
    pub(crate) fn reset(&self) {
        // ORDERING: Relaxed; published by the birth of the task.
        self.0.store(0, Ordering::Relaxed);
    }

    pub(crate) fn is_done(&self) -> bool {
        // ORDERING: Acquire; pairs with the Release in done() and acknowledge().
        self.0.load(Ordering::Acquire) & DONE != 0
    }
}
