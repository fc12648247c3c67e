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
//! | after `Wake::Ready` a node's `outcome` is | set by | slot of a sender | slot of a receiver |
//! |---|---|---|---|
//! | `Done` | the partner, before its claim | empty | full |
//! | `Closed` | `close`, before its claim | full | empty |
//!
//! After any other wake-up the outcome means nothing; a sender's slot is full and
//! a receiver's is empty.
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

use super::error::{RecvTimeoutError, SendTimeoutError, TryRecvError, TrySendError};
use super::seat::{Mark, Seats};
use super::shared::{Handles, Kinds};
use super::waitq::{Link, Queue};
use crate::sched::park::{self, Claimed, Park, Wake};
use crate::sys::lock::RawLock;
use crate::task::subject::{ChannelSketch, Describe, Pad, Sketch, Subject};
use crate::task::{self, TaskRef, affinity::Affinity};
use crate::time::{self, Node};
use std::cell::{Cell, UnsafeCell};
use std::collections::VecDeque;
use std::mem::{self, ManuallyDrop, MaybeUninit};
use std::panic::Location;
use std::ptr;
use std::time::Instant;

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

/// A parked sender or receiver.
#[repr(C)]
pub(super) struct Waiter<T> {
    link: Link,
    outcome: Cell<Outcome>,
    slot: UnsafeCell<MaybeUninit<T>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    Closed,
}

impl<T> Waiter<T> {
    #[inline]
    fn new(me: TaskRef, slot: MaybeUninit<T>) -> Self {
        Self {
            link: Link::new(me, 0),
            outcome: Cell::new(Outcome::Closed),
            slot: UnsafeCell::new(slot),
        }
    }

    /// Of a case of a select; its task is not known yet.
    #[inline]
    pub(super) fn vacant(slot: MaybeUninit<T>) -> Self {
        Self {
            link: Link::vacant(),
            outcome: Cell::new(Outcome::Closed),
            slot: UnsafeCell::new(slot),
        }
    }

    /// Says whose it is, and which case of its select; before it is queued.
    #[inline]
    pub(super) fn assign(&self, me: TaskRef, case: u16) {
        self.link.assign(me, case);
    }

    /// Whether no partner has served it. Under the lock.
    pub(super) fn is_queued(&self) -> bool {
        self.link.is_queued()
    }

    /// After `Wake::Ready`, and for the case that was served.
    #[inline]
    pub(super) fn outcome(&self) -> Outcome {
        self.outcome.get()
    }

    #[inline]
    fn link(&self) -> *const Link {
        ptr::from_ref(self).cast()
    }

    /// Empties the slot.
    ///
    /// # Safety
    /// It is full, and the caller may touch it (C4).
    #[inline]
    pub(super) unsafe fn value(&self) -> T {
        // SAFETY: by contract.
        unsafe { (*self.slot.get()).assume_init_read() }
    }

    /// Fills the slot.
    ///
    /// # Safety
    /// It is empty, and the caller may touch it (C4).
    #[inline]
    pub(super) unsafe fn fill(&self, value: T) {
        // SAFETY: by contract.
        unsafe { (*self.slot.get()).write(value) };
    }
}

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

impl<T> Core<T> {
    /// Gives the value to the first waiting receiver, or back.
    #[inline]
    fn give(&mut self, value: T) -> Result<Claimed, T> {
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
    fn fetch(&mut self) -> Option<(T, Claimed)> {
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

    fn side(&mut self, side: Side) -> &mut Queue {
        match side {
            Side::Send => &mut self.senders,
            Side::Recv => &mut self.receivers,
        }
    }

    /// Tells one of those who wait that the channel is closed.
    fn refuse(&mut self) -> Option<Claimed> {
        let refuse = |link: *const Link| {
            // SAFETY: as in give(); the slot stays as it is.
            unsafe { &*link.cast::<Waiter<T>>() }.outcome.set(Outcome::Closed);
        };
        // SAFETY: as in give().
        unsafe { self.receivers.claim_first(refuse).or_else(|| self.senders.claim_first(refuse)) }
    }
}

/// What became of a case of a select.
pub(crate) enum Attempt {
    NotYet,
    /// Done, and the partner is to be enqueued after the unlock.
    Done(Option<Claimed>),
    Closed,
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
                return match node.outcome.get() {
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
                return match node.outcome.get() {
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

    #[inline]
    pub(super) fn lock(&self) -> &RawLock {
        &self.lock
    }

    /// Notes that `me` uses the channel, through the handle with that mark; not
    /// under its lock (C2).
    #[inline]
    pub(super) fn touch(&self, me: TaskRef, mark: &Mark) {
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
    pub(super) unsafe fn attempt_send(&self, node: &Waiter<T>) -> Attempt {
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
    pub(super) unsafe fn attempt_recv(&self, node: &Waiter<T>) -> Attempt {
        // SAFETY: by contract.
        unsafe {
            let mut held = self.held();
            let core = held.core();
            let buffered = core.ring.pop_front();
            // As in take().
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
    pub(super) unsafe fn queue(&self, side: Side, node: &Waiter<T>) {
        // SAFETY: by contract.
        unsafe { self.held().core().side(side).push_back(node.link()) }
    }

    /// Takes a node out of its queue, if it is still there.
    ///
    /// # Safety
    /// The lock is held; the node was queued on that side.
    #[inline]
    pub(super) unsafe fn unqueue(&self, side: Side, node: &Waiter<T>) {
        // SAFETY: by contract.
        unsafe { self.held().core().side(side).remove(node.link()) }
    }

    /// Takes a value back that a receiver was given who does not want it any more: it
    /// goes to the next one, or before all others in the ring, beyond its capacity if
    /// need be. A timer's is dropped if the next one is there.
    #[cold]
    pub(super) fn hand_back(&self, mut value: T) {
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

/// A timer's channel. It has receivers only; the node knows it until the last of
/// them is gone.
impl Chan<Instant> {
    pub(super) fn of_timer(node: &'static Node, site: &'static Location<'static>) -> Self {
        let chan = Chan { timer: Some(node), kinds: Kinds::new(1), ..Chan::new(1, site) };
        // Whoever makes it has a part in what it wakes.
        chan.affinity.touch_by(task::current().record());
        chan
    }

    /// Sends the time, unless the one before has not been received yet. Allocates
    /// nothing. The caller enqueues who receives it.
    pub(crate) fn tick(&self, now: Instant) -> Option<Claimed> {
        let mut held = self.hold();
        let core = held.core();
        if core.closed {
            return None;
        }
        match core.give(now) {
            Ok(receiver) => Some(receiver),
            Err(now) => {
                if core.ring.is_empty() {
                    core.ring.push_back(now);
                }
                None
            }
        }
    }

    /// Takes the value back that nobody has received. Whether there was one.
    pub(crate) fn take_tick(&self) -> bool {
        self.hold().core().ring.pop_front().is_some()
    }
}
