//! Where tasks wait for a lock, a group, a condition: a queue and the lock around
//! it.
//!
//! This is the safe face of [`Queue`](crate::chan::waitq): it makes the
//! waiter's node itself, in the frame of [`Held::park`], and takes it off the
//! queue before that frame ends. What stands beside it here has no unsafe code
//! for waiting.
//!
//! # Invariants
//!
//! - **S1** `inner` is reached only through a [`Held`], which exists only while
//!   its thread holds `lock`.
//! - **S2** [`Held::park`] returns only when its link is off the queue: after
//!   `Ready` the waker has unlinked it, else the frame removes it. (This is W2
//!   of `waitq`.)

use crate::chan::waitq::{Link, Queue};
use crate::inspect::contention::Waited;
use crate::sched::park::{self, Claimed, Commit, Park, Wake};
use crate::sys::clock;
use crate::sys::lock::RawLock;
use crate::task::TaskRef;
use crate::task::subject::{Describe, Subject};
use std::cell::UnsafeCell;
use std::mem::ManuallyDrop;
use std::ptr;

pub(crate) struct Waiters {
    lock: RawLock,
    inner: UnsafeCell<Inner>,
}

struct Inner {
    queue: Queue,
    /// Rounds that have ended; a waiter's tag is the number when it queued,
    /// unless it brings its own.
    rounds: u32,
    /// Who has joined the present round and has not left it.
    members: u32,
}

// SAFETY: the queue, with its raw pointers, is reached under the lock only (S1).
unsafe impl Send for Waiters {}
// SAFETY: as above.
unsafe impl Sync for Waiters {}

/// Proof that the queue is locked. Dropping it unlocks.
pub(crate) struct Held<'a> {
    waiters: &'a Waiters,
}

/// Where a waiter goes in the queue.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Behind all others: it came last.
    Back,
    /// Before all others: it was first already, was woken, and came too late.
    Front,
}

/// How a park ended.
pub(crate) enum Parked<'a> {
    /// A waker took the task out of the queue.
    Woken,
    /// The deadline passed; the task is out of the queue, and the queue locked
    /// again.
    TimedOut(Held<'a>),
    /// The reaper wants the task; else as above.
    Reaped(Held<'a>),
}

impl Waiters {
    pub(crate) const fn new() -> Self {
        Self {
            lock: RawLock::new(),
            inner: UnsafeCell::new(Inner { queue: Queue::new(), rounds: 0, members: 0 }),
        }
    }

    #[inline]
    pub(crate) fn hold(&self) -> Held<'_> {
        self.lock.lock();
        Held { waiters: self }
    }

    pub(crate) fn lock(&self) -> &RawLock {
        &self.lock
    }

    /// The queue, which a select has locked, and keeps locked.
    ///
    /// # Safety
    /// The calling thread holds the lock, and nothing else uses that at the same
    /// time (S1).
    pub(crate) unsafe fn held(&self) -> ManuallyDrop<Held<'_>> {
        ManuallyDrop::new(Held { waiters: self })
    }
}

impl<'a> Held<'a> {
    #[inline]
    fn inner(&mut self) -> &mut Inner {
        // SAFETY: S1; the borrow of `self` makes it the only one.
        unsafe { &mut *self.waiters.inner.get() }
    }

    pub(crate) fn is_empty(&mut self) -> bool {
        self.inner().queue.is_empty()
    }

    /// So many of those that wait, from the first on, and how long they have.
    pub(crate) fn waited(&mut self, most: usize) -> Waited {
        let now = clock::now();
        // SAFETY: S1.
        let since = unsafe { self.inner().queue.since() };
        since.take(most).fold(Waited::default(), |all, since| Waited {
            count: all.count + 1,
            time: all.time + now.saturating_sub(since),
        })
    }

    /// The first waiter that still waits, out of the queue. The caller enqueues
    /// it after unlocking.
    #[must_use]
    pub(crate) fn claim_first(&mut self) -> Option<Claimed> {
        // SAFETY: S1. There is nothing to tell these waiters.
        unsafe { self.inner().queue.claim_first(|_| ()) }
    }

    /// The first waiter that still waits, if its tag will do, with the tag.
    #[must_use]
    pub(crate) fn claim_first_if(
        &mut self,
        mut will_do: impl FnMut(u32) -> bool,
    ) -> Option<(u32, Claimed)> {
        let queue = &mut self.inner().queue;
        // SAFETY: S1.
        unsafe {
            while let Some(tag) = queue.first_tag().filter(|tag| will_do(*tag)) {
                if let Some(claimed) = queue.try_first(|_| ()).flatten() {
                    return Some((tag, claimed));
                }
            }
        }
        None
    }

    /// Counts a waiter that is about to park among those of the present round.
    #[must_use]
    pub(crate) fn join_round(&mut self) -> u32 {
        let inner = self.inner();
        inner.members += 1;
        inner.rounds
    }

    /// By a waiter that was not woken. `true`: its round is over, so it belongs
    /// to those for whom that was done.
    #[must_use]
    pub(crate) fn leave_round(&mut self, round: u32) -> bool {
        let inner = self.inner();
        let over = inner.rounds != round;
        if !over {
            inner.members -= 1;
        }
        over
    }

    /// How many have joined the present round.
    pub(crate) fn members(&mut self) -> u32 {
        self.inner().members
    }

    /// Puts a waiter of a select behind all others, in the present round.
    ///
    /// # Safety
    /// The link is assigned and in no queue, and its frame keeps W2.
    pub(crate) unsafe fn push(&mut self, link: &Link) {
        let round = self.inner().rounds;
        // SAFETY: by contract.
        unsafe { self.push_tagged(link, round) };
    }

