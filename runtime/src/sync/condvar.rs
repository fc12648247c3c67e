//! The condition variable.
//!
//! A waiter must be findable before anybody can get the lock that it gives up, or
//! a signal in between would be lost; and nobody must find it before it is
//! parked. So the lock is given up after the park, by whoever parked the task:
//! the commit of the park unlocks the queue, then the mutex.
//!
//! # Invariants
//!
//! - **C1** `wait` returns, by return or by unwind, with the mutex locked by its
//!   task: it was never unlocked because the task did not park, or
//!   [`RawMutex::lock_again`] has locked it again, which nothing else ends.
//!
//! [`RawMutex::lock_again`]: super::raw_mutex::RawMutex::lock_again

use super::TimeoutError;
use super::mutex::MutexGuard;
use super::owner::Owner;
use super::waiters::{Parked, Waiters};
use crate::inspect::WaitReason;
use crate::sched::park::{self, Park};
use crate::task::subject::{Describe, Pad, Sketch};
use crate::task::{self, TaskRef, affinity::Affinity};
use std::cell::Cell;
use std::fmt;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::time::{Duration, Instant};

/// Waits for others to change what a [`Mutex`](super::Mutex) protects (Go:
/// `sync.Cond`).
///
/// A waiter gives the lock up while it waits and has it again when it goes on.
/// Check the condition in a loop, or use [`wait_while`](Condvar::wait_while): others
/// may have come between the signal and the lock. There are no wake-ups without a
/// signal, and signals go to those who wait longest; one that comes when nobody
/// waits is forgotten.
///
/// Different waiters may use different mutexes.
///
/// ```
/// use gopark::sync::{Condvar, Mutex};
/// use std::sync::Arc;
///
/// let shared = Arc::new((Mutex::new(false), Condvar::new()));
/// gopark::go({
///     let shared = shared.clone();
///     move || {
///         *shared.0.lock() = true;
///         shared.1.notify_one();
///     }
/// });
/// let (ready, changed) = &*shared;
/// let mut guard = ready.lock();
/// changed.wait_while(&mut guard, |ready| !*ready);
/// assert!(*guard);
/// ```
pub struct Condvar {
    waiters: Waiters,
    affinity: Affinity,
    /// Who has signalled last.
    signalled: Owner,
}

impl Condvar {
    /// A condition that nobody waits for.
    ///
    /// ```
    /// static CHANGED: gopark::sync::Condvar = gopark::sync::Condvar::new();
    /// CHANGED.notify_all(); // nobody waits
    /// ```
    pub const fn new() -> Self {
        Self { waiters: Waiters::new(), affinity: Affinity::new(), signalled: Owner::nobody() }
    }

    /// Gives the lock up, waits for a signal, and locks again (Go: `Cond.Wait`).
    ///
    /// Parks the task with reason `sync.Cond.Wait`, and then, if need be, with
    /// `sync.Mutex.Lock`.
    ///
    /// ```
    /// use gopark::sync::{Condvar, Mutex};
    ///
    /// static TURN: Mutex<u32> = Mutex::new(0);
    /// static CHANGED: Condvar = Condvar::new();
    ///
    /// gopark::go(|| {
    ///     *TURN.lock() = 7;
    ///     CHANGED.notify_all();
    /// });
    /// let mut turn = TURN.lock();
    /// while *turn != 7 {
    ///     CHANGED.wait(&mut turn);
    /// }
    /// ```
    #[track_caller]
    pub fn wait<T: ?Sized>(&self, guard: &mut MutexGuard<'_, T>) {
        let signalled = self.wait_until(guard, None, Location::caller());
        debug_assert!(signalled, "a wait without deadline timed out");
    }

    /// Waits as long as the condition holds.
    ///
    /// ```
    /// use gopark::sync::{Condvar, Mutex};
    ///
    /// let (lock, changed) = (Mutex::new(1), Condvar::new());
    /// let mut guard = lock.lock();
    /// changed.wait_while(&mut guard, |n| *n == 0); // it does not
    /// assert_eq!(*guard, 1);
    /// ```
    #[track_caller]
    pub fn wait_while<T, F>(&self, guard: &mut MutexGuard<'_, T>, mut condition: F)
    where
        T: ?Sized,
        F: FnMut(&mut T) -> bool,
    {
        let site = Location::caller();
        while condition(&mut **guard) {
            self.wait_until(guard, None, site);
        }
    }

    /// [`wait`](Self::wait), at most so long. The time to lock again comes on top.
    ///
    /// # Errors
    /// No signal came in time. The lock is held in this case, too.
    ///
    /// ```
    /// use gopark::sync::{Condvar, Mutex, TimeoutError};
    /// use std::time::Duration;
    ///
    /// let (lock, changed) = (Mutex::new(()), Condvar::new());
    /// let mut guard = lock.lock();
    /// let waited = changed.wait_timeout(&mut guard, Duration::from_millis(5));
    /// assert_eq!(waited, Err(TimeoutError));
    /// ```
    #[track_caller]
    pub fn wait_timeout<T: ?Sized>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        timeout: Duration,
    ) -> Result<(), TimeoutError> {
        // A deadline beyond the clock's range is none.
        let deadline = Instant::now().checked_add(timeout);
        self.wait_until(guard, deadline, Location::caller()).then_some(()).ok_or(TimeoutError)
    }

