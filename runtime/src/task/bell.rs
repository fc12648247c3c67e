//! A waker in the place of a parked task, so that futures wait in the same queues as
//! tasks do.
//!
//! Whoever wakes a waiter may be in a section, in the scheduler's loop, or in the
//! middle of a select: no place to call a waker, which is the user's, may allocate,
//! block or panic. So a **bell** is a task that was prepared and not released: its
//! record stands in the queue, to claim it always succeeds, and to enqueue it brings
//! it to life. It runs the waker, on a stack of its own, and ends.
//!
//! - **B1** A bell stands in one queue at most, and whoever takes it out under that
//!   queue's lock is the only one to ring it. Who finds it there, or never put it
//!   there, [silences](Bell::silence) it.
//! - **B2** Waker and queue are looked at in opposite orders: the future
//!   [leaves its waker](Bell::set) and then asks whether it was taken out of the
//!   queue; it is taken out, and then the bell asks for the waker. So either the
//!   future sees that it was served, or its latest waker is woken.

#![expect(clippy::disallowed_types, reason = "futures are polled outside of sections")]

use super::record::{Record, flag};
use super::scope::Scope;
use super::{TaskRef, launch};
use crate::sys::section;
use core::panic::Location;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

/// Whom to wake. The lock orders what B2 speaks of.
type Slot = Mutex<Option<Waker>>;

fn replace(slot: &Slot, waker: Option<Waker>) -> Option<Waker> {
    section::check_outside();
    // Nothing panics inside; the old one is dropped by the caller, behind the lock.
    std::mem::replace(&mut *slot.lock().unwrap_or_else(PoisonError::into_inner), waker)
}

pub(crate) struct Bell {
    task: TaskRef,
    slot: Arc<Slot>,
}

impl Bell {
    /// Belongs to the scope of whoever makes it. Outside of all locks.
    ///
    /// # Panics
    /// If the system refuses the address space for its stack.
    pub(crate) fn new(waker: &Waker, site: &'static Location<'static>) -> Bell {
        let slot = Arc::new(Slot::new(Some(waker.clone())));
        let ringing = Ringing { slot: slot.clone(), _scope: Scope::current() };
        Bell { task: launch::prepare_bell(move || drop(ringing), site), slot }
    }

    /// What stands in the queue.
    pub(crate) fn task(&self) -> TaskRef {
        self.task
    }

    /// Leaves another waker.
    pub(crate) fn set(&self, waker: &Waker) {
        drop(replace(&self.slot, Some(waker.clone())));
    }

    /// It is in no queue and will not ring (B1).
    pub(crate) fn silence(self) {
        drop(replace(&self.slot, None));
        launch::discard(self.task.record());
    }
}

/// Wakes when it is dropped, also by a task that is reaped before it starts. Keeps
/// the scope, in which a task may yet be born.
struct Ringing {
    slot: Arc<Slot>,
    _scope: Scope,
}

impl Drop for Ringing {
    fn drop(&mut self) {
        if let Some(waker) = replace(&self.slot, None) {
            waker.wake();
        }
    }
}

/// The claim of a bell is enqueued.
#[cold]
pub(crate) fn ring(bell: &'static Record) {
    // From here on it is a task like any other, which may park.
    bell.clear(flag::BELL);
    launch::release(bell, || ());
}
