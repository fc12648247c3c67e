//! The lock with the value in it.
//!
//! # Invariants
//!
//! - **M1** A [`MutexGuard`] exists only while its task has the raw lock, and one
//!   lock has one owner. So a guard's borrow of the value is the only one.

use super::TimeoutError;
use super::owner::Holder;
use super::raw_mutex::RawMutex;
use crate::task;
use std::cell::UnsafeCell;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::time::{Duration, Instant};

/// A lock around a value (Go: `sync.Mutex`). Waiting parks the task, not the
/// worker.
///
/// It may be held across a park: a channel operation, a sleep, another lock.
/// (With a `std::sync::Mutex` that would hang the worker as soon as a sibling
/// wants it.)
///
/// **No poisoning.** A panic while the lock is held unlocks it, and the next
/// owner finds the value as it was left.
///
/// **Order.** Waiters are woken first come, first served, but a woken one has to
/// compete with tasks that are running already (Go's normal mode), so the lock
/// is not fair: a task that unlocks and at once locks again often wins.
///
/// The lock remembers who has it and where it was taken: [`Mutex::holder`].
///
/// ```
/// use gopark::sync::{Mutex, WaitGroup};
/// use std::sync::Arc;
///
/// let sum = Arc::new(Mutex::new(0));
/// let wg = WaitGroup::new();
/// for i in 1..=10 {
///     let sum = sum.clone();
///     wg.go(move || *sum.lock() += i);
/// }
/// wg.wait();
/// assert_eq!(*sum.lock(), 55);
/// ```
pub struct Mutex<T: ?Sized> {
    raw: RawMutex,
    value: UnsafeCell<T>,
}

// SAFETY: the lock hands the value from one thread to the next (M1).
unsafe impl<T: ?Sized + Send> Send for Mutex<T> {}
// SAFETY: as above; no two threads have the value at once (M1).
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}

/// Access to the value of a [`Mutex`]; unlocks when dropped.
///
/// It is not `Send`: the task that locked unlocks, which is what makes
/// [`Mutex::holder`] mean something.
///
/// ```
/// let lock = gopark::sync::Mutex::new(vec![1]);
/// let mut guard = lock.lock();
/// guard.push(2);
/// assert_eq!(*guard, [1, 2]);
/// ```
///
/// ```compile_fail,E0277
/// let lock = gopark::sync::Mutex::new(0);
/// let guard = lock.lock();
/// std::thread::scope(|s| s.spawn(move || drop(guard)).join());
/// ```
#[must_use = "the lock is freed when the guard is dropped"]
pub struct MutexGuard<'a, T: ?Sized> {
    lock: &'a Mutex<T>,
    _not_send: PhantomData<*const ()>,
}

// SAFETY: a shared guard gives a shared borrow of the value, no more.
unsafe impl<T: ?Sized + Sync> Sync for MutexGuard<'_, T> {}

impl<T> Mutex<T> {
    /// A free lock around `value`.
    ///
    /// ```
    /// use gopark::sync::Mutex;
    ///
    /// static COUNT: Mutex<u32> = Mutex::new(0);
    /// *COUNT.lock() += 1;
    /// assert_eq!(*COUNT.lock(), 1);
    /// ```
    pub const fn new(value: T) -> Self {
        Self { raw: RawMutex::new(), value: UnsafeCell::new(value) }
    }

    /// The value, out of the lock.
    ///
    /// ```
    /// assert_eq!(gopark::sync::Mutex::new("value").into_inner(), "value");
    /// ```
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Locks; blocks until the lock is free.
    ///
    /// Parks the task with reason `sync.Mutex.Lock`. A task that has the lock
    /// already waits for itself, for ever.
    ///
    /// ```
    /// let lock = gopark::sync::Mutex::new(1);
    /// *lock.lock() += 1;
    /// assert_eq!(*lock.lock(), 2);
    /// ```
    #[track_caller]
    #[inline]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        let locked = self.raw.lock(None, Location::caller());
        debug_assert!(locked, "a wait without deadline ended without the lock");
        self.guard()
    }

    /// Locks if the lock is free.
    ///
    /// ```
    /// let lock = gopark::sync::Mutex::new(1);
    /// let guard = lock.try_lock().unwrap();
    /// assert!(lock.try_lock().is_none());
    /// ```
    #[track_caller]
    #[inline]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        task::pass_by();
        self.try_lock_here(Location::caller())
    }

    /// Locks, and waits at most so long for it.
    ///
    /// # Errors
    /// The lock was not free in time.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let lock = gopark::sync::Mutex::new(1);
    /// let guard = lock.lock();
    /// assert!(lock.lock_timeout(Duration::from_millis(5)).is_err());
    /// ```
    #[track_caller]
    pub fn lock_timeout(&self, timeout: Duration) -> Result<MutexGuard<'_, T>, TimeoutError> {
        task::pass_by();
        let site = Location::caller();
        // The clock is read only when there is something to wait for.
        let locked = self.raw.try_lock(site) || {
            // A deadline beyond the clock's range is none.
            self.raw.lock(Instant::now().checked_add(timeout), site)
        };
        if locked { Ok(self.guard()) } else { Err(TimeoutError) }
    }

    /// The value, without locking: the exclusive borrow proves that nobody
    /// has it.
    ///
    /// ```
    /// let mut lock = gopark::sync::Mutex::new(1);
    /// *lock.get_mut() = 2;
    /// assert_eq!(*lock.lock(), 2);
    /// ```
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// Who has the lock, and where it was taken.
    ///
    /// The answer may be out of date when it arrives, unless that task is parked.
    ///
    /// ```
    /// let lock = gopark::sync::Mutex::new(());
    /// assert!(lock.holder().is_none());
    /// let _guard = lock.lock();
    /// println!("locked at {}", lock.holder().unwrap().site);
    /// ```
    pub fn holder(&self) -> Option<Holder> {
        self.raw.holder()
    }

    /// The caller has just taken the raw lock.
    #[inline]
    fn try_lock_here(&self, site: &'static Location<'static>) -> Option<MutexGuard<'_, T>> {
        self.raw.try_lock(site).then(|| self.guard())
    }

    #[inline]
    fn guard(&self) -> MutexGuard<'_, T> {
        MutexGuard { lock: self, _not_send: PhantomData }
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: M1.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: M1, and the guard is borrowed exclusively.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.raw.unlock();
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Mutex");
        match self.try_lock_here(Location::caller()) {
            Some(guard) => out.field("value", &&*guard).finish(),
            None => out.field("value", &format_args!("<locked>")).finish(),
        }
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
