//! The wait for a condition as a case of a select; for
//! [`Context::wait_while`](crate::context::Context::wait_while).
//!
//! [`Condvar::wait`] gives the mutex up when its task is parked. Here it is given up
//! when the link is queued: the select holds the queue's lock until its task is parked,
//! so whoever locks the mutex then and notifies waits for that.
//!
//! # Invariants
//!
//! - **L3** The link is queued by [`Operation::enqueue`] only, and the select takes
//!   it out again before it returns or unwinds (E1 of `chan/case.rs`). So W2 of
//!   `waitq` is kept by the select.
//! - **C2** The guard is borrowed as long as the case lives, and when that is dropped
//!   the mutex is locked by the task, by return or by unwind: it was never given up, or
//!   [`RawMutex::lock_again`] has locked it.

use super::condvar::Condvar;
use super::mutex::MutexGuard;
use super::raw_mutex::RawMutex;
use crate::chan::waitq::Link;
use crate::chan::{Attempt, Case, Operation};
use crate::sched::park;
use crate::sys::lock::RawLock;
use crate::task::TaskRef;
use crate::task::subject::{Describe, Pad};
use core::panic::Location;
use std::cell::Cell;

pub(crate) struct CondCase<'a> {
    condition: &'a Condvar,
    mutex: &'a RawMutex,
    site: &'static Location<'static>,
    given_up: Cell<bool>,
    link: Link,
}

impl<'a> CondCase<'a> {
    #[track_caller]
    pub(crate) fn new<T: ?Sized>(
        condition: &'a Condvar,
        guard: &'a mut MutexGuard<'_, T>,
    ) -> CondCase<'a> {
        // SAFETY: the guard is borrowed exclusively, so nobody uses the value
        // through it until the lock is its own again (C2).
        let mutex = unsafe { MutexGuard::mutex(guard).raw() };
        park::refuse_in_no_park();
        let site = Location::caller();
        CondCase { condition, mutex, site, given_up: Cell::new(false), link: Link::vacant() }
    }
}

impl Case for CondCase<'_> {}

// SAFETY: all is of the one condition.
unsafe impl Operation for CondCase<'_> {
    fn lock(&self) -> Option<&RawLock> {
        Some(self.condition.waiters().lock())
    }

    fn touch(&self, me: TaskRef) {
        self.condition.touch(me);
    }

    unsafe fn attempt(&self) -> Attempt {
        Attempt::NotYet
    }

    unsafe fn enqueue(&self, me: TaskRef, case: u16) {
        self.link.assign(me, case);
        // SAFETY: locked, by contract; the link leaves the queue in time (L3).
        unsafe { self.condition.waiters().held().push(&self.link) };
        self.given_up.set(true);
        // Under the locks of the select: nobody holds a mutex's own lock and waits for
        // another.
        self.mutex.unlock_it();
    }

    unsafe fn dequeue(&self) {
        // SAFETY: locked, by contract; the link is in this queue or in none.
        unsafe { self.condition.waiters().held().remove(&self.link) };
    }

    unsafe fn settle(&self) {}

    fn describe(&self, pad: &mut Pad) {
        self.condition.describe(pad);
    }

    /// It has no error to return.
    fn fail(&self, _: TaskRef) -> bool {
        false
    }
}

/// C2.
impl Drop for CondCase<'_> {
    fn drop(&mut self) {
        if self.given_up.get() {
            self.mutex.lock_again(self.site);
        }
    }
}
