//! The mutex: `lock_api`'s value and guards around [`RawMutex`].

use super::owner::Holder;
use super::raw_mutex::RawMutex;
use super::raw_rwlock::RawRwLock;

/// A lock around a value (Go: `sync.Mutex`). Waiting parks the task, not the
/// worker, with the reason `sync.Mutex.Lock`.
///
/// It may be held across a park: a channel operation, a sleep, another lock.
/// (With a `std::sync::Mutex` that would hang the worker as soon as a sibling
/// wants it.) The methods are those of [`lock_api::Mutex`]: `lock`, `try_lock`,
/// `try_lock_for` and `try_lock_until` with a time limit, `get_mut`,
/// `into_inner`; and guards that can be narrowed to a part of the value
/// ([`MutexGuard::map`](lock_api::MutexGuard::map)).
///
/// **No poisoning.** A panic while the lock is held unlocks it, and the next
/// owner finds the value as it was left.
///
/// **Not reentrant.** A task that has the lock already waits for itself, for ever.
///
/// **Order.** Waiters are woken first come, first served, but a woken one has to
/// compete with tasks that are running already (Go's normal mode), so a task that
/// unlocks and at once locks again often wins. A waiter that was woken and has
/// had no luck for a millisecond turns the lock to Go's starvation mode, in which
/// it goes from one waiter to the next.
///
/// A guard is not `Send`: the task that locked unlocks. So the lock can say who
/// has it, and where it was taken: [`LockExt::holder`].
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
///
/// With a time limit, in a `static`:
///
/// ```
/// use gopark::sync::Mutex;
/// use std::time::Duration;
///
/// static COUNT: Mutex<u32> = Mutex::new(0);
/// let guard = COUNT.lock();
/// assert!(COUNT.try_lock().is_none());
/// assert!(COUNT.try_lock_for(Duration::from_millis(5)).is_none());
/// drop(guard);
/// assert_eq!(*COUNT.lock(), 0);
/// ```
pub type Mutex<T> = lock_api::Mutex<RawMutex, T>;

/// Access to the value of a [`Mutex`]; unlocks when dropped.
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
pub type MutexGuard<'a, T> = lock_api::MutexGuard<'a, RawMutex, T>;

/// Access to a part of the value of a [`Mutex`]; unlocks when dropped.
///
/// ```
/// use gopark::sync::{Mutex, MutexGuard};
///
/// let lock = Mutex::new((1, "one"));
/// let mut number = MutexGuard::map(lock.lock(), |pair| &mut pair.0);
/// *number += 1;
/// drop(number);
/// assert_eq!(*lock.lock(), (2, "one"));
/// ```
pub type MappedMutexGuard<'a, T> = lock_api::MappedMutexGuard<'a, RawMutex, T>;

/// What the locks of this crate can do beyond what `lock_api` asks of a lock.
pub trait LockExt {
    /// Who has the lock, and where it was taken; of a
    /// [`RwLock`](super::RwLock), its writer.
    ///
    /// The answer may be out of date when it arrives, unless that task is parked.
    ///
    /// ```
    /// use gopark::sync::LockExt;
    ///
    /// let lock = gopark::sync::Mutex::new(());
    /// assert!(lock.holder().is_none());
    /// let _guard = lock.lock();
    /// println!("locked at {}", lock.holder().unwrap().site);
    /// ```
    fn holder(&self) -> Option<Holder>;
}

impl<T: ?Sized> LockExt for Mutex<T> {
    fn holder(&self) -> Option<Holder> {
        // SAFETY: the lock is only asked.
        unsafe { self.raw() }.holder()
    }
}

impl<T: ?Sized> LockExt for lock_api::RwLock<RawRwLock, T> {
    fn holder(&self) -> Option<Holder> {
        // SAFETY: the lock is only asked.
        unsafe { self.raw() }.holder()
    }
}
