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
//! node in the parked frame; whoever claims the waiter moves the value in or out
//! before it enqueues the task. So a value is always in exactly one place: with
//! a caller, in the ring, or in the slot of one node.
//!
//! | a node's `outcome` | set by | the slot of a sender | the slot of a receiver |
//! |---|---|---|---|
//! | `Pending` | the parking task | full | empty |
//! | `Done` | the partner, after its claim | empty | full |
//! | `Closed` | `close`, after its claim | full | empty |
//!
//! # Invariants
//!
//! - **C1** `core` is reached only through a [`Held`], which exists only while
//!   its thread holds `lock`.
//! - **C2** No user code runs and nothing is allocated or freed while a `Held`
//!   exists: values are moved, never dropped, compared or cloned under the
//!   lock. The ring has its full capacity from the start.
//! - **C3** A queued link is the first field of a [`Waiter`] of this channel's
//!   `T`, and the pointer in the queue is derived from the whole node.
//! - **C4** Slot and outcome of a node belong to the parked frame, except between
//!   a partner's claim and its enqueue, when they belong to the partner (W3 of
//!   [`waitq`](super::waitq)). The slot is full or empty as the table says.
//! - **C5** In a closed channel no sender waits, and none will: `close` claims
//!   all, and a send looks at `closed` first.
//! - **C6** Waiting receivers imply an empty ring, waiting senders a full one.
//!   (A waiter whose claim would fail counts as not waiting.)

use super::error::{RecvTimeoutError, SendTimeoutError, TryRecvError, TrySendError};
use super::waitq::{Batch, Link, Queue};
use crate::inspect::WaitReason;
use crate::sched::park::{self, Claimed, Park, Wake};
use crate::sys::lock::RawLock;
use crate::task::{self, affinity::Affinity};
use std::cell::{Cell, UnsafeCell};
use std::collections::VecDeque;
use std::mem::{self, ManuallyDrop, MaybeUninit};
use std::panic::Location;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// A channel, shared by its handles.
pub(super) struct Chan<T> {
    lock: RawLock,
    core: UnsafeCell<Core<T>>,
    capacity: usize,
    /// Living handles of either kind; the last one of a kind closes.
    pub(super) senders: Handles,
    pub(super) receivers: Handles,
}

struct Core<T> {
    closed: bool,
    ring: VecDeque<T>,
    receivers: Queue,
    senders: Queue,
    affinity: Affinity,
}

// SAFETY: the handles move values of T between threads and never share one;
// `core`, with its raw pointers, is reached under the lock only (C1).
unsafe impl<T: Send> Send for Chan<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Chan<T> {}

/// A parked sender or receiver.
#[repr(C)]
struct Waiter<T> {
    link: Link,
    outcome: Cell<Outcome>,
    slot: UnsafeCell<MaybeUninit<T>>,
}

#[derive(Clone, Copy)]
enum Outcome {
    Pending,
    Done,
    Closed,
}

impl<T> Waiter<T> {
    #[inline]
    fn new(slot: MaybeUninit<T>) -> Self {
        Self {
            link: Link::new(task::current()),
            outcome: Cell::new(Outcome::Pending),
            slot: UnsafeCell::new(slot),
        }
    }

    #[inline]
    fn link(&self) -> *const Link {
        ptr::from_ref(self).cast()
    }
}

/// A partner's node, claimed and not yet enqueued.
struct Partner<T> {
    node: *const Waiter<T>,
    claimed: Claimed,
}

impl<T> Partner<T> {
    /// The next claimable waiter of a queue of this channel.
    #[inline]
    fn first(queue: &mut Queue) -> Option<Self> {
        // SAFETY: a `&mut Queue` of a channel is reached under its lock (C1).
        let (link, claimed) = unsafe { queue.claim_first() }?;
        Some(Self {
            node: link.cast(), // C3
            claimed,
        })
    }

