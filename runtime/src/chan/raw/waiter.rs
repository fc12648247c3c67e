//! A parked sender or receiver, and what its partner does with it.
//!
//! | after `Wake::Ready` a node's `outcome` is | set by | slot of a sender | slot of a receiver |
//! |---|---|---|---|
//! | `Done` | the partner, before its claim | empty | full |
//! | `Closed` | `close`, before its claim | full | empty |
//!
//! After any other wake-up the outcome means nothing; a sender's slot is full and
//! a receiver's is empty.
//!
//! The rules C1 to C6 stand in `raw.rs`. What makes C3 true is here: a waiter begins with
//! its link and is queued by a pointer to the whole of it ([`Waiter::link`]). Nothing in a
//! node is atomic. A partner reads and writes it under the channel's lock (C1, C4); what it
//! wrote its claim publishes (Release in `StateWord::claim`), and the waiter reads it when
//! it runs again (Acquire in `StateWord::start`).

use super::{Core, Side};
use crate::chan::waitq::{Link, Queue};
use crate::sched::park::Claimed;
use crate::task::TaskRef;
use std::cell::{Cell, UnsafeCell};
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ptr;

/// A parked sender or receiver.
#[repr(C)]
pub(in crate::chan) struct Waiter<T> {
    link: Link,
    outcome: Cell<Outcome>,
    slot: UnsafeCell<MaybeUninit<T>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::chan) enum Outcome {
    Done,
    Closed,
}

impl<T> Waiter<T> {
    #[inline]
    pub(super) fn new(me: TaskRef, slot: MaybeUninit<T>) -> Self {
        Self {
            link: Link::new(me, 0),
            outcome: Cell::new(Outcome::Closed),
            slot: UnsafeCell::new(slot),
        }
    }

    /// Of a case of a select; its task is not known yet.
    #[inline]
    pub(in crate::chan) fn vacant(slot: MaybeUninit<T>) -> Self {
        Self {
            link: Link::vacant(),
            outcome: Cell::new(Outcome::Closed),
            slot: UnsafeCell::new(slot),
        }
    }

    /// Says whose it is, and which case of its select; before it is queued.
    #[inline]
    pub(in crate::chan) fn assign(&self, me: TaskRef, case: u16) {
        self.link.assign(me, case);
    }

    /// Whether no partner has served it. Under the lock.
    pub(in crate::chan) fn is_queued(&self) -> bool {
        self.link.is_queued()
    }

    /// After `Wake::Ready`, and for the case that was served.
    #[inline]
    pub(in crate::chan) fn outcome(&self) -> Outcome {
        self.outcome.get()
    }

    #[inline]
    pub(super) fn link(&self) -> *const Link {
        ptr::from_ref(self).cast()
    }

    /// Empties the slot.
    ///
    /// # Safety
    /// It is full, and the caller may touch it (C4).
    #[inline]
    pub(in crate::chan) unsafe fn value(&self) -> T {
        // SAFETY: by contract.
        unsafe { (*self.slot.get()).assume_init_read() }
    }

    /// Fills the slot.
    ///
    /// # Safety
    /// It is empty, and the caller may touch it (C4).
    #[inline]
    pub(in crate::chan) unsafe fn fill(&self, value: T) {
        // SAFETY: by contract.
        unsafe { (*self.slot.get()).write(value) };
    }
}

impl<T> Core<T> {
    /// Gives the value to the first waiting receiver, or back.
    #[inline]
    pub(super) fn give(&mut self, value: T) -> Result<Claimed, T> {
        let value = ManuallyDrop::new(value);
        // SAFETY: `&mut Core` means that the lock is held (C1). The slot is empty
        // and ours until the claim (C3, C4). If it fails, the copy in the slot
        // is forgotten by the waiter (C4).
        let claimed = unsafe {
            self.receivers.claim_first(|link| {
                let node = &*link.cast::<Waiter<T>>();
                ptr::copy_nonoverlapping(&raw const *value, (*node.slot.get()).as_mut_ptr(), 1);
                node.outcome.set(Outcome::Done);
            })
        };
        match claimed {
            Some(claimed) => Ok(claimed),
            None => Err(ManuallyDrop::into_inner(value)),
        }
    }

    /// Takes the value of the first waiting sender.
    #[inline]
    pub(super) fn fetch(&mut self) -> Option<(T, Claimed)> {
        if self.closed {
            return None; // C5
        }
        let mut value = MaybeUninit::uninit();
        // SAFETY: as in give(); the slot is full. If the claim fails, the copy is
        // forgotten, and the sender has its value still. `value` was filled by
        // the copy before the claim that succeeded.
        unsafe {
            let claimed = self.senders.claim_first(|link| {
                let node = &*link.cast::<Waiter<T>>();
                value = node.slot.get().read();
                node.outcome.set(Outcome::Done);
            })?;
            Some((value.assume_init(), claimed))
        }
    }

    pub(super) fn side(&mut self, side: Side) -> &mut Queue {
        match side {
            Side::Send => &mut self.senders,
            Side::Recv => &mut self.receivers,
        }
    }

    /// Tells one of those who wait that the channel is closed.
    pub(super) fn refuse(&mut self) -> Option<Claimed> {
        let refuse = |link: *const Link| {
            // SAFETY: as in give(); the slot stays as it is.
            unsafe { &*link.cast::<Waiter<T>>() }.outcome.set(Outcome::Closed);
        };
        // SAFETY: as in give().
        unsafe { self.receivers.claim_first(refuse).or_else(|| self.senders.claim_first(refuse)) }
    }
}