    /// [`wait_while`](Self::wait_while), at most so long.
    ///
    /// # Errors
    /// The condition still held at the end of that time. The lock is held in this
    /// case, too.
    ///
    /// ```
    /// use gopark::sync::{Condvar, Mutex};
    /// use std::time::Duration;
    ///
    /// let (lock, changed) = (Mutex::new(0), Condvar::new());
    /// let mut guard = lock.lock();
    /// let limit = Duration::from_millis(5);
    /// assert!(changed.wait_while_timeout(&mut guard, limit, |n| *n == 0).is_err());
    /// ```
    #[track_caller]
    pub fn wait_while_timeout<T, F>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        timeout: Duration,
        mut condition: F,
    ) -> Result<(), TimeoutError>
    where
        T: ?Sized,
        F: FnMut(&mut T) -> bool,
    {
        let site = Location::caller();
        let deadline = Instant::now().checked_add(timeout);
        while condition(&mut **guard) {
            if !self.wait_until(guard, deadline, site) {
                return if condition(&mut **guard) { Err(TimeoutError) } else { Ok(()) };
            }
        }
        Ok(())
    }

    /// Lets the one go on who has waited longest (Go: `Cond.Signal`).
    ///
    /// The lock need not be held. One who gives up at the same moment, by its
    /// time limit or because it is reaped, has not had the signal.
    ///
    /// ```
    /// gopark::sync::Condvar::new().notify_one(); // nobody waits
    /// ```
    #[track_caller]
    pub fn notify_one(&self) {
        self.signal(Location::caller());
        let mut held = self.waiters.hold();
        let first = held.claim_first();
        drop(held);
        if let Some(first) = first {
            first.enqueue();
        }
    }

    /// Lets all go on who wait now (Go: `Cond.Broadcast`).
    ///
    /// ```
    /// gopark::sync::Condvar::new().notify_all(); // nobody waits
    /// ```
    #[track_caller]
    pub fn notify_all(&self) {
        self.signal(Location::caller());
        self.waiters.hold().end_round();
    }

    fn signal(&self, site: &'static Location<'static>) {
        let me = task::pass();
        self.affinity.touch_by(me.record());
        self.signalled.set(me.id(), site);
    }

    pub(super) fn waiters(&self) -> &Waiters {
        &self.waiters
    }

    pub(super) fn touch(&self, me: TaskRef) {
        self.affinity.touch_by(me.record());
    }

    /// False if the deadline passed. C1 holds for the guard.
    fn wait_until<T: ?Sized>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        deadline: Option<Instant>,
        site: &'static Location<'static>,
    ) -> bool {
        let me = task::arrive();
        self.affinity.touch_by(me.record());
        // SAFETY: the guard is borrowed exclusively, so nobody uses the value
        // through it until we return, when the lock is its own again (C1).
        let mutex = unsafe { MutexGuard::mutex(guard).raw() };
        let mut how = Park::new(WaitReason::CondWait, site);
        if let Some(deadline) = deadline {
            how = how.until(deadline);
        }
        loop {
            // Set while the task is parked, read when it goes on.
            let released = Cell::new(false);
            let give_up = || {
                released.set(true);
                mutex.unlock_it();
            };
            // The queue is unlocked again before the mutex is waited for.
            let ended = match self.waiters.hold().park_then(me, how, self, &give_up) {
                Parked::Woken => Some(true),
                Parked::TimedOut(held) => {
                    drop(held);
                    Some(false)
                }
                Parked::Reaped(held) => {
                    drop(held);
                    None
                }
            };
            if released.get() {
                mutex.lock_again(site);
            }
            if let Some(signalled) = ended {
                return signalled;
            }
            // From here on the guard may be dropped.
            park::on_reaped();
            if deadline.is_some() {
                return false;
            }
            how = how.uninterruptible();
        }
    }
}

impl Describe for Condvar {
    fn describe(&self, pad: &mut Pad) {
        pad.add(Sketch::Condition { signalled: self.signalled.get() });
    }
}

impl Default for Condvar {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar").finish_non_exhaustive()
    }
}

// No user code runs inside, so a panic cannot leave it half changed.
impl UnwindSafe for Condvar {}
impl RefUnwindSafe for Condvar {}
