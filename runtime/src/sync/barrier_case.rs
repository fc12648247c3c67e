//! The wait at a barrier as a case of a select; for
//! [`Context::wait_at`](crate::context::Context::wait_at).
//!
//! # Invariants
//!
//! - **L4** The link is queued by [`Operation::enqueue`] only, and the select takes
//!   it out again before it returns or unwinds (E1 of `chan/case.rs`). So W2 of
//!   `waitq` is kept by the select.

use super::barrier::{Barrier, BarrierWaitResult};
use crate::chan::waitq::Link;
use crate::chan::{Attempt, Case, Operation};
use crate::sys::lock::RawLock;
use crate::task::TaskRef;
use crate::task::subject::{Describe, Pad};
use std::cell::Cell;

#[derive(Clone, Copy)]
enum State {
    /// Not arrived, or gone again.
    Away,
    /// One of this round.
    Joined(u32),
    /// The last of this round, whom the others wait for.
    Last(u32),
    /// All have arrived.
    Complete,
}

pub(crate) struct BarrierCase<'a> {
    barrier: &'a Barrier,
    state: Cell<State>,
    link: Link,
}

impl<'a> BarrierCase<'a> {
    pub(crate) fn new(barrier: &'a Barrier) -> BarrierCase<'a> {
        BarrierCase { barrier, state: Cell::new(State::Away), link: Link::vacant() }
    }

    /// After the select. `None`: not all have arrived, and this one has not either.
    pub(crate) fn result(&self) -> Option<BarrierWaitResult> {
        match self.state.get() {
            State::Away | State::Joined(_) => None,
            State::Last(_) => Some(BarrierWaitResult::new(true)),
            State::Complete => Some(BarrierWaitResult::new(false)),
        }
    }
}

impl Case for BarrierCase<'_> {}

// SAFETY: all is of the one barrier.
unsafe impl Operation for BarrierCase<'_> {
    fn lock(&self) -> Option<&RawLock> {
        Some(self.barrier.waiters().lock())
    }

    fn touch(&self, me: TaskRef) {
        self.barrier.touch(me);
    }

    unsafe fn attempt(&self) -> Attempt {
        // SAFETY: locked, by contract.
        let mut held = unsafe { self.barrier.waiters().held() };
        if !self.barrier.completes(&mut held) {
            return Attempt::NotYet;
        }
        // The others are woken when the select has released its locks.
        self.state.set(State::Last(held.close_round()));
        Attempt::Done(None)
    }

    unsafe fn enqueue(&self, me: TaskRef, case: u16) {
        // SAFETY: locked, by contract.
        let mut held = unsafe { self.barrier.waiters().held() };
        let round = held.join_round();
        self.state.set(State::Joined(round));
        self.link.assign(me, case);
        // SAFETY: the link leaves the queue in time (L4).
        unsafe { held.push_tagged(&self.link, round) };
    }

    unsafe fn dequeue(&self) {
        // SAFETY: locked, by contract.
        let mut held = unsafe { self.barrier.waiters().held() };
        // SAFETY: the link is in this queue or in none.
        unsafe { held.remove(&self.link) };
        if let State::Joined(round) = self.state.get() {
            let complete = held.leave_round(round);
            self.state.set(if complete { State::Complete } else { State::Away });
        }
    }

    unsafe fn settle(&self) {
        self.state.set(State::Complete);
    }

    fn describe(&self, pad: &mut Pad) {
        self.barrier.describe(pad);
    }

    /// It has no error to return.
    fn fail(&self, _: TaskRef) -> bool {
        false
    }
}

impl Drop for BarrierCase<'_> {
    fn drop(&mut self) {
        if let State::Last(round) = self.state.get() {
            self.barrier.waiters().hold().wake_round(round);
        }
    }
}
