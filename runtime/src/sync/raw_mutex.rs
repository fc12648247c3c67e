//! The lock word of a [`Mutex`](super::Mutex), without the value.
//!
//! Go's normal mode: an unlock frees the lock and wakes the first waiter, which
//! then competes for it with whoever is running and wants it too. Those are
//! often faster, which is what makes the lock cheap: it changes hands without a
//! task switch. A waiter that was woken and came too late goes back to the front.
//!
//! # The state word
//!
//! | bit | set | means |
//! |---|---|---|
//! | `LOCKED` | by the new owner | somebody has the lock |
//! | `QUEUED` | by a waiter, with the queue locked | the queue may not be empty; an unlock has to look |
//! | `WOKEN` | by an unlock, with the queue locked | a waiter was woken and has not yet tried its luck; no second one is woken meanwhile |
//!
//! | from => to | who |
//! |---|---|
//! | `0 => L` | `lock`, the fast path |
//! | `x => x + L` | `try_lock`, and a waiter before it parks |
//! | `xLW => x + L − W`, or with `L` set already `x + Q − W` | the woken waiter, which gets the lock or queues again |
//! | `L + x => L + Q + x` | a waiter with the queue locked, which then queues and parks |
//! | `x + L => x` | `unlock`; if `Q` is set and `W` is not, it goes on to `wake_one` |
//! | `Q => W`, `Q => Q + W` | `wake_one` with the queue locked; without `Q` if it took the last one |
//! | `Q + x => x` | whoever leaves the queue empty, with the queue locked |
//!
//! **No wake-up is lost.** A waiter sets `QUEUED` in the same atomic step in which
//! it sees `LOCKED`, so the owner's unlock comes later and sees it. That unlock
//! either finds `WOKEN` clear and takes the queue's lock, where it finds the
//! waiter, which entered the queue before it released that lock. Or it finds
//! `WOKEN` set: then there is a woken waiter that will get the lock, and unlock
//! it again, or find it locked, and queue and clear `WOKEN` in one step, before
//! the next unlock. A waiter that was claimed by its timer or the reaper was not
//! woken (one claim wins), so `WOKEN` never belongs to somebody who leaves.

use super::owner::{Holder, Owner};
use super::waiters::{Held, Parked, Place, Waiters};
use crate::inspect::WaitReason;
use crate::sched::park::{self, Park};
use crate::task::{self, TaskRef, affinity::Affinity};
use std::panic::Location;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

const LOCKED: u32 = 1;
const QUEUED: u32 = 1 << 1;
const WOKEN: u32 = 1 << 2;

/// How often a contender looks before it parks. A critical section is often
/// over sooner than a park would be.
const SPINS: u32 = 64;

pub(crate) struct RawMutex {
    state: AtomicU32,
    waiters: Waiters,
    affinity: Affinity,
    owner: Owner,
}

impl RawMutex {
    pub(crate) const fn new() -> Self {
        Self {
            state: AtomicU32::new(0),
            waiters: Waiters::new(),
            affinity: Affinity::new(),
            owner: Owner::nobody(),
        }
    }

    /// Takes the lock. False if the deadline passed first, or if the task is being
    /// reaped while it panics and there is a deadline, that is, an error to
    /// return.
    #[inline]
    pub(crate) fn lock(&self, deadline: Option<Instant>, site: &'static Location<'static>) -> bool {
        let me = task::arrive();
        // ORDERING: Acquire; pairs with the Release in unlock(). What the former
        // owners did to the value is visible.
        let free =
            self.state.compare_exchange(0, LOCKED, Ordering::Acquire, Ordering::Relaxed).is_ok();
        if !free && !self.lock_slow(me, deadline, site) {
            return false;
        }
        self.owned(me, site);
        true
    }

    #[inline]
    pub(crate) fn try_lock(&self, site: &'static Location<'static>) -> bool {
        let mut state = self.state.load(Ordering::Relaxed);
        while state & LOCKED == 0 {
            // ORDERING: Acquire, as in lock().
            match self.state.compare_exchange_weak(
                state,
                state | LOCKED,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => {
                    self.owned(task::current(), site);
                    return true;
                }
                Err(now) => state = now,
            }
        }
        false
    }

