//! The lock for many readers or one writer: `lock_api`'s value and guards around
//! [`RawRwLock`].

use super::raw_rwlock::RawRwLock;

/// A lock around a value that many may read at a time, or one may write (Go:
/// `sync.RWMutex`). Waiting parks the task, not the worker, with the reason
/// `sync.RWMutex.RLock` or `sync.RWMutex.Lock`.
///
/// The methods are those of [`lock_api::RwLock`]: `read`, `write`, `try_read`,
/// `try_write`, `try_read_for` and so on with a time limit, and
/// [`RwLockWriteGuard::downgrade`](lock_api::RwLockWriteGuard::downgrade). As with
/// [`Mutex`](super::Mutex), there is no poisoning, guards are not `Send` and may be
/// held across a park.
///
/// **Order.** As in Go: a writer that waits keeps new readers out, so that readers
/// who come and go do not starve it; and when a writer is done, the readers that
/// wait by then go before the next writer.
///
/// So a task **must not read twice**: if a writer comes in between, the second
/// `read` waits for the writer, and the writer for the first.
///
/// ```
/// use gopark::sync::RwLock;
///
/// let lock = RwLock::new(1);
/// {
///     let (one, other) = (lock.read(), lock.try_read().unwrap());
///     assert_eq!(*one + *other, 2);
///     assert!(lock.try_write().is_none());
/// }
/// *lock.write() += 1;
/// assert_eq!(*lock.read(), 2);
/// ```
pub type RwLock<T> = lock_api::RwLock<RawRwLock, T>;

/// Shared access to the value of a [`RwLock`]; unlocks when dropped.
///
/// ```
/// let lock = gopark::sync::RwLock::new(5);
/// assert_eq!(*lock.read(), 5);
/// ```
pub type RwLockReadGuard<'a, T> = lock_api::RwLockReadGuard<'a, RawRwLock, T>;

/// Exclusive access to the value of a [`RwLock`]; unlocks when dropped.
///
/// ```
/// use gopark::sync::{RwLock, RwLockWriteGuard};
///
/// let lock = RwLock::new(5);
/// let mut guard = lock.write();
/// *guard += 1;
/// // Lets other readers in, and no writer in between.
/// let guard = RwLockWriteGuard::downgrade(guard);
/// assert_eq!(*guard, 6);
/// ```
pub type RwLockWriteGuard<'a, T> = lock_api::RwLockWriteGuard<'a, RawRwLock, T>;
