//! Locks and wait groups that park tasks instead of blocking threads.
//!
//! | here | Go | parks with reason |
//! |---|---|---|
//! | [`Mutex`] | `sync.Mutex` | `sync.Mutex.Lock` |
//! | [`WaitGroup`] | `sync.WaitGroup` | `sync.WaitGroup.Wait` |
//!
//! All may be used from tasks and from plain OS threads, mixed; a thread that is
//! none of the runtime's blocks. All waits are durable: only another task or
//! thread can end them (or, for a wait with a time limit, the timer).
//!
//! What differs from Go: the mutex owns the value it protects, and an unlock is
//! the drop of a guard, so nobody unlocks what he did not lock. It remembers its
//! owner ([`Mutex::holder`]), so that tasks which wait for each other can be
//! found. A wait group is a handle that is cloned, not a value that must not be
//! copied, and calling `add` while a former round still has waiters is no error.
//!
//! What differs from std: a mutex is not poisoned by a panic; its guard may live
//! across a park.
//!
//! | file | what |
//! |---|---|
//! | `waiters` | a queue of parked tasks and the lock around it |
//! | `owner` | who has a lock, and where it was taken |
//! | `raw_mutex` | the lock word |
//! | `mutex` | the lock with a value in it, and its guard |
//! | `wait_group` | the counter |
//! | `wait_case` | the wait for it as a case of a select |
//!
//! # When a task is reaped
//!
//! The verifier ends leaked tasks by an unwind out of their wait. `lock` and
//! `wait` have no error to return, so one that is called by a destructor during
//! such an unwind waits on, and can no longer be interrupted; `lock_timeout`
//! returns its error.

#[expect(unsafe_code, reason = "the guard's access to the value")]
mod mutex;
#[expect(unsafe_code, reason = "a `&'static Location` kept in an atomic")]
mod owner;
mod raw_mutex;
#[expect(unsafe_code, reason = "a node in the stack frame of a parked task")]
mod wait_case;
mod wait_group;
#[expect(unsafe_code, reason = "queues of nodes in the stack frames of parked tasks")]
mod waiters;

pub use mutex::{Mutex, MutexGuard};
pub use owner::Holder;
pub use wait_case::WaitCase;
pub use wait_group::WaitGroup;

use std::error::Error;
use std::fmt;

/// A wait with a time limit ended without success.
///
/// ```
/// use gopark::sync::{Mutex, TimeoutError};
/// use std::time::Duration;
///
/// let lock = Mutex::new(0);
/// let guard = lock.lock();
/// assert_eq!(lock.lock_timeout(Duration::ZERO).err(), Some(TimeoutError));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeoutError;

impl fmt::Display for TimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("timed out waiting on a lock")
    }
}

impl Error for TimeoutError {}
