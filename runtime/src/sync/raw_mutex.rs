//! The lock of a [`Mutex`](super::Mutex), without the value: [`mutex_word`]'s
//! word, and the queue.
//!
//! [`mutex_word`]: super::mutex_word

use super::contended::{self, Whom};
use super::mutex_word::{MutexWord, Waiter, Wake};
use super::owner::{Holder, Owner};
use super::relock;
use super::waiters::{Held, Parked, Place, Waiters};
use crate::inspect::{WaitReason, contention};
use crate::sched::park::Park;
use crate::sys::clock;
use crate::task::{self, TaskRef, affinity::Affinity};
use std::panic::Location;
use std::time::{Duration, Instant};

/// How often a contender looks before it parks. A critical section is often
/// over sooner than a park would be.
const SPINS: u32 = 64;

/// Nanoseconds after which a waiter that comes too late demands the lock.
const STARVES_AFTER: u64 = 1_000_000;

/// The lock of a [`Mutex`](super::Mutex): what `lock_api` builds its guards on.
///
/// ```
/// use gopark::sync::RawMutex;
///
/// // The guard keeps the lock alive, so it may be returned or stored.
/// let lock = std::sync::Arc::new(lock_api::Mutex::<RawMutex, _>::new(1));
/// assert!(!lock.is_locked());
/// ```
pub struct RawMutex {
    word: MutexWord,
    waiters: Waiters,
    affinity: Affinity,
    owner: Owner,
}

/// What a wait for a lock is.
#[derive(Clone, Copy)]
pub(super) struct Wish {
    pub(super) reason: WaitReason,
    pub(super) deadline: Option<Instant>,
    pub(super) site: &'static Location<'static>,
}

impl RawMutex {
    pub(super) const fn new() -> Self {
        Self {
            word: MutexWord::new(),
            waiters: Waiters::new(),
            affinity: Affinity::new(),
            owner: Owner::nobody(),
        }
    }

    /// Takes the lock. False if the deadline passed first, or if the task is being
    /// reaped while it panics and there is a deadline, that is, an error to
    /// return.
    #[inline]
    pub(super) fn lock_as(&self, wish: Wish) -> bool {
        let me = relock::arrive(wish.site);
        if !self.word.try_lock() && !self.lock_slow(me, wish) {
            return false;
        }
        self.owned(me, wish.site);
        true
    }

    #[inline]
    pub(super) fn try_lock_at(&self, site: &'static Location<'static>) -> bool {
        let locked = self.word.try_lock();
        if locked {
            self.owned(task::current(), site);
        }
        locked
    }

    /// Takes back a lock that was given up to wait for something. Neither the
    /// reaper nor a panic ends that, since the caller's guard counts on it.
    pub(super) fn lock_again(&self, site: &'static Location<'static>) {
        let me = task::current();
        if !self.word.try_lock() {
            let how = Park::new(WaitReason::MutexLock, site).uninterruptible();
            let locked =
                contended::during(me, Whom::Owner(&self.owner), || self.wait(me, how, false));
            debug_assert!(locked, "nothing ends this wait but the lock");
        }
        self.owned(me, site);
    }

    #[inline]
    fn owned(&self, me: TaskRef, site: &'static Location<'static>) {
        self.affinity.touch_by(me.record());
        self.owner.set(me.id(), site);
    }

    /// Frees the lock and wakes the first waiter.
    #[inline]
    pub(super) fn unlock_it(&self) {
        self.owner.clear();
        if self.word.unlock() {
            self.wake_first();
        }
    }

    #[cold]
    fn wake_first(&self) {
        let mut held = self.waiters.hold();
        let wake = self.word.begin_wake();
        if wake == Wake::Nobody {
            return;
        }
        let waited = contention::counts_unlock().then(|| held.waited(1));
        let first = held.claim_first();
        self.word.end_wake(wake, first.is_some(), !held.is_empty());
        drop(held);
        if let Some(first) = first {
            first.enqueue();
        }
        if let Some(waited) = waited {
            contention::unlocked(waited);
        }
    }

    #[cold]
    #[inline(never)]
    fn lock_slow(&self, me: TaskRef, wish: Wish) -> bool {
        if self.spin() {
            return true;
        }
        // A task that waits is a user of the lock, even if it never gets it.
        self.affinity.touch_by(me.record());
        let how = Park::new(wish.reason, wish.site);
        contended::during(me, Whom::Owner(&self.owner), || match wish.deadline {
            Some(deadline) => self.wait(me, how.until(deadline), true),
            None => self.wait(me, how, false),
        })
    }