    #[inline]
    fn owned(&self, me: TaskRef, site: &'static Location<'static>) {
        self.affinity.touch_by(me.record());
        self.owner.set(me.id(), site);
    }

    /// Frees the lock and wakes the first waiter.
    #[inline]
    pub(crate) fn unlock(&self) {
        self.owner.clear();
        // ORDERING: Release; pairs with the Acquire of the next owner.
        let state = self.state.fetch_and(!LOCKED, Ordering::Release);
        debug_assert!(state & LOCKED != 0, "unlock of a lock that nobody has");
        if state & (QUEUED | WOKEN) == QUEUED {
            self.wake_one();
        }
    }

    #[cold]
    fn wake_one(&self) {
        let mut held = self.waiters.hold();
        if self.state.load(Ordering::Relaxed) & (LOCKED | WOKEN) != 0 {
            // Somebody has the lock by now and will unlock it, or a waiter is on
            // its way already.
            return;
        }
        let first = held.claim_first();
        // Both bits are set and QUEUED is cleared only with the queue locked, as
        // it is here.
        if first.is_some() {
            self.state.fetch_or(WOKEN, Ordering::Relaxed);
        }
        if held.is_empty() {
            self.state.fetch_and(!QUEUED, Ordering::Relaxed);
        }
        drop(held);
        if let Some(first) = first {
            first.enqueue();
        }
    }

    #[cold]
    #[inline(never)]
    fn lock_slow(
        &self,
        me: TaskRef,
        deadline: Option<Instant>,
        site: &'static Location<'static>,
    ) -> bool {
        if self.spin() {
            return true;
        }
        // A task that waits is a user of the lock, even if it never gets it.
        self.affinity.touch_by(me.record());
        let mut how = Park::new(WaitReason::MutexLock, site);
        if let Some(deadline) = deadline {
            how = how.until(deadline);
        }
        // WOKEN while it is ours to clear.
        let mut woken = 0;
        loop {
            let held = self.waiters.hold();
            if self.lock_or_announce(woken) {
                return true;
            }
            let place = if woken == 0 { Place::Back } else { Place::Front };
            match held.park(me, place, how) {
                Parked::Woken => woken = WOKEN,
                Parked::TimedOut(mut held) => {
                    self.left(&mut held);
                    return false;
                }
                Parked::Reaped(mut held) => {
                    self.left(&mut held);
                    drop(held);
                    park::on_reaped();
                    // The task panics already. A timed wait has an error to
                    // return, any other goes on.
                    if deadline.is_some() {
                        return false;
                    }
                    how = how.uninterruptible();
                    woken = 0;
                }
            }
        }
    }

    /// Takes the lock if it is free; else makes the owner's unlock look into
    /// the queue. Clears `woken`. The queue is locked.
    fn lock_or_announce(&self, woken: u32) -> bool {
        let mut state = self.state.load(Ordering::Relaxed);
        loop {
            let add = if state & LOCKED == 0 { LOCKED } else { QUEUED };
            // ORDERING: Acquire, as in lock().
            match self.state.compare_exchange_weak(
                state,
                (state | add) & !woken,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return add == LOCKED,
                Err(now) => state = now,
            }
        }
    }

    /// A waiter has left the queue by itself.
    fn left(&self, held: &mut Held<'_>) {
        if held.is_empty() {
            self.state.fetch_and(!QUEUED, Ordering::Relaxed);
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
            let state = self.state.load(Ordering::Relaxed);
            if state & QUEUED != 0 {
                return false;
            }
            // ORDERING: Acquire, as in lock().
            if state & LOCKED == 0
                && self
                    .state
                    .compare_exchange_weak(
                        state,
                        state | LOCKED,
                        Ordering::Acquire,
                        Ordering::Relaxed,
                    )
                    .is_ok()
            {
                return true;
            }
            std::hint::spin_loop();
        }
        false
    }

    pub(crate) fn holder(&self) -> Option<Holder> {
        self.owner.get()
    }
}
