//! Locks, conditions, groups and the rest of Go's `sync`, which park tasks instead of
//! blocking threads.
//!
//! | here | Go | parks with reason |
//! |---|---|---|
//! | [`Mutex`] | `sync.Mutex` | `sync.Mutex.Lock` |
//! | [`RwLock`] | `sync.RWMutex` | `sync.RWMutex.RLock`, `sync.RWMutex.Lock` |
//! | [`Condvar`] | `sync.Cond` | `sync.Cond.Wait` |
//! | [`WaitGroup`] | `sync.WaitGroup` | `sync.WaitGroup.Wait` |
//! | [`Once`], [`OnceCell`] | `sync.Once`, `sync.OnceValue` | `sync.Once.Do` |
//! | [`Pool`] | `sync.Pool` | never |
//! | [`Semaphore`] | `semaphore.Weighted` of `golang.org/x/sync` | `sync.Semaphore.Acquire` |
//! | [`Group`] | `errgroup.Group` of `golang.org/x/sync` | `sync.WaitGroup.Wait` |
//! | [`Barrier`] | – | `sync.Barrier.Wait` |
//!
//! All may be used from tasks and from plain OS threads, mixed; a thread that is
//! none of the runtime's blocks. All waits are durable: only another task or
//! thread can end them (or, for a wait with a time limit, the timer).
//!
//! What differs from Go: a lock owns the value it protects, and an unlock is the
//! drop of a guard, so nobody unlocks what he did not lock. It remembers its owner
//! ([`LockExt::holder`]), so that tasks which wait for each other can be found. A
//! wait group is a handle that is cloned, not a value that must not be copied, and
//! calling `add` while a former round still has waiters is no error. A function of a
//! [`Once`] that panics has not been done.
//!
//! What differs from std: nothing is poisoned by a panic, and guards may live across
//! a park. Guards are those of [`lock_api`], so that code which is written for any
//! such lock takes these.
//!
//! # Memory
//!
//! Go's memory model, edge by edge: an unlock happens before the next lock; an
//! unlock of a writer before the readers that follow, and of readers before the next
//! writer; `done` before the `wait` that it ends; the function of a `Once` before
//! every return of `call_once`; the return of permits before their next
//! acquisition; a `notify` before the return of the `wait` that it ends, which the
//! mutex would give anyway; all arrivals at a barrier before all departures.
//!
//! | file | what |
//! |---|---|
//! | `waiters` | a queue of parked tasks and the lock around it |
//! | `owner`, `owner_word`, `readers` | who has a lock, and where it was taken |
//! | `contended` | who waits for which lock |
//! | `mutex_word`, `rw_word`, `sem_word`, `wg_word` | state words and their steps; also in the models |
//! | `relock` | who must not be ended while it waits for a lock |
//! | `raw_mutex`, `mutex` | the mutex; value and guard are `lock_api`'s |
//! | `raw_rwlock`, `rwlock` | the lock for readers and writers |
//! | `condvar`, `once`, `semaphore`, `barrier`, `pool` | what their names say |
//! | `wait_group` | the counter |
//! | `group` | tasks with one outcome |
//! | `scoped` | [`scope`](crate::scope()): tasks that borrow |
//! | `wait_case`, `acquire_case`, `barrier_case`, `cond_case` | the waits for a counter, for permits, at a barrier and for a condition as cases of a select |
//!
//! # When a task is reaped
//!
//! The verifier ends leaked tasks by an unwind out of their wait. `lock` and
//! `wait` have no error to return, so one that is called by a destructor during
//! such an unwind waits on, and can no longer be interrupted; calls with a time limit
//! return their error. What a waiter had queued for goes to the next one. A
//! `Condvar::wait` takes its lock back before it unwinds, and the reaper cannot end
//! that; nor the wait of a guard's `unlocked` for the lock that it takes back.

#[expect(unsafe_code, reason = "a node in the stack frame of a parked task")]
mod acquire_case;
mod barrier;
#[expect(unsafe_code, reason = "a node in the stack frame of a parked task")]
mod barrier_case;
#[expect(unsafe_code, reason = "a node in the stack frame of a parked task")]
mod cond_case;
#[expect(unsafe_code, reason = "access to the raw lock of a guard")]
mod condvar;
#[expect(unsafe_code, reason = "a list of what stands in the frames of parked tasks")]
mod contended;
mod group;
#[expect(unsafe_code, reason = "access to the raw lock of a lock")]
mod mutex;
#[expect(unsafe_code, reason = "a value that is written once")]
mod once;
#[expect(unsafe_code, reason = "a `&'static Location` kept in an atomic")]
mod owner;
mod pool;
#[expect(unsafe_code, reason = "the promises of a lock to lock_api")]
mod raw_mutex;
#[expect(unsafe_code, reason = "the promises of a lock to lock_api")]
mod raw_rwlock;
#[expect(unsafe_code, reason = "a `&'static Location` kept in an atomic")]
mod readers;
#[expect(unsafe_code, reason = "a lock that shows what lock_api does")]
mod relock;
mod rwlock;
#[expect(unsafe_code, reason = "tasks that borrow, and may not outlive what they borrow")]
pub(crate) mod scoped;
mod semaphore;
#[expect(unsafe_code, reason = "a node in the stack frame of a parked task")]
mod wait_case;
mod wait_group;
#[expect(unsafe_code, reason = "queues of nodes in the stack frames of parked tasks")]
pub(crate) mod waiters;

use super::{mutex_word, rw_word, sem_word, wg_word};

pub(crate) use acquire_case::AcquireCase;
pub use barrier::{Barrier, BarrierWaitResult};
pub(crate) use barrier_case::BarrierCase;
pub(crate) use cond_case::CondCase;
pub use condvar::Condvar;
pub use contended::LockInfo;
pub(crate) use contended::lock_of;
pub use group::{Group, GroupEnd};
pub use mutex::{LockExt, MappedMutexGuard, Mutex, MutexGuard};
pub use once::{Once, OnceCell};
pub use owner::Holder;
pub use pool::{Pool, Pooled};
pub use raw_mutex::RawMutex;
pub use raw_rwlock::RawRwLock;
pub use rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use semaphore::{Permit, Semaphore};
pub use wait_case::WaitCase;
pub use wait_group::WaitGroup;

use std::error::Error;
use std::fmt;

/// A wait with a time limit ended without success.
///
/// ```
/// use gopark::sync::{Semaphore, TimeoutError};
/// use std::time::Duration;
///
/// let semaphore = Semaphore::new(1);
/// let _permit = semaphore.acquire(1);
/// assert_eq!(semaphore.acquire_timeout(1, Duration::ZERO).err(), Some(TimeoutError));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeoutError;

impl fmt::Display for TimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("timed out waiting")
    }
}

impl Error for TimeoutError {}
