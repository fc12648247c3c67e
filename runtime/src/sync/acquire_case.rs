//! The wait for permits as a case of a select; for
//! [`Context::acquire`](crate::context::Context::acquire).
//!
//! # Invariants
//!
//! - **L2** The link is queued by [`Operation::enqueue`] only, and the select takes
//!   it out again before it returns or unwinds (E1 of `chan/case.rs`). So W2 of
//!   `waitq` is kept by the select.

use super::semaphore::{Permit, Semaphore};
use crate::chan::waitq::Link;
use crate::chan::{Attempt, Case, Operation};
use crate::sys::lock::RawLock;
use crate::task::subject::{Describe, Pad};
use crate::task::{self, TaskRef};
use std::cell::Cell;

/// What became of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    /// Whoever gives permits back looks for it in the queue.
    Announced,
    /// The permits are this one's.
    Granted,
}

pub(crate) struct AcquireCase<'a> {
    semaphore: &'a Semaphore,
    count: u32,
    state: Cell<State>,
    link: Link,
}

impl<'a> AcquireCase<'a> {
    /// `None`: the semaphore has fewer permits altogether.
    pub(crate) fn new(semaphore: &'a Semaphore, permits: usize) -> Option<Self> {
        let count = semaphore.possible(permits)?;
        Some(Self { semaphore, count, state: Cell::new(State::New), link: Link::vacant() })
    }

    /// After a select that has chosen this case.
    pub(crate) fn take(&self) -> Permit<'a> {
        assert!(self.state.replace(State::New) == State::Granted, "a case that was not chosen");
        self.semaphore.permit(self.count, task::current())
    }
}

impl Case for AcquireCase<'_> {}

// SAFETY: all is of the one semaphore.
unsafe impl Operation for AcquireCase<'_> {
    fn lock(&self) -> Option<&RawLock> {
        Some(self.semaphore.waiters().lock())
    }

    fn touch(&self, me: TaskRef) {
        self.semaphore.touch(me);
    }

    unsafe fn attempt(&self) -> Attempt {
        if self.semaphore.word().take_or_announce(self.count) {
            self.state.set(State::Granted);
            return Attempt::Done(None);
        }
        self.state.set(State::Announced);
        Attempt::NotYet
    }

    unsafe fn enqueue(&self, me: TaskRef, case: u16) {
        self.link.assign(me, case);
        // SAFETY: locked, by contract; the link leaves the queue in time (L2).
        unsafe { self.semaphore.waiters().held().push_tagged(&self.link, self.count) };
    }

    unsafe fn dequeue(&self) {
        // SAFETY: locked, by contract; the link is in this queue or in none.
        unsafe { self.semaphore.waiters().held().remove(&self.link) };
    }

    unsafe fn settle(&self) {
        self.semaphore.word().granted();
        self.state.set(State::Granted);
    }

    fn describe(&self, pad: &mut Pad) {
        self.semaphore.wanted(self.count).describe(pad);
    }

    /// It has no error to return.
    fn fail(&self, _: TaskRef) -> bool {
        false
    }
}

impl Drop for AcquireCase<'_> {
    fn drop(&mut self) {
        match self.state.get() {
            State::New => {}
            // Those behind it may want less.
            State::Announced => self.semaphore.serve(self.semaphore.waiters().hold()),
            State::Granted => drop(self.take()),
        }
    }
}
