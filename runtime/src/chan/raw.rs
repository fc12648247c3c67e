//! The channel itself: one lock, a ring of values, two queues of waiters.
//!
//! The shape is Go's `hchan`. Everything that changes is under one [`RawLock`];
//! a send is lock, look, hand over, unlock, and then perhaps enqueue of the
//! partner. There is no second representation for rendezvous channels: their
//! ring has no room, so every value goes from task to task.
//!
//! ```text
//!            a receiver waits     value into its slot, wake it
//!   send ──> room in the ring     value to the tail
//!            else                 value into the own node, park
//!
//!            ring not empty       take the head; a waiting sender's value goes to
//!                                 the tail, wake it
//!   recv ──> a sender waits       take the value out of its node, wake it
//!            closed               error
//!            else                 park with an empty slot
//! ```
//!
//! The value of a parked sender and the slot of a parked receiver are in the
//! node in the parked frame. The partner moves the value in or out and then
//! claims the waiter. If the claim fails the move has not happened, and the next
//! waiter is tried. So a value is always in exactly one place: with a caller,
//! in the ring, or in the slot of one node.
//!
//! What a node holds before and after, `raw/waiter.rs` says. Cases of a select and futures
//! do the same steps one by one, under a lock that they hold for longer
//! (`raw/attempt.rs`). A timer's channel has a sender that is none (`raw/tick.rs`).
//!
//! # Invariants
//!
//! - **C1** `core` is reached only through a [`Held`], which exists only while
//!   its thread holds `lock`.
//! - **C2** No user code runs and nothing is allocated or freed while a `Held`
//!   exists: values are moved, never dropped, compared or cloned under the
//!   lock. The ring has its full capacity from the start, and what a future hands
//!   back finds room in one that was made outside.
//! - **C3** A queued link is the first field of a [`Waiter`] of this channel's
//!   `T`, and the pointer in the queue is derived from the whole node.
//! - **C4** Slot and outcome of a queued node are touched under the lock only.
//!   Whoever takes the node from the queue may write to it until the claim
//!   (W3 of [`waitq`](super::waitq)); after it they are the waiter's.
//! - **C5** In a closed channel nobody queues, and no waiter is served: `close`
//!   turns away those that queue already.
//! - **C6** Waiting receivers imply an empty ring, waiting senders a full one, or,
//!   after a future has [handed back](Chan::hand_back) what it was given, more.
//!   (A waiter whose claim would fail counts as not waiting.)

mod attempt;
mod tick;
mod waiter;

pub(crate) use attempt::Attempt;
pub(super) use waiter::{Outcome, Waiter};

use super::error::{RecvTimeoutError, SendTimeoutError, TryRecvError, TrySendError};
use super::seat::{Mark, Seats};
use super::shared::{Handles, Kinds};
use super::waitq::Queue;
use crate::sched::park::{self, Claimed, Park, Wake};
use crate::sys::lock::RawLock;
use crate::task::subject::{ChannelSketch, Describe, Pad, Sketch, Subject};
use crate::task::{self, TaskRef, affinity::Affinity};
use crate::time::{self, Node};
use std::cell::UnsafeCell;
use std::collections::VecDeque;
use std::mem::{self, ManuallyDrop, MaybeUninit};
use std::panic::Location;
use std::ptr;

/// A channel, shared by its handles.
///
/// In this order, so that what an operation touches is side by side, and what only
/// clones, drops and observers touch comes after it.
#[repr(C)]
pub(crate) struct Chan<T> {
    lock: RawLock,
    pub(super) kinds: Kinds,
    core: UnsafeCell<Core<T>>,
    affinity: Affinity,
    capacity: usize,
    /// What sends to it in place of senders.
    timer: Option<&'static Node>,
    /// Living handles of either kind; the last one of a kind closes.
    pub(super) senders: Handles,
    pub(super) receivers: Handles,
    /// The same, by who made them.
    pub(super) seats: Seats,
    /// The end of a context closes it.
    context: bool,
}

#[repr(C)]
struct Core<T> {
    closed: bool,
    receivers: Queue,
    senders: Queue,
    ring: VecDeque<T>,
}

// SAFETY: the handles move values of T between threads and never share one;
// `core`, with its raw pointers, is reached under the lock only (C1).
unsafe impl<T: Send> Send for Chan<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Chan<T> {}

/// Proof that the channel is locked. Dropping it unlocks.
struct Held<'a, T> {
    chan: &'a Chan<T>,
}

impl<'a, T> Held<'a, T> {
    #[inline]
    fn core(&mut self) -> &mut Core<T> {
        // SAFETY: C1; the borrow of `self` makes it the only one.
        unsafe { &mut *self.chan.core.get() }
    }

    /// Parks the current task, whose node is queued; the lock is released once
    /// it is parked.
    #[inline]
    fn park(self, how: Park, on: &End<'_, T>) -> Wake {
        let held = ManuallyDrop::new(self);
        park::park_on(how, &Subject::of(on), &held.chan.lock)
    }

