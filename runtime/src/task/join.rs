//! The word between a task and its handle.
//!
//! | bit | set by | meaning |
//! |---|---|---|
//! | `READY` | the task | the result is written and needs care (it has a destructor or is a panic) |
//! | `DETACHED` | the handle's drop | nobody will ask for the result |
//! | `WAITING` | the joiner | the packet names a waiter to be claimed |
//! | `DONE` | the task | the task is over; its scope has counted it |
//! | `ACK` | the task | after `DONE` and `WAITING`: the waiter was claimed, the packet is not touched again |
//!
//! - **J1** Of the two, `READY` by the task and `DETACHED` by the handle, the
//!   second one to arrive disposes of the result.
//! - **J2** Of `DONE` and `DETACHED`, the second one frees the packet; without
//!   `DETACHED` the joiner frees it, after `DONE`, and after `ACK` if it had
//!   `WAITING` set when `DONE` came.

use crate::sys::atomic::{AtomicU32, Ordering};

const READY: u32 = 1;
const DETACHED: u32 = 1 << 1;
const WAITING: u32 = 1 << 2;
const DONE: u32 = 1 << 3;
const ACK: u32 = 1 << 4;

pub(crate) struct JoinWord(AtomicU32);

/// What the handle's drop must do.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Detached {
    /// Nothing: the task does the rest.
    Nothing,
    /// Dispose of the result; the task frees the packet.
    Result,
    /// Dispose of the result and free the packet.
    ResultAndPacket,
}

/// What the task must do at its end.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// Nothing: the handle does the rest, and the packet is not ours any more.
    Nothing,
    /// Free the packet.
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
    pub(crate) fn detach(&self) -> Detached {
        // ORDERING: AcqRel. Acquire pairs with the Release in ready() and
        // done(): the result is visible. Release: pairs with theirs, so that
        // the handle's last use of the packet comes before it is freed.
        let old = self.0.fetch_or(DETACHED, Ordering::AcqRel);
        if old & DONE != 0 {
            Detached::ResultAndPacket
        } else if old & READY != 0 {
            Detached::Result
        } else {
            Detached::Nothing
        }
    }

    /// The task is over.
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

    /// The waiter was claimed; the packet is the joiner's from here on.
    pub(crate) fn acknowledge(&self) {
        // ORDERING: Release; pairs with the Acquire in withdraw() and is_done():
        // the task's reading of the waiter comes before the packet is freed.
        self.0.fetch_or(ACK, Ordering::Release);
    }

    /// The joiner is parked and its name is in the packet. `false`: too late,
    /// the task is over and has seen no waiter.
    pub(crate) fn wait(&self) -> bool {
        // ORDERING: AcqRel. Release publishes the waiter to done(); Acquire
        // pairs with its Release.
        self.0.fetch_or(WAITING, Ordering::AcqRel) & DONE == 0
    }

    /// The joiner gives up after [`wait`](Self::wait) returned true. Afterwards
    /// the task does not know the waiter.
    pub(crate) fn withdraw(&self) {
        // ORDERING: AcqRel, as in wait().
        let old = self.0.fetch_and(!WAITING, Ordering::AcqRel);
        if old & DONE != 0 {
            // The task is between done() and acknowledge(): a claim away.
            // ORDERING: Acquire; pairs with the Release in acknowledge().
            while self.0.load(Ordering::Acquire) & ACK == 0 {
                #[cfg(loom)]
                loom::thread::yield_now();
                #[cfg(not(loom))]
                std::thread::yield_now();
            }
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        // ORDERING: Acquire; pairs with the Release in done() and acknowledge().
        self.0.load(Ordering::Acquire) & DONE != 0
    }
}