    /// The same with a tag for [`claim_first_if`](Self::claim_first_if).
    ///
    /// # Safety
    /// As there.
    pub(crate) unsafe fn push_tagged(&mut self, link: &Link, tag: u32) {
        link.set_tag(tag);
        // SAFETY: S1; the rest by contract.
        unsafe { self.inner().queue.push_back(link) };
    }

    /// Takes a waiter of a select out of the queue, if it is still there.
    ///
    /// # Safety
    /// The link is in this queue or in none.
    pub(crate) unsafe fn remove(&mut self, link: &Link) {
        // SAFETY: S1; the rest by contract.
        unsafe { self.inner().queue.remove(link) };
    }

    /// Unlocks, and wakes all who are in the queue now; none of those who come
    /// meanwhile.
    pub(crate) fn end_round(mut self) {
        let round = self.close_round();
        self.wake_round(round);
    }

    /// Ends the present round: who is in it belongs to those for whom that was done,
    /// and [`wake_round`](Self::wake_round) follows.
    #[must_use]
    pub(crate) fn close_round(&mut self) -> u32 {
        let inner = self.inner();
        let round = inner.rounds;
        inner.rounds = round.wrapping_add(1);
        inner.members = 0;
        round
    }

    /// Unlocks, and wakes those of a round that was closed and of those before it.
    pub(crate) fn wake_round(mut self, round: u32) {
        while let Some(waiter) = self.claim_first_of(round) {
            // One at a time, so that no number of waiters makes others wait long
            // for the lock.
            let waiters = self.waiters;
            drop(self);
            waiter.enqueue();
            self = waiters.hold();
        }
    }

    /// The first waiter of a round or of those before it. Newcomers queue at the
    /// back, so rounds follow each other.
    fn claim_first_of(&mut self, round: u32) -> Option<Claimed> {
        let queue = &mut self.inner().queue;
        // SAFETY: S1.
        unsafe {
            while queue.first_tag().is_some_and(|tag| round.wrapping_sub(tag) < u32::MAX / 2) {
                if let Some(claimed) = queue.try_first(|_| ()).flatten() {
                    return Some(claimed);
                }
            }
        }
        None
    }

    /// Parks the current task `me` in the queue; the lock is released once it
    /// is parked.
    #[inline]
    pub(crate) fn park(mut self, me: TaskRef, place: Place, how: Park) -> Parked<'a> {
        let round = self.inner().rounds;
        let lock = &self.waiters.lock;
        self.park_as(me, place, round, how, None, lock)
    }

    /// [`park`](Self::park) behind all others, and observers may see what for.
    pub(crate) fn park_on<D: Describe>(mut self, me: TaskRef, how: Park, on: &D) -> Parked<'a> {
        let round = self.inner().rounds;
        let lock = &self.waiters.lock;
        self.park_as(me, Place::Back, round, how, Some(&Subject::of(on)), lock)
    }

    /// [`park`](Self::park) with a tag for [`claim_first_if`](Self::claim_first_if).
    pub(crate) fn park_tagged<D: Describe>(
        self,
        me: TaskRef,
        tag: u32,
        how: Park,
        on: &D,
    ) -> Parked<'a> {
        let lock = &self.waiters.lock;
        self.park_as(me, Place::Back, tag, how, Some(&Subject::of(on)), lock)
    }

    /// [`park`](Self::park), and once the task is parked and the queue unlocked,
    /// `then` runs. If it does not park at all, `then` does not run.
    pub(crate) fn park_then<D: Describe>(
        mut self,
        me: TaskRef,
        how: Park,
        on: &D,
        then: &dyn Fn(),
    ) -> Parked<'a> {
        let round = self.inner().rounds;
        let commit = Then { lock: &self.waiters.lock, then };
        self.park_as(me, Place::Back, round, how, Some(&Subject::of(on)), &commit)
    }

    #[inline(never)]
    fn park_as<C: Commit>(
        mut self,
        me: TaskRef,
        place: Place,
        tag: u32,
        how: Park,
        on: Option<&Subject>,
        commit: &C,
    ) -> Parked<'a> {
        let waiters = self.waiters;
        let link = Link::new(me, tag);
        let at = ptr::from_ref(&link);
        // SAFETY: S1; the link is off the queue again before this frame ends (S2).
        unsafe {
            match place {
                Place::Back => self.inner().queue.push_back(at),
                Place::Front => self.inner().queue.push_front(at),
            }
        }
        // The commit unlocks.
        let _held = ManuallyDrop::new(self);
        let wake = match on {
            Some(on) => park::park_on(how, on, commit),
            None => park::park(how, commit),
        };
        if let Wake::Ready = wake {
            return Parked::Woken;
        }
        let mut held = waiters.hold();
        // SAFETY: S1; the link is in this queue or in none.
        unsafe { held.inner().queue.remove(at) };
        match wake {
            Wake::Reaped => Parked::Reaped(held),
            _ => Parked::TimedOut(held),
        }
    }
}

/// Unlocks the queue, and then does something else. Held, because a waker may
/// find the task once the queue is unlocked, and `then` stands on its stack.
struct Then<'a> {
    lock: &'a RawLock,
    then: &'a dyn Fn(),
}

impl Commit for Then<'_> {
    const HELD: bool = true;

    fn commit(&self) -> bool {
        let parked = self.lock.commit();
        (self.then)();
        parked
    }

    fn cancel(&self) {
        self.lock.cancel();
    }
}

impl Drop for Held<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: a `Held` exists only while the lock is held (S1).
        unsafe { self.waiters.lock.unlock() };
    }
}