    /// Unlocks and lets the partner go.
    #[inline]
    fn resume(self, partner: Claimed) {
        drop(self);
        partner.enqueue();
    }
}

/// A half of a channel, and the queue of those who wait to do what it does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    Send = 0,
    Recv = 1,
}

impl<T> Drop for Held<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: a `Held` exists only while the lock is held (C1).
        unsafe { self.chan.lock.unlock() };
    }
}

/// What became of an attempt to send.
enum Offer<'a, T> {
    Sent,
    Closed(T),
    Full(Held<'a, T>, T),
}

/// What became of an attempt to receive.
enum Take<'a, T> {
    Got(T),
    Closed,
    Empty(Held<'a, T>),
}

impl<T> Chan<T> {
    pub(super) fn new(capacity: usize, site: &'static Location<'static>) -> Self {
        Self {
            lock: RawLock::new(),
            kinds: Kinds::new(2),
            core: UnsafeCell::new(Core {
                closed: false,
                ring: VecDeque::with_capacity(capacity),
                receivers: Queue::new(),
                senders: Queue::new(),
            }),
            capacity,
            timer: None,
            affinity: Affinity::new(),
            senders: Handles::one(),
            receivers: Handles::one(),
            seats: Seats::new(site),
            context: false,
        }
    }

    /// 0 for a timer's, although a value has room there: it can be taken back
    /// until it is received, as if the timer waited to send it.
    #[inline]
    pub(super) fn capacity(&self) -> usize {
        if self.timer.is_some() { 0 } else { self.capacity }
    }

    pub(super) fn len(&self) -> usize {
        if self.timer.is_some() { 0 } else { self.hold().core().ring.len() }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.hold().core().closed
    }

