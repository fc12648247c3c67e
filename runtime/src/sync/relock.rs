//! Who takes a lock back, for a guard that is there all the time.
//!
//! Whoever waits for a lock can be ended by an unwind: by the reaper, by a
//! [time limit](crate::time::timeout), by the panic of [`no_park`](crate::no_park). The guard
//! is made after the lock is taken, so such an unwind finds none. One function of
//! `lock_api`'s is different, `unlocked`: it gives the lock up, calls a function, and
//! takes the lock back for the guard that it was lent. An unwind out of that wait would
//! drop a guard of a lock that somebody else has by then, and unlock it.
//!
//! So that wait is not ended, as that of a condition variable for its mutex is not. The
//! trait has one `lock` for both. But it is told where it was called, and the call that
//! takes a lock back stands in `lock_api`, while all others show the line of the user's
//! that called `lock_api`. Only who is about to unwind asks.
//!
//! # Invariants
//!
//! - **A1** No unwind leaves a lock's `lock` if [`is_relock`] is true of the place where it
//!   was called.
//! - **A2** A call for a guard that exists is one of those. What `lock_api` shows is found
//!   out by calling its `unlocked` with a lock that writes it down; so it holds for the
//!   version that was linked. Where this cannot be told from other calls (the compiler was
//!   told to leave places out, or `unlocked` passes on its caller's) it is true of all; of
//!   locks that their owner may take again it always is.

use crate::sched::park;
use crate::sys;
use crate::task::{self, TaskRef};
use std::cell::Cell;
use std::num::NonZeroUsize;
use std::panic::Location;

/// [`task::arrive`] for who wants a lock.
#[inline]
pub(super) fn arrive(site: &'static Location<'static>) -> TaskRef {
    let me = task::current();
    if me.is_called() && !is_relock(site) {
        me.attend();
    }
    me
}

/// [`park::on_reaped`] for who waited for a lock; returns also where that must be had (A1).
#[cold]
pub(super) fn on_reaped(site: &'static Location<'static>) {
    if !is_relock(site) {
        return park::on_reaped();
    }
    if task::current().record().no_park.get() != 0 {
        // It can neither wait nor unwind.
        sys::fatal(format_args!(
            "a task in gopark::no_park gave up a lock for a while (`unlocked`, at {site}), or wants \
             one that can be taken twice, and somebody else has it now"
        ));
    }
}

/// See A2.
#[cold]
#[inline(never)]
fn is_relock(site: &Location<'_>) -> bool {
    [mutex(), reentrant(), rwlock()].into_iter().any(|shown| {
        let nothing = shown.file() == Location::caller().file();
        nothing || shown.file() == site.file()
    })
}

/// A lock that writes down where it is taken.
struct Probe(Cell<&'static Location<'static>>);

impl Probe {
    #[track_caller]
    const fn new() -> Probe {
        Probe(Cell::new(Location::caller()))
    }
}

// SAFETY: not `Sync`, so there is one thread, and it has one guard at a time.
unsafe impl lock_api::RawMutex for Probe {
    const INIT: Probe = Probe::new();
    type GuardMarker = lock_api::GuardNoSend;

    #[track_caller]
    fn lock(&self) {
        self.0.set(Location::caller());
    }

    fn try_lock(&self) -> bool {
        false
    }

    unsafe fn unlock(&self) {}
}

// SAFETY: as above.
unsafe impl lock_api::RawRwLock for Probe {
    const INIT: Probe = Probe::new();
    type GuardMarker = lock_api::GuardNoSend;

    #[track_caller]
    fn lock_shared(&self) {
        self.0.set(Location::caller());
    }

    fn try_lock_shared(&self) -> bool {
        false
    }

    unsafe fn unlock_shared(&self) {}

    #[track_caller]
    fn lock_exclusive(&self) {
        self.0.set(Location::caller());
    }

    fn try_lock_exclusive(&self) -> bool {
        false
    }

    unsafe fn unlock_exclusive(&self) {}
}

/// Where a guard of a mutex takes it back.
fn mutex() -> &'static Location<'static> {
    let lock = lock_api::Mutex::<Probe, ()>::new(());
    lock_api::MutexGuard::unlocked(&mut lock.lock(), || ());
    // SAFETY: the lock is only asked.
    unsafe { lock.raw() }.0.get()
}

/// The same for the two kinds of guards of a lock for readers and writers, which are in one
/// file.
/// The thread that a [`Probe`] is on, whichever that is.
struct Here;

// SAFETY: it stays with a lock that is not `Sync`, so no other thread asks.
unsafe impl lock_api::GetThreadId for Here {
    const INIT: Here = Here;

    fn nonzero_thread_id(&self) -> NonZeroUsize {
        NonZeroUsize::MIN
    }
}

/// Of a lock whose owner may take it again. All its locks show the same, so none of them is
/// ended.
fn reentrant() -> &'static Location<'static> {
    let lock = lock_api::ReentrantMutex::<Probe, Here, ()>::new(());
    lock_api::ReentrantMutexGuard::unlocked(&mut lock.lock(), || ());
    // SAFETY: the lock is only asked.
    unsafe { lock.raw() }.0.get()
}

fn rwlock() -> &'static Location<'static> {
    let lock = lock_api::RwLock::<Probe, ()>::new(());
    lock_api::RwLockReadGuard::unlocked(&mut lock.read(), || ());
    // SAFETY: the lock is only asked.
    unsafe { lock.raw() }.0.get()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn calls_of_users_are_told_from_those_of_guards() {
        assert!(!is_relock(Location::caller()));
        let lock = lock_api::Mutex::<Probe, ()>::new(());
        drop(lock.lock());
        // SAFETY: the lock is only asked.
        let user = unsafe { lock.raw() }.0.get();
        assert_eq!(user.file(), file!());
        for guard in [mutex(), reentrant(), rwlock()] {
            assert_ne!(guard.file(), file!());
            assert!(is_relock(guard));
        }
    }
}
