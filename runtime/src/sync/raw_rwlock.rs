//! The lock of a [`RwLock`](super::RwLock), without the value: the writers'
//! mutex, [`rw_word`](super::rw_word)'s word between its owner and the readers,
//! and a queue for either side.

use super::contended::{self, Whom};
use super::owner::Holder;
use super::raw_mutex::{RawMutex, Wish};
use super::readers::Readers;
use super::relock;
use super::rw_word::RwWord;
use super::waiters::{Parked, Place, Waiters};
use crate::inspect::{WaitReason, contention};
use crate::sched::park::Park;
use crate::task::{self, TaskRef, affinity::Affinity};
use lock_api::RawRwLock as _;
use std::panic::Location;
use std::time::{Duration, Instant};

/// The lock of a [`RwLock`](super::RwLock): what `lock_api` builds its guards on.
///
/// ```
/// use gopark::sync::RawRwLock;
///
/// let lock = lock_api::RwLock::<RawRwLock, _>::new(1);
/// assert!(!lock.is_locked());
/// ```
pub struct RawRwLock {
    word: RwWord,
    /// Whoever has it is the writer; it queues the others.
    writer: RawMutex,
    /// Readers that wait for a writer.
    readers: Waiters,
    /// The writer, waiting for readers.
    drain: Waiters,
    affinity: Affinity,
    /// Some of those who have it together.
    known: Readers,
}

impl RawRwLock {
    const fn new() -> Self {
        Self {
            word: RwWord::new(),
            writer: RawMutex::new(),
            readers: Waiters::new(),
            drain: Waiters::new(),
            affinity: Affinity::new(),
            known: Readers::nobody(),
        }
    }

    #[inline]
    fn read(&self, deadline: Option<Instant>, site: &'static Location<'static>) -> bool {
        let me = relock::arrive(site);
        self.affinity.touch_by(me.record());
        let reads = self.word.read() || self.read_slow(me, deadline, site);
        if reads {
            self.known.sit(me.record(), site);
        }
        reads
    }

    #[cold]
    #[inline(never)]
    fn read_slow(
        &self,
        me: TaskRef,
        deadline: Option<Instant>,
        site: &'static Location<'static>,
    ) -> bool {
        let writer = Whom::Owner(self.writer.owner());
        contended::during(me, writer, || self.wait_for_writer(me, deadline, site))
    }

    fn wait_for_writer(
        &self,
        me: TaskRef,
        deadline: Option<Instant>,
        site: &'static Location<'static>,
    ) -> bool {
        let mut how = Park::new(WaitReason::RwLockRead, site);
        if let Some(deadline) = deadline {
            how = how.until(deadline);
        }
        loop {
            let mut held = self.readers.hold();
            if self.word.read_or_announce() {
                return true;
            }
            let round = held.join_round();
            match held.park(me, Place::Back, how) {
                Parked::Woken => {
                    self.word.admitted();
                    return true;
                }
                Parked::TimedOut(mut held) => {
                    // Admitted in the last moment, it reads.
                    let admitted = held.leave_round(round);
                    drop(held);
                    if admitted {
                        self.word.admitted();
                    }
                    return admitted;
                }
                Parked::Reaped(mut held) => {
                    let admitted = held.leave_round(round);
                    drop(held);
                    if admitted {
                        self.unread();
                    }
                    relock::on_reaped(site);
                    if deadline.is_some() {
                        return false;
                    }
                    how = how.uninterruptible();
                }
            }
        }
    }

    #[inline]
    fn unread(&self) {
        if self.word.unread() {
            self.wake_writer();
        }
    }

    #[cold]
    fn wake_writer(&self) {
        let mut held = self.drain.hold();
        if !self.word.drained() {
            return;
        }
        let waited = contention::counts_unlock().then(|| held.waited(1));
        let writer = held.claim_first();
        drop(held);
        if let Some(writer) = writer {
            writer.enqueue();
        }
        if let Some(waited) = waited {
            contention::unlocked(waited);
        }
    }

    #[inline]
    fn write(&self, deadline: Option<Instant>, site: &'static Location<'static>) -> bool {
        self.writer.lock_as(Wish { reason: WaitReason::RwLockWrite, deadline, site })
            && (self.word.write() || self.write_slow(deadline, site))
    }

    #[cold]
    #[inline(never)]
    fn write_slow(&self, deadline: Option<Instant>, site: &'static Location<'static>) -> bool {
        let me = task::current();
        self.affinity.touch_by(me.record());
        let readers = Whom::Readers(self.writer.owner(), &self.known);
        contended::during(me, readers, || self.wait_for_readers(me, deadline, site))
    }

