//! The lock word of a mutex: which steps it takes, and who may take them.
//!
//! Go's two modes. In *normal* mode an unlock frees the lock and wakes the first
//! waiter, which then competes for it with whoever is running and wants it too.
//! Those are often faster, which is what makes the lock cheap: it changes hands
//! without a task switch. A waiter that was woken and came too late goes back to
//! the front. If it has waited for a millisecond by then, it turns the lock to
//! *starvation* mode: an unlock hands the lock to the first waiter, and newcomers
//! queue without trying. The owner that finds itself the last waiter, or has
//! waited for less than a millisecond, turns it back.
//!
//! | bit | set | means |
//! |---|---|---|
//! | `LOCKED` | by the new owner; in starvation mode by the unlock, for it | somebody has the lock |
//! | `QUEUED` | by a waiter, with the queue locked | the queue may not be empty; an unlock has to look |
//! | `WOKEN` | by an unlock, with the queue locked | a waiter was woken and has not yet tried its luck; no second one is woken meanwhile |
//! | `STARVING` | by a woken waiter that finds `LOCKED`, with the queue locked | starvation mode; without `LOCKED` an unlock is about to hand over |
//!
//! | from => to | who |
//! |---|---|
//! | `x => x + L`, without `S` | `try_lock`, the fast path, and a waiter before it parks |
//! | `xLW => x + L − W`, or with `L` set already `x + Q − W`, perhaps `+ S` | `lock_or_announce` of the woken waiter, which gets the lock or queues again |
//! | `L + x => L + Q + x` | `lock_or_announce` of a waiter, which then queues and parks |
//! | `x + L => x` | `unlock`; if `Q` is set without `W`, or `S` is, it goes on to the queue |
//! | `Q => W`, `Q => Q + W` | `begin_wake`, `end_wake`, with the queue locked; without `Q` if it took the last one |
//! | `S + x => L + S + x` | `begin_wake`, with the queue locked, before the new owner is claimed |
//! | `L + S + x => x − Q` | `end_wake`, with the queue locked, if there was nobody to hand it to |
//! | `L + S + x => L + x` | `accept`: the new owner ends starvation mode |
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
//!
//! **A woken waiter knows whether it owns the lock**: it does if `STARVING` is
//! set. Only a woken waiter sets that bit, and there is one at a time; only the
//! new owner clears it, or an unlock that found the queue empty.

use crate::sys::atomic::{AtomicU32, Ordering};

const LOCKED: u32 = 1;
const QUEUED: u32 = 1 << 1;
const WOKEN: u32 = 1 << 2;
const STARVING: u32 = 1 << 3;

pub(crate) struct MutexWord(AtomicU32);

/// What a waiter is, when it comes to the lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Waiter {
    /// It has not been woken by an unlock.
    New,
    /// An unlock woke it, so `WOKEN` is its to clear.
    Woken,
    /// The same, and it has waited too long.
    Starving,
}

/// What an unlock finds in the word, with the queue locked.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wake {
    /// Somebody has the lock by now and will unlock it, or a waiter is on its
    /// way already.
    Nobody,
    /// Claim the first waiter, which competes.
    First,
    /// The same; the lock is its own already.
    Owner,
}

impl MutexWord {
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// Takes the lock if it is free, although others may wait for it.
    #[inline]
    pub(crate) fn try_lock(&self) -> bool {
        let mut state = self.0.load(Ordering::Relaxed);
        while state & (LOCKED | STARVING) == 0 {
            // ORDERING: Acquire; pairs with the Release in unlock(). What the former
            // owners did to the value is visible.
            match self.0.compare_exchange_weak(
                state,
                state | LOCKED,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => state = now,
            }
        }
        false
    }

    #[cfg(not(loom))]
    #[inline]
    pub(crate) fn is_locked(&self) -> bool {
        self.0.load(Ordering::Relaxed) & (LOCKED | STARVING) != 0
    }

    #[cfg(not(loom))]
    #[inline]
    pub(crate) fn has_waiters(&self) -> bool {
        self.0.load(Ordering::Relaxed) & (QUEUED | STARVING) != 0
    }

    /// Frees the lock. `true`: somebody may have to be woken.
    #[inline]
    #[must_use]
    pub(crate) fn unlock(&self) -> bool {
        // ORDERING: Release; pairs with the Acquire of the next owner.
        let state = self.0.fetch_and(!LOCKED, Ordering::Release);
        debug_assert!(state & LOCKED != 0, "unlock of a lock that nobody has");
        state & (QUEUED | WOKEN) == QUEUED || state & STARVING != 0
    }

    /// Takes the lock if it is to be had; else makes the owner's unlock look into
    /// the queue. The queue is locked.
    #[must_use]
    pub(crate) fn lock_or_announce(&self, who: Waiter) -> bool {
        let woken = if who == Waiter::New { 0 } else { WOKEN };
        let mut state = self.0.load(Ordering::Relaxed);
        loop {
            let add = match state & (LOCKED | STARVING) {
                0 => LOCKED,
                LOCKED if who == Waiter::Starving => QUEUED | STARVING,
                _ => QUEUED,
            };
            // ORDERING: Acquire, as in try_lock().
            match self.0.compare_exchange_weak(
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

    /// Whether the lock was handed to the caller, a waiter that an unlock woke.
    #[must_use]
    pub(crate) fn is_handed_over(&self) -> bool {
        // ORDERING: Acquire; pairs with the Release in unlock(). The steps in
        // between are read-modify-writes, which hand it on.
        self.0.load(Ordering::Acquire) & STARVING != 0
    }

    /// After [`is_handed_over`](Self::is_handed_over), by the new owner.
    pub(crate) fn accept(&self, has_starved: bool) {
        if !has_starved || self.0.load(Ordering::Relaxed) & QUEUED == 0 {
            self.0.fetch_and(!STARVING, Ordering::Relaxed);
        }
    }

    /// What an unlock has to do. The queue is locked.
    pub(crate) fn begin_wake(&self) -> Wake {
        let state = self.0.load(Ordering::Relaxed);
        if state & (LOCKED | WOKEN) != 0 {
            return Wake::Nobody;
        }
        if state & STARVING == 0 {
            return Wake::First;
        }
        // From here on nobody takes the new owner for a waiter that must compete.
        self.0.fetch_or(LOCKED, Ordering::Relaxed);
        Wake::Owner
    }

    /// After [`begin_wake`](Self::begin_wake), with the queue still locked:
    /// whether somebody was claimed, and whether others are left.
    pub(crate) fn end_wake(&self, wake: Wake, claimed: bool, others: bool) {
        if claimed && wake == Wake::First {
            self.0.fetch_or(WOKEN, Ordering::Relaxed);
        }
        if !claimed && wake == Wake::Owner {
            // ORDERING: Release; pairs with the Acquire of the next owner. Only
            // for form: whoever unlocked has published what there is.
            self.0.fetch_and(!(LOCKED | STARVING), Ordering::Release);
        }
        if !others {
            self.left_empty();
        }
    }

    /// Whether nobody has the lock or wants it.
    #[cfg(loom)]
    pub(crate) fn is_free(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    /// The queue is empty, and locked.
    pub(crate) fn left_empty(&self) {
        self.0.fetch_and(!QUEUED, Ordering::Relaxed);
    }
}