    /// Parks until the lock is ours, or one that can fail has failed.
    fn wait(&self, me: TaskRef, mut how: Park, can_fail: bool) -> bool {
        let mut who = Waiter::New;
        let mut since = 0;
        loop {
            let held = self.waiters.hold();
            if self.word.lock_or_announce(who) {
                return true;
            }
            if since == 0 {
                since = clock::now();
            }
            let place = if who == Waiter::New { Place::Back } else { Place::Front };
            match held.park(me, place, how) {
                Parked::Woken => {
                    let starves = clock::now().saturating_sub(since) >= STARVES_AFTER;
                    if self.word.is_handed_over() {
                        self.word.accept(starves);
                        return true;
                    }
                    who = if starves { Waiter::Starving } else { Waiter::Woken };
                }
                Parked::TimedOut(mut held) => {
                    self.left(&mut held);
                    return false;
                }
                Parked::Reaped(mut held) => {
                    self.left(&mut held);
                    drop(held);
                    relock::on_reaped(how.site());
                    // The task panics already. A timed wait has an error to
                    // return, any other goes on.
                    if can_fail {
                        return false;
                    }
                    how = how.uninterruptible();
                    who = Waiter::New;
                }
            }
        }
    }

    /// A waiter has left the queue by itself.
    fn left(&self, held: &mut Held<'_>) {
        if held.is_empty() {
            self.word.left_empty();
        }
    }

    /// Waits a little for a lock that changes hands quickly. Not if others wait,
    /// who came first, and not if there is no other processor on which the owner
    /// could be running.
    fn spin(&self) -> bool {
        if crate::maxprocs() == 1 {
            return false;
        }
        for _ in 0..SPINS {
            if self.word.has_waiters() {
                return false;
            }
            if !self.word.is_locked() && self.word.try_lock() {
                return true;
            }
            std::hint::spin_loop();
        }
        false
    }

    pub(super) fn owner(&self) -> &Owner {
        &self.owner
    }

    pub(super) fn holder(&self) -> Option<Holder> {
        self.owner.get()
    }

    pub(super) fn is_locked_now(&self) -> bool {
        self.word.is_locked()
    }
}

// SAFETY: MutexWord lets one owner in at a time, until it unlocks; the models
// (`mutex`) check that.
unsafe impl lock_api::RawMutex for RawMutex {
    const INIT: Self = Self::new();

    type GuardMarker = lock_api::GuardNoSend;

    #[track_caller]
    #[inline]
    fn lock(&self) {
        let site = Location::caller();
        let locked = self.lock_as(Wish { reason: WaitReason::MutexLock, deadline: None, site });
        debug_assert!(locked, "a wait without deadline ended without the lock");
    }

    /// No safepoint: lock_api's `Debug` calls it, in the middle of a `println!`,
    /// which holds a lock of std.
    #[track_caller]
    #[inline]
    fn try_lock(&self) -> bool {
        self.try_lock_at(Location::caller())
    }

    #[inline]
    unsafe fn unlock(&self) {
        self.unlock_it();
    }

    #[inline]
    fn is_locked(&self) -> bool {
        self.is_locked_now()
    }
}

// SAFETY: as above; what these return is what the word says.
unsafe impl lock_api::RawMutexTimed for RawMutex {
    type Duration = Duration;
    type Instant = Instant;

    #[track_caller]
    fn try_lock_for(&self, timeout: Duration) -> bool {
        task::pass_by();
        let site = Location::caller();
        // The clock is read only when there is something to wait for. A deadline
        // beyond its range is none.
        self.try_lock_at(site) || {
            let deadline = Instant::now().checked_add(timeout);
            self.lock_as(Wish { reason: WaitReason::MutexLock, deadline, site })
        }
    }

    #[track_caller]
    fn try_lock_until(&self, deadline: Instant) -> bool {
        task::pass_by();
        let site = Location::caller();
        self.try_lock_at(site) || {
            let deadline = Some(deadline);
            self.lock_as(Wish { reason: WaitReason::MutexLock, deadline, site })
        }
    }
}