    /// Fills a receiver's slot.
    #[inline]
    fn give(&self, value: T) {
        // SAFETY: the node is ours and its slot empty (C4).
        unsafe {
            (*(*self.node).slot.get()).write(value);
            (*self.node).outcome.set(Outcome::Done);
        }
    }

    /// Empties a sender's slot.
    #[inline]
    fn take(&self) -> T {
        // SAFETY: the node is ours and its slot full (C4); `Done` says that it
        // is empty now.
        unsafe {
            (*self.node).outcome.set(Outcome::Done);
            (*(*self.node).slot.get()).assume_init_read()
        }
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
    fn park(self, how: Park) -> Wake {
        let held = ManuallyDrop::new(self);
        park::park(how, &held.chan.lock)
    }

    /// Unlocks and lets the partner go.
    #[inline]
    fn resume(self, partner: Partner<T>) {
        drop(self);
        partner.claimed.enqueue();
    }
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
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            lock: RawLock::new(),
            core: UnsafeCell::new(Core {
                closed: false,
                ring: VecDeque::with_capacity(capacity),
                receivers: Queue::new(),
                senders: Queue::new(),
                affinity: Affinity::new(),
            }),
            capacity,
            senders: Handles::one(),
            receivers: Handles::one(),
        }
    }

    #[inline]
    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(super) fn len(&self) -> usize {
        self.hold().core().ring.len()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.hold().core().closed
    }

    #[inline]
    fn hold(&self) -> Held<'_, T> {
        self.lock.lock();
        let mut held = Held { chan: self };
        held.core().affinity.touch();
        held
    }

    #[inline]
    fn offer(&self, value: T) -> Offer<'_, T> {
        let mut held = self.hold();
        let core = held.core();
        if core.closed {
            return Offer::Closed(value);
        }
        if let Some(receiver) = Partner::first(&mut core.receivers) {
            receiver.give(value);
            held.resume(receiver);
            return Offer::Sent;
        }
        if core.ring.len() < self.capacity {
            core.ring.push_back(value);
            return Offer::Sent;
        }
        Offer::Full(held, value)
    }

    #[inline]
    fn take(&self) -> Take<'_, T> {
        let mut held = self.hold();
        let core = held.core();
        if let Some(value) = core.ring.pop_front() {
            if let Some(sender) = Partner::first(&mut core.senders) {
                core.ring.push_back(sender.take());
                held.resume(sender);
            }
            return Take::Got(value);
        }
        if let Some(sender) = Partner::first(&mut core.senders) {
            let value = sender.take();
            held.resume(sender);
            return Take::Got(value);
        }
        if core.closed {
            return Take::Closed;
        }
        Take::Empty(held)
    }

    #[inline]
    pub(super) fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        match self.offer(value) {
            Offer::Sent => Ok(()),
            Offer::Closed(value) => Err(TrySendError::Closed(value)),
            Offer::Full(held, value) => {
                drop(held);
                Err(TrySendError::Full(value))
            }
        }
    }

    #[inline]
    pub(super) fn try_recv(&self) -> Result<T, TryRecvError> {
        match self.take() {
            Take::Got(value) => Ok(value),
            Take::Closed => Err(TryRecvError::Closed),
            Take::Empty(_) => Err(TryRecvError::Empty),
        }
    }

    #[inline]
    pub(super) fn send(
        &self,
        value: T,
        deadline: Option<Instant>,
        site: &'static Location<'static>,
    ) -> Result<(), SendTimeoutError<T>> {
        task::check_reap();
        match self.offer(value) {
            Offer::Sent => Ok(()),
            Offer::Closed(value) => Err(SendTimeoutError::Closed(value)),
            Offer::Full(held, value) => Self::park_send(held, value, deadline, site),
        }
    }

    #[inline]
    pub(super) fn recv(
        &self,
        deadline: Option<Instant>,
        site: &'static Location<'static>,
    ) -> Result<T, RecvTimeoutError> {
        task::check_reap();
        match self.take() {
            Take::Got(value) => Ok(value),
            Take::Closed => Err(RecvTimeoutError::Closed),
            Take::Empty(held) => Self::park_recv(held, deadline, site),
        }
    }

    #[inline(never)]
    fn park_send(
        mut held: Held<'_, T>,
        value: T,
        deadline: Option<Instant>,
        site: &'static Location<'static>,
    ) -> Result<(), SendTimeoutError<T>> {
        let chan = held.chan;
        let node = Waiter::new(MaybeUninit::new(value));
        // SAFETY: the lock is held (C1). The node leaves the queue before this
        // frame ends: by the partner after `Ready`, else by withdraw() (W2).
        unsafe { held.core().senders.push_back(node.link()) };
        let wake = held.park(how(WaitReason::ChanSend, deadline, site));
        let reaped = match wake {
            Wake::Ready => {
                return match node.outcome.get() {
                    Outcome::Closed => {
                        // SAFETY: the slot of a sender that was closed on is full (C4).
                        Err(SendTimeoutError::Closed(unsafe { node.slot.get().read().assume_init() }))
                    }
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
        // SAFETY: no partner has claimed this task, so the slot is full (C4).
        let value = unsafe { node.slot.get().read().assume_init() };
        if reaped {
            // An unwind from here drops the value: it was not sent.
            park::on_reaped();
            return Err(SendTimeoutError::Closed(value));
        }
        Err(SendTimeoutError::Timeout(value))
    }

    #[inline(never)]
    fn park_recv(
        mut held: Held<'_, T>,
        deadline: Option<Instant>,
        site: &'static Location<'static>,
    ) -> Result<T, RecvTimeoutError> {
        let chan = held.chan;
        let node = Waiter::<T>::new(MaybeUninit::uninit());
        // SAFETY: as in park_send().
        unsafe { held.core().receivers.push_back(node.link()) };
        let wake = held.park(how(WaitReason::ChanReceive, deadline, site));
        let reaped = match wake {
            Wake::Ready => {
                return match node.outcome.get() {
                    // SAFETY: the slot of a receiver that is done is full (C4).
                    Outcome::Done => Ok(unsafe { node.slot.get().read().assume_init() }),
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

    /// Closes the channel and wakes everybody who waits on it. False if it was
    /// closed already.
    pub(super) fn close(&self) -> bool {
        let mut held = self.hold();
        let core = held.core();
        if mem::replace(&mut core.closed, true) {
            return false;
        }
        let mut woken = Batch::new();
        for queue in [&mut core.receivers, &mut core.senders] {
            while let Some(Partner { node, claimed }) = Partner::<T>::first(queue) {
                // SAFETY: the node is ours (C4), and stays so until the batch,
                // which drops after the lock, enqueues it.
                unsafe {
                    (*node).outcome.set(Outcome::Closed);
                    woken.push(node.cast(), claimed);
                }
            }
        }
        drop(held);
        drop(woken);
        true
    }

    /// Closes the channel and drops what is in the ring: nobody can receive
    /// any more.
    pub(super) fn abandon(&self) {
        self.close();
        // No send gets past `closed`, so the ring stays as it is left here.
        let values = mem::take(&mut self.hold().core().ring);
        drop(values);
    }
}

fn how(reason: WaitReason, deadline: Option<Instant>, site: &'static Location<'static>) -> Park {
    let park = Park::new(reason, site);
    match deadline {
        Some(deadline) => park.until(deadline),
        None => park,
    }
}

/// How many handles of one kind are alive.
///
/// Overflow is out of reach: each handle also holds a count of the `Arc`, which
/// aborts before it overflows.
pub(super) struct Handles(AtomicUsize);

impl Handles {
    fn one() -> Self {
        Self(AtomicUsize::new(1))
    }

    #[inline]
    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// True for the last one.
    #[inline]
    pub(super) fn remove(&self) -> bool {
        // ORDERING: AcqRel; pairs with itself in the other handles' remove().
        // What they did with the channel comes before the close by the last.
        self.0.fetch_sub(1, Ordering::AcqRel) == 1
    }
}
