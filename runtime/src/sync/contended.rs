//! Which lock a parked task waits for: a table that observers read.
//!
//! A record has no room for it, and an observer may not follow a pointer into a lock
//! that may be gone. So whoever is about to park for a lock enters itself here, and
//! takes itself out before its borrow of the lock ends; observers look while the table
//! is locked. Only those who wait pay for it.
//!
//! # Invariants
//!
//! - **L1** An [`Entry`] is in its shard during [`during`], and in that time its frame
//!   and the borrows of owner and readers last. Shards are read and changed under their locks.
//!   So what an entry points to is alive while its shard is locked.

use super::owner::{Holder, Owner};
use super::readers::{self, Readers};
use crate::sys::lock::RawLock;
use crate::task::TaskRef;
use crate::task::record::Record;
use std::cell::{Cell, UnsafeCell};
use std::ptr;

/// The lock that a parked task waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct LockInfo {
    /// Where it is in memory: the same lock if two are equal.
    pub address: usize,
    /// Who has it, and where it was taken; of a [`RwLock`](super::RwLock), the writer
    /// that has it or is waiting for its readers. `None` if readers have it, or nobody
    /// at this moment.
    pub holder: Option<Holder>,
    /// Of a lock whose readers are waited for, those of them who are known: the first
    /// four who belong to a scope that is not the root. The wait ends when all readers
    /// have let go, known or not.
    pub readers: [Option<Holder>; readers::SEATS],
}

impl LockInfo {
    /// All who are known and must let go before the wait can end.
    pub fn holders(&self) -> impl Iterator<Item = Holder> {
        self.holder.into_iter().chain(self.readers.into_iter().flatten())
    }
}

/// Whom a task waits for.
#[derive(Clone, Copy)]
pub(super) enum Whom<'a> {
    /// The owner of the lock.
    Owner(&'a Owner),
    /// The waiting task owns it itself, and waits for these to let go.
    Readers(&'a Owner, &'a Readers),
}

struct Entry {
    next: Cell<*const Entry>,
    task: *const Record,
    owner: *const Owner,
    /// Null if it is the owner that is waited for.
    readers: *const Readers,
}

#[repr(align(64))]
struct Shard {
    lock: RawLock,
    first: UnsafeCell<*const Entry>,
}

// SAFETY: the list is reached under the lock only (L1).
unsafe impl Sync for Shard {}

const SHARDS: usize = 64;
static TABLE: [Shard; SHARDS] =
    [const { Shard { lock: RawLock::new(), first: UnsafeCell::new(ptr::null()) } }; SHARDS];

fn shard(task: *const Record) -> &'static Shard {
    // Fibonacci hashing of the address; its top bits are the shard.
    let hash = (task.addr() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    &TABLE[(hash >> (64 - SHARDS.ilog2())) as usize]
}

/// Runs `f`, in which the task waits for these.
pub(super) fn during<R>(me: TaskRef, whom: Whom<'_>, f: impl FnOnce() -> R) -> R {
    struct Leave<'a>(&'a Entry);
    impl Drop for Leave<'_> {
        fn drop(&mut self) {
            let shard = shard(self.0.task);
            // SAFETY: L1: all of the list is alive, and the lock is held.
            shard.lock.with(|| unsafe {
                let mut at = shard.first.get();
                while !ptr::eq(*at, self.0) {
                    at = (**at).next.as_ptr();
                }
                *at = self.0.next.get();
            });
        }
    }
    let (owner, readers) = match whom {
        Whom::Owner(owner) => (owner, ptr::null()),
        Whom::Readers(owner, readers) => (owner, ptr::from_ref(readers)),
    };
    let entry = Entry {
        next: Cell::new(ptr::null()),
        task: me.record(),
        owner: ptr::from_ref(owner),
        readers,
    };
    let shard = shard(entry.task);
    // SAFETY: under the lock; Leave keeps L1, whether `f` returns or unwinds.
    shard.lock.with(|| unsafe {
        entry.next.set(*shard.first.get());
        *shard.first.get() = &raw const entry;
    });
    let _leave = Leave(&entry);
    f()
}

/// The lock that a task waits for, if it does.
pub(crate) fn lock_of(task: &Record) -> Option<LockInfo> {
    let shard = shard(task);
    // SAFETY: L1: all of the list, and the owners, are alive.
    shard.lock.with(|| unsafe {
        let mut at = *shard.first.get();
        while let Some(entry) = at.as_ref() {
            if ptr::eq(entry.task, task) {
                let (holder, readers) = match entry.readers.as_ref() {
                    Some(readers) => (None, readers.look()),
                    None => ((*entry.owner).get(), Default::default()),
                };
                return Some(LockInfo { address: entry.owner.addr(), holder, readers });
            }
            at = entry.next.get();
        }
        None
    })
}