    fn wait_for_readers(
        &self,
        me: TaskRef,
        deadline: Option<Instant>,
        site: &'static Location<'static>,
    ) -> bool {
        let mut how = Park::new(WaitReason::RwLockWrite, site);
        if let Some(deadline) = deadline {
            how = how.until(deadline);
        }
        loop {
            let held = self.drain.hold();
            if self.word.write_or_announce() {
                return true;
            }
            match held.park(me, Place::Back, how) {
                Parked::Woken => {}
                Parked::TimedOut(held) => {
                    let written = self.word.stop_draining();
                    drop(held);
                    if !written {
                        self.unwrite();
                    }
                    return written;
                }
                Parked::Reaped(held) => {
                    // Should it have the lock now, the loop or unwrite() sees it.
                    let _ = self.word.stop_draining();
                    drop(held);
                    let undo = Undo(self);
                    relock::on_reaped(site);
                    if deadline.is_some() {
                        return false;
                    }
                    std::mem::forget(undo);
                    how = how.uninterruptible();
                }
            }
        }
    }

    #[inline]
    fn try_write(&self, site: &'static Location<'static>) -> bool {
        if !self.writer.try_lock_at(site) {
            return false;
        }
        let written = self.word.try_write();
        if !written {
            self.writer.unlock_it();
        }
        written
    }

    /// The writer lets go of the lock, or of the wish for it.
    #[inline]
    fn unwrite(&self) {
        if !self.word.unwrite() {
            self.admit(0);
        }
        self.writer.unlock_it();
    }

    /// Lets the readers in that wait, and `more`.
    #[cold]
    fn admit(&self, more: u32) {
        let mut held = self.readers.hold();
        self.word.admit(held.members() + more);
        let waited = contention::counts_unlock().then(|| held.waited(usize::MAX));
        held.end_round();
        if let Some(waited) = waited {
            contention::unlocked(waited);
        }
    }

    pub(super) fn holder(&self) -> Option<Holder> {
        self.word.is_written().then(|| self.writer.holder()).flatten()
    }
}

/// Withdraws a writer that is unwound while it waits.
struct Undo<'a>(&'a RawRwLock);

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        self.0.unwrite();
    }
}

// SAFETY: RwWord admits readers only without a writer, and a writer only without
// readers, and the mutex one writer at a time; the models (`rwlock`) check that.
unsafe impl lock_api::RawRwLock for RawRwLock {
    const INIT: Self = Self::new();

    type GuardMarker = lock_api::GuardNoSend;

    #[track_caller]
    #[inline]
    fn lock_shared(&self) {
        let locked = self.read(None, Location::caller());
        debug_assert!(locked, "a wait without deadline ended without the lock");
    }

    /// No safepoint: lock_api's `Debug` calls it, in the middle of a `println!`,
    /// which holds a lock of std.
    #[track_caller]
    #[inline]
    fn try_lock_shared(&self) -> bool {
        let me = task::current().record();
        self.affinity.touch_by(me);
        let reads = self.word.read();
        if reads {
            self.known.sit(me, Location::caller());
        }
        reads
    }

    #[inline]
    unsafe fn unlock_shared(&self) {
        self.known.rise();
        self.unread();
    }

    #[track_caller]
    #[inline]
    fn lock_exclusive(&self) {
        let locked = self.write(None, Location::caller());
        debug_assert!(locked, "a wait without deadline ended without the lock");
    }

    #[track_caller]
    #[inline]
    fn try_lock_exclusive(&self) -> bool {
        self.try_write(Location::caller())
    }

    #[inline]
    unsafe fn unlock_exclusive(&self) {
        self.unwrite();
    }

    #[inline]
    fn is_locked(&self) -> bool {
        !self.word.is_idle()
    }

    #[inline]
    fn is_locked_exclusive(&self) -> bool {
        self.word.is_written()
    }
}

// SAFETY: as above. The writer counts as a reader before others are let in.
unsafe impl lock_api::RawRwLockDowngrade for RawRwLock {
    unsafe fn downgrade(&self) {
        if let Some(Holder { site, .. }) = self.writer.holder() {
            self.known.sit(task::current().record(), site);
        }
        self.admit(1);
        self.writer.unlock_it();
    }
}

// SAFETY: as above; what these return is what the word says.
unsafe impl lock_api::RawRwLockTimed for RawRwLock {
    type Duration = Duration;
    type Instant = Instant;

    #[track_caller]
    fn try_lock_shared_for(&self, timeout: Duration) -> bool {
        // The clock is read only when there is something to wait for. A deadline
        // beyond its range is none.
        task::pass_by();
        let site = Location::caller();
        self.try_lock_shared() || self.read(Instant::now().checked_add(timeout), site)
    }

    #[track_caller]
    fn try_lock_shared_until(&self, deadline: Instant) -> bool {
        self.read(Some(deadline), Location::caller())
    }

    #[track_caller]
    fn try_lock_exclusive_for(&self, timeout: Duration) -> bool {
        task::pass_by();
        let site = Location::caller();
        self.try_write(site) || self.write(Instant::now().checked_add(timeout), site)
    }

    #[track_caller]
    fn try_lock_exclusive_until(&self, deadline: Instant) -> bool {
        self.write(Some(deadline), Location::caller())
    }
}