    #[inline]
    fn hold(&self) -> Held<'_, T> {
        self.lock.lock();
        Held { chan: self }
    }

    /// [`Chan::hold`] for an operation that may wake others or be woken.
    #[inline]
    fn hold_by(&self, me: TaskRef) -> Held<'_, T> {
        let held = self.hold();
        // Under the lock, which has the cache line with it; the note is not (C2).
        if self.affinity.is_new_to(me.record()) {
            return self.hold_by_another(held, me);
        }
        held
    }

    #[cold]
    fn hold_by_another<'a>(&'a self, held: Held<'a, T>, me: TaskRef) -> Held<'a, T> {
        drop(held);
        self.affinity.note(me.record());
        self.hold()
    }

    #[inline]
    fn offer(&self, me: TaskRef, value: T) -> Offer<'_, T> {
        let mut held = self.hold_by(me);
        let core = held.core();
        if core.closed {
            return Offer::Closed(value);
        }
        match core.give(value) {
            Ok(receiver) => {
                held.resume(receiver);
                Offer::Sent
            }
            Err(value) if core.ring.len() < self.capacity => {
                core.ring.push_back(value);
                Offer::Sent
            }
            Err(value) => Offer::Full(held, value),
        }
    }

    #[inline]
    fn take(&self, me: TaskRef) -> Take<'_, T> {
        let mut held = self.hold_by(me);
        let core = held.core();
        if let Some(value) = core.ring.pop_front() {
            // Nobody moves up into a ring to which something was handed back (C6).
            if core.ring.len() < self.capacity
                && let Some((behind, sender)) = core.fetch()
            {
                core.ring.push_back(behind);
                held.resume(sender);
            }
            return Take::Got(value);
        }
        if let Some((value, sender)) = core.fetch() {
            held.resume(sender);
            return Take::Got(value);
        }
        if core.closed {
            return Take::Closed;
        }
        Take::Empty(held)
    }

    #[inline]
    pub(super) fn try_send(&self, mark: &Mark, value: T) -> Result<(), TrySendError<T>> {
        let me = task::pass();
        self.seats.used_by(mark, me);
        match self.offer(me, value) {
            Offer::Sent => Ok(()),
            Offer::Closed(value) => Err(TrySendError::Closed(value)),
            Offer::Full(held, value) => {
                drop(held);
                Err(TrySendError::Full(value))
            }
        }
    }

    #[inline]
    pub(super) fn try_recv(&self, mark: &Mark) -> Result<T, TryRecvError> {
        let me = task::pass();
        self.seats.used_by(mark, me);
        match self.take(me) {
            Take::Got(value) => Ok(value),
            Take::Closed => Err(TryRecvError::Closed),
            Take::Empty(_) => Err(TryRecvError::Empty),
        }
    }

    /// Sends a value, parking as `how` says if it has to wait.
    #[inline]
    pub(super) fn send(&self, mark: &Mark, value: T, how: Park) -> Result<(), SendTimeoutError<T>> {
        let me = task::arrive();
        self.seats.used_by(mark, me);
        match self.offer(me, value) {
            Offer::Sent => Ok(()),
            Offer::Closed(value) => Err(SendTimeoutError::Closed(value)),
            Offer::Full(held, value) => Self::park_send(held, me, value, how),
        }
    }

    /// Receives a value, parking as `how` says if it has to wait.
    #[inline]
    pub(super) fn recv(&self, mark: &Mark, how: Park) -> Result<T, RecvTimeoutError> {
        let me = task::arrive();
        self.seats.used_by(mark, me);
        match self.take(me) {
            Take::Got(value) => Ok(value),
            Take::Closed => Err(RecvTimeoutError::Closed),
            Take::Empty(held) => Self::park_recv(held, me, how),
        }
    }

    #[inline(never)]
    fn park_send(
        mut held: Held<'_, T>,
        me: TaskRef,
        value: T,
        how: Park,
    ) -> Result<(), SendTimeoutError<T>> {
        let chan = held.chan;
        let node = Waiter::new(me, MaybeUninit::new(value));
        // SAFETY: the lock is held (C1). The node leaves the queue before this
        // frame ends: by the partner after `Ready`, else a few lines on (W2).
        unsafe { held.core().senders.push_back(node.link()) };
        let reaped = match held.park(how, &chan.on(Side::Send)) {
            Wake::Ready => {
                return match node.outcome() {
                    // SAFETY: the slot of a sender that was refused is full, and ours
                    // since the claim (C4).
                    Outcome::Closed => Err(SendTimeoutError::Closed(unsafe { node.value() })),
                    _ => Ok(()),
                };
            }
            Wake::TimedOut => false,
            Wake::Reaped => true,
        };
        let mut held = chan.hold();
        // SAFETY: the lock is held, and the node is in this queue or in none.
        unsafe { held.core().senders.remove(node.link()) };
        drop(held);
        // SAFETY: off the queue, and no partner's claim has succeeded, so the slot
        // is full and ours (C4).
        let value = unsafe { node.value() };
        if reaped {
            // An unwind from here drops the value: it was not sent.
            park::on_reaped();
            return Err(SendTimeoutError::Closed(value));
        }
        Err(SendTimeoutError::Timeout(value))
    }

    #[inline(never)]
    fn park_recv(mut held: Held<'_, T>, me: TaskRef, how: Park) -> Result<T, RecvTimeoutError> {
        let chan = held.chan;
        let node = Waiter::<T>::new(me, MaybeUninit::uninit());
        // SAFETY: as in park_send().
        unsafe { held.core().receivers.push_back(node.link()) };
        let reaped = match held.park(how, &chan.on(Side::Recv)) {
            Wake::Ready => {
                return match node.outcome() {
                    // SAFETY: the slot of a receiver that is done is full, and ours
                    // since the claim (C4).
                    Outcome::Done => Ok(unsafe { node.value() }),
                    _ => Err(RecvTimeoutError::Closed),
                };
            }
            Wake::TimedOut => false,
            Wake::Reaped => true,
        };
        let mut held = chan.hold();
        // SAFETY: the lock is held, and the node is in this queue or in none.
        unsafe { held.core().receivers.remove(node.link()) };
        drop(held);
        if reaped {
            park::on_reaped();
            return Err(RecvTimeoutError::Closed);
        }
        Err(RecvTimeoutError::Timeout)
    }

    /// The channel as what one waits for who wants to do that.
    #[inline]
    pub(super) fn on(&self, side: Side) -> End<'_, T> {
        End { chan: self, side }
    }

    /// Closes the channel and wakes everybody who waits on it. False if it was
    /// closed already.
    pub(super) fn close(&self) -> bool {
        let mut held = self.hold_by(task::current());
        if mem::replace(&mut held.core().closed, true) {
            return false;
        }
        // One at a time, so that no number of waiters makes others wait long for
        // the lock. None are added (C5).
        while let Some(waiter) = held.core().refuse() {
            held.resume(waiter);
            held = self.hold();
        }
        true
    }

    /// Closes the channel and drops what is in the ring: nobody can receive
    /// any more.
    pub(super) fn abandon(&self) {
        self.close();
        // No send gets past `closed`, so the ring stays as it is left here.
        let values = mem::take(&mut self.hold().core().ring);
        drop(values);
        if let Some(timer) = self.timer {
            time::abandoned(timer);
        }
    }
}

/// A channel, and what somebody wants to do with it.
pub(super) struct End<'a, T> {
    chan: &'a Chan<T>,
    side: Side,
}

impl<T> Describe for End<'_, T> {
    fn describe(&self, pad: &mut Pad) {
        let End { chan, side } = *self;
        let len = chan.hold().core().ring.len();
        pad.add(Sketch::Channel(ChannelSketch {
            address: ptr::from_ref(chan).addr(),
            side,
            made: chan.seats.site(),
            capacity: chan.capacity,
            len,
            timer: chan.timer.is_some(),
            context: chan.context,
            senders: chan.senders.count(),
            receivers: chan.receivers.count(),
            seats: chan.seats.sketch(),
        }));
    }
}

/// A context's channel, in which nothing is ever sent.
impl Chan<()> {
    pub(super) fn of_context(site: &'static Location<'static>) -> Self {
        Chan { context: true, ..Chan::new(0, site) }
    }
}
