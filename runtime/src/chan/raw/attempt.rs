//! Sends and receives step by step: for the cases of a select, and for futures.
//!
//! These hold the lock over several steps, and a select those of several channels. So here
//! the lock is the caller's business, and each step a contract: it is held (C1), and whose
//! the node is and what it holds (C4). The rules stand in `raw.rs`. Each attempt does what
//! `offer` and `take` do there, and leaves the enqueue of the partner to after the unlock.

use super::{Chan, Held, Side, Waiter};
use crate::chan::seat::Mark;
use crate::sched::park::Claimed;
use crate::sys::lock::RawLock;
use crate::task::{self, TaskRef};
use std::collections::VecDeque;
use std::mem::{self, ManuallyDrop};

/// What became of a case of a select.
pub(crate) enum Attempt {
    NotYet,
    /// Done, and the partner is to be enqueued after the unlock.
    Done(Option<Claimed>),
    Closed,
}

impl<T> Chan<T> {
    #[inline]
    pub(in crate::chan) fn lock(&self) -> &RawLock {
        &self.lock
    }

    /// Notes that `me` uses the channel, through the handle with that mark; not
    /// under its lock (C2).
    #[inline]
    pub(in crate::chan) fn touch(&self, me: TaskRef, mark: &Mark) {
        self.seats.used_by(mark, me);
        self.affinity.touch_by(me.record());
    }

    /// The channel, which a select has locked, and keeps locked.
    ///
    /// # Safety
    /// The calling thread holds the lock, and nothing else uses that at the
    /// same time (C1).
    #[inline]
    unsafe fn held(&self) -> ManuallyDrop<Held<'_, T>> {
        ManuallyDrop::new(Held { chan: self })
    }

    /// Sends the value of a node, if that is possible at once.
    ///
    /// # Safety
    /// The lock is held; the node is in no queue, its slot is full and the
    /// caller's. After [`Attempt::Done`] it is empty.
    #[inline]
    pub(in crate::chan) unsafe fn attempt_send(&self, node: &Waiter<T>) -> Attempt {
        // SAFETY: by contract. What is not sent goes back.
        unsafe {
            let mut held = self.held();
            let core = held.core();
            if core.closed {
                return Attempt::Closed;
            }
            match core.give(node.value()) {
                Ok(receiver) => Attempt::Done(Some(receiver)),
                Err(value) if core.ring.len() < self.capacity => {
                    core.ring.push_back(value);
                    Attempt::Done(None)
                }
                Err(value) => {
                    node.fill(value);
                    Attempt::NotYet
                }
            }
        }
    }

    /// Receives a value into a node, if that is possible at once.
    ///
    /// # Safety
    /// The lock is held; the node is in no queue, its slot is empty and the
    /// caller's. After [`Attempt::Done`] it is full.
    #[inline]
    pub(in crate::chan) unsafe fn attempt_recv(&self, node: &Waiter<T>) -> Attempt {
        // SAFETY: by contract.
        unsafe {
            let mut held = self.held();
            let core = held.core();
            let buffered = core.ring.pop_front();
            // As in take(), `raw.rs`.
            let moves = buffered.is_none() || core.ring.len() < self.capacity;
            let sender = if moves { core.fetch() } else { None };
            match (buffered, sender) {
                (Some(value), None) => {
                    node.fill(value);
                    Attempt::Done(None)
                }
                (Some(value), Some((behind, sender))) => {
                    core.ring.push_back(behind);
                    node.fill(value);
                    Attempt::Done(Some(sender))
                }
                (None, Some((value, sender))) => {
                    node.fill(value);
                    Attempt::Done(Some(sender))
                }
                (None, None) if core.closed => Attempt::Closed,
                (None, None) => Attempt::NotYet,
            }
        }
    }

    /// Queues a node, after an attempt that said [`Attempt::NotYet`] and since when
    /// the lock was held.
    ///
    /// # Safety
    /// The lock is held; the node is assigned and in no queue; its frame keeps W2;
    /// its slot is full for a sender and empty for a receiver.
    #[inline]
    pub(in crate::chan) unsafe fn queue(&self, side: Side, node: &Waiter<T>) {
        // SAFETY: by contract.
        unsafe { self.held().core().side(side).push_back(node.link()) }
    }

    /// Takes a node out of its queue, if it is still there.
    ///
    /// # Safety
    /// The lock is held; the node was queued on that side.
    #[inline]
    pub(in crate::chan) unsafe fn unqueue(&self, side: Side, node: &Waiter<T>) {
        // SAFETY: by contract.
        unsafe { self.held().core().side(side).remove(node.link()) }
    }

    /// Takes a value back that a receiver was given who does not want it any more: it
    /// goes to the next one, or before all others in the ring, beyond its capacity if
    /// need be. A timer's is dropped if the next one is there.
    #[cold]
    pub(in crate::chan) fn hand_back(&self, mut value: T) {
        let mut held = self.hold_by(task::current());
        let mut old = VecDeque::new();
        loop {
            let core = held.core();
            // None waits in a closed channel (C5).
            value = match core.give(value) {
                Ok(receiver) => {
                    held.resume(receiver);
                    return;
                }
                Err(value) => value,
            };
            let len = core.ring.len();
            if self.timer.is_some() && len > 0 {
                drop(held);
                return;
            }
            if len == core.ring.capacity() && old.capacity() > len {
                // There is room for all, so nothing is allocated (C2).
                old.append(&mut core.ring);
                mem::swap(&mut old, &mut core.ring);
            }
            if len < core.ring.capacity() {
                core.ring.push_front(value);
                drop(held);
                return;
            }
            drop(held);
            old = VecDeque::with_capacity(2 * len + 1);
            held = self.hold();
        }
    }
}
