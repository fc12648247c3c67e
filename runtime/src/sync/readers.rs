//! Who reads under a [`RwLock`](super::RwLock): the first few of those who belong to
//! a leak scope, for the verifier, which looks for tasks that wait for each other.
//!
//! A reader takes a free seat when it has the lock, and leaves it before it gives the
//! lock back. Guards are not `Send`, so whoever has a seat is the one who can leave
//! it. When all seats are taken a reader stands, and the verifier does not know of it.
//! What runs outside of every scope pays for one look at its scope.
//!
//! | field | who writes | when |
//! |---|---|---|
//! | `task` | a reader | 0 to its own number, when it has the lock; back before it lets go |
//! | `site` | the reader in the seat | after it has sat down |
//!
//! # Invariants
//!
//! - **S1** `site` is null or comes from a `&'static Location`.

use super::owner::Holder;
use crate::task::record::Record;
use crate::task::{self, TaskId};
use std::panic::Location;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// Readers of one lock that are known by name.
pub(super) const SEATS: usize = 4;

pub(super) struct Readers {
    seats: [Seat; SEATS],
}

struct Seat {
    /// The reader's number, 0 for nobody.
    task: AtomicU64,
    site: AtomicPtr<Location<'static>>,
}

impl Readers {
    pub(super) const fn nobody() -> Self {
        Self { seats: [const { Seat::free() }; SEATS] }
    }

    /// By a reader that has just got the lock.
    #[inline]
    pub(super) fn sit(&self, me: &Record, site: &'static Location<'static>) {
        if !me.scope().is_root() {
            self.take_seat(me.id(), site);
        }
    }

    #[cold]
    fn take_seat(&self, me: TaskId, site: &'static Location<'static>) {
        for seat in &self.seats {
            // The site that is there is a former reader's: who looks now sees a wrong
            // place of a task that runs. Who sees a task parked sees its seat as it is.
            let taken =
                seat.task.compare_exchange(0, me.get(), Ordering::Relaxed, Ordering::Relaxed);
            if taken.is_ok() {
                seat.site.store(ptr::from_ref(site).cast_mut(), Ordering::Relaxed);
                return;
            }
        }
    }

    /// By a reader that is about to give the lock back.
    #[inline]
    pub(super) fn rise(&self) {
        if self.seats.iter().any(|seat| seat.task.load(Ordering::Relaxed) != 0) {
            self.leave_seat(task::current().id());
        }
    }

    #[cold]
    fn leave_seat(&self, me: TaskId) {
        // Of two seats the later one: who reads twice lets go of the second first.
        let mine = |seat: &&Seat| seat.task.load(Ordering::Relaxed) == me.get();
        if let Some(seat) = self.seats.iter().rev().find(mine) {
            seat.task.store(0, Ordering::Relaxed);
        }
    }

    /// Who sits. Exact for those who are parked meanwhile; others may have had the
    /// lock a moment ago.
    pub(super) fn look(&self) -> [Option<Holder>; SEATS] {
        self.seats.each_ref().map(Seat::look)
    }
}

impl Seat {
    const fn free() -> Self {
        Self { task: AtomicU64::new(0), site: AtomicPtr::new(ptr::null_mut()) }
    }

    fn look(&self) -> Option<Holder> {
        let task = TaskId::new(self.task.load(Ordering::Relaxed))?;
        // SAFETY: S1.
        let site = unsafe { self.site.load(Ordering::Relaxed).as_ref() }?;
        Some(Holder { task, site })
    }
}
