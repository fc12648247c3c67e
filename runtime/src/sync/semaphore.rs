//! The weighted semaphore: [`sem_word`](super::sem_word)'s word and a queue.
//!
//! First come, first served: a waiter that wants much is not overtaken by those
//! who want little. Whoever gives permits back, or leaves the queue, lets the
//! first waiters go as long as the permits suffice.

use super::TimeoutError;
use super::owner::Owner;
use super::sem_word::{Give, SemWord};
use super::waiters::{Held, Parked, Waiters};
use crate::inspect::WaitReason;
use crate::sched::park::{self, Park};
use crate::task::subject::{Describe, Pad, Sketch};
use crate::task::{self, TaskRef, affinity::Affinity};
use std::fmt;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::time::{Duration, Instant};

/// A number of permits that tasks take and give back (Go: `semaphore.Weighted` of
/// `golang.org/x/sync`).
///
/// Waiters are served in the order in which they came, however much they want.
///
/// ```
/// use gopark::sync::{Semaphore, WaitGroup};
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// static LIMIT: Semaphore = Semaphore::new(3);
/// static INSIDE: AtomicU32 = AtomicU32::new(0);
///
/// let wg = WaitGroup::new();
/// for _ in 0..10 {
///     wg.go(|| {
///         let _permit = LIMIT.acquire(1);
///         assert!(INSIDE.fetch_add(1, Ordering::Relaxed) < 3);
///         gopark::yield_now();
///         INSIDE.fetch_sub(1, Ordering::Relaxed);
///     });
/// }
/// wg.wait();
/// assert_eq!(LIMIT.available(), 3);
/// ```
pub struct Semaphore {
    word: SemWord,
    size: u32,
    waiters: Waiters,
    affinity: Affinity,
    /// Who has taken permits last.
    taken: Owner,
}

/// Permits of a [`Semaphore`]; given back when dropped.
///
/// ```
/// let semaphore = gopark::sync::Semaphore::new(5);
/// let permit = semaphore.acquire(2);
/// assert_eq!((permit.count(), semaphore.available()), (2, 3));
/// ```
#[must_use = "the permits are given back when this is dropped"]
#[derive(Debug)]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
    count: u32,
}

impl Semaphore {
    /// A semaphore with so many permits.
    ///
    /// # Panics
    /// More than 2³² − 1 permits.
    ///
    /// ```
    /// assert_eq!(gopark::sync::Semaphore::new(5).available(), 5);
    /// ```
    pub const fn new(permits: usize) -> Self {
        assert!(permits <= u32::MAX as usize, "sync.Semaphore: more than 2^32 - 1 permits");
        let size = permits as u32;
        Self {
            word: SemWord::new(size),
            size,
            waiters: Waiters::new(),
            affinity: Affinity::new(),
            taken: Owner::nobody(),
        }
    }

    /// Takes `permits`, and waits until there are so many and those who came before
    /// are served.
    ///
    /// Parks the task with reason `sync.Semaphore.Acquire`. With a context it is
    /// [`Context::acquire`](crate::context::Context::acquire).
    ///
    /// # Panics
    /// The semaphore has fewer permits altogether, so this could never end.
    ///
    /// ```
    /// let semaphore = gopark::sync::Semaphore::new(2);
    /// let permit = semaphore.acquire(2);
    /// assert!(semaphore.try_acquire(1).is_none());
    /// drop(permit);
    /// assert!(semaphore.try_acquire(1).is_some());
    /// ```
    #[track_caller]
    #[inline]
    pub fn acquire(&self, permits: usize) -> Permit<'_> {
        let me = task::arrive();
        self.affinity.touch_by(me.record());
        let count = self.possible(permits).unwrap_or_else(|| self.refuse(permits));
        if !self.word.take(count) {
            let taken = self.acquire_slow(me, count, None, Location::caller());
            debug_assert!(taken, "a wait without deadline ended without permits");
        }
        self.permit(count, me)
    }

    /// Takes `permits` if there are so many and nobody waits.
    ///
    /// ```
    /// let semaphore = gopark::sync::Semaphore::new(1);
    /// assert!(semaphore.try_acquire(2).is_none());
    /// ```
    #[track_caller]
    #[inline]
    pub fn try_acquire(&self, permits: usize) -> Option<Permit<'_>> {
        let me = task::pass();
        self.affinity.touch_by(me.record());
        let count = self.possible(permits)?;
        if self.word.take(count) { Some(self.permit(count, me)) } else { None }
    }

    /// Takes `permits`, and waits for them at most so long.
    ///
    /// # Errors
    /// They were not to be had in time; or the semaphore has fewer altogether, which
    /// is known at once, but takes the time as well.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let semaphore = gopark::sync::Semaphore::new(1);
    /// let permit = semaphore.acquire(1);
    /// assert!(semaphore.acquire_timeout(1, Duration::from_millis(5)).is_err());
    /// ```
    #[track_caller]
    pub fn acquire_timeout(
        &self,
        permits: usize,
        timeout: Duration,
    ) -> Result<Permit<'_>, TimeoutError> {
        let me = task::arrive();
        self.affinity.touch_by(me.record());
        let Some(count) = self.possible(permits) else {
            // It holds up nobody: it never queues.
            crate::sleep(timeout);
            return Err(TimeoutError);
        };
        if !self.word.take(count) {
            // A deadline beyond the clock's range is none.
            let deadline = Instant::now().checked_add(timeout);
            if !self.acquire_slow(me, count, deadline, Location::caller()) {
                return Err(TimeoutError);
            }
        }
        Ok(self.permit(count, me))
    }

    /// Gives permits back that were [forgotten](Permit::forget) (Go: `Release`).
    ///
    /// # Panics
    /// There would be more permits than the semaphore was made with.
    ///
    /// ```
    /// let semaphore = gopark::sync::Semaphore::new(1);
    /// semaphore.acquire(1).forget();
    /// assert_eq!(semaphore.available(), 0);
    /// semaphore.release(1);
    /// assert_eq!(semaphore.available(), 1);
    /// ```
    #[track_caller]
    pub fn release(&self, permits: usize) {
        self.affinity.touch_by(task::pass().record());
        let given = self.possible(permits).is_some_and(|count| self.give(count));
        assert!(given, "sync.Semaphore: released more than held");
    }

    /// How many permits are free at the moment.
    ///
    /// ```
    /// assert_eq!(gopark::sync::Semaphore::new(3).available(), 3);
    /// ```
    pub fn available(&self) -> usize {
        self.word.free() as usize
    }

    pub(super) fn waiters(&self) -> &Waiters {
        &self.waiters
    }

    pub(super) fn word(&self) -> &SemWord {
        &self.word
    }

    pub(super) fn touch(&self, me: TaskRef) {
        self.affinity.touch_by(me.record());
    }

    pub(super) fn possible(&self, permits: usize) -> Option<u32> {
        u32::try_from(permits).ok().filter(|count| *count <= self.size)
    }

    #[cold]
    #[track_caller]
    fn refuse(&self, permits: usize) -> ! {
        panic!("sync.Semaphore: acquire({permits}), but there are {} in all", self.size)
    }

    /// What one waits for who wants so many.
    pub(super) fn wanted(&self, count: u32) -> Wanted<'_> {
        Wanted { semaphore: self, count }
    }

    #[track_caller]
    #[inline]
    pub(super) fn permit(&self, count: u32, me: TaskRef) -> Permit<'_> {
        self.taken.set(me.id(), Location::caller());
        Permit { semaphore: self, count }
    }

    #[cold]
    #[inline(never)]
    fn acquire_slow(
        &self,
        me: TaskRef,
        count: u32,
        deadline: Option<Instant>,
        site: &'static Location<'static>,
    ) -> bool {
        let mut how = Park::new(WaitReason::SemaphoreAcquire, site);
        if let Some(deadline) = deadline {
            how = how.until(deadline);
        }
        loop {
            let held = self.waiters.hold();
            if self.word.take_or_announce(count) {
                return true;
            }
            match held.park_tagged(me, count, how, &self.wanted(count)) {
                Parked::Woken => {
                    self.word.granted();
                    return true;
                }
                Parked::TimedOut(held) => {
                    self.serve(held);
                    return false;
                }
                Parked::Reaped(held) => {
                    // Those behind it may want less.
                    self.serve(held);
                    park::on_reaped();
                    if deadline.is_some() {
                        return false;
                    }
                    how = how.uninterruptible();
                }
            }
        }
    }

    /// False if there would be too many.
    fn give(&self, count: u32) -> bool {
        match self.word.give(count, self.size) {
            Give::Done => true,
            Give::TooMany => false,
            Give::Queued => {
                let held = self.waiters.hold();
                let given = self.word.give_locked(count, self.size);
                self.serve(held);
                given
            }
        }
    }

    /// Lets the first waiters go as long as the permits suffice. One at a time, so
    /// that no number of waiters makes others wait long for the lock.
    #[cold]
    pub(super) fn serve<'a>(&'a self, mut held: Held<'a>) {
        loop {
            let first = held.claim_first_if(|count| self.word.suffices(count));
            if let Some((count, _)) = first {
                self.word.grant(count);
            }
            if held.is_empty() {
                self.word.left_empty();
            }
            drop(held);
            let Some((_, first)) = first else { return };
            first.enqueue();
            held = self.waiters.hold();
        }
    }
}

/// What one waits for who wants so many permits.
pub(super) struct Wanted<'a> {
    semaphore: &'a Semaphore,
    count: u32,
}

impl Describe for Wanted<'_> {
    fn describe(&self, pad: &mut Pad) {
        let Semaphore { word, size, taken, .. } = self.semaphore;
        pad.add(Sketch::Semaphore {
            wants: self.count,
            free: word.free() as u32,
            size: *size,
            taken: taken.get(),
        });
    }
}

impl Permit<'_> {
    /// How many permits these are.
    ///
    /// ```
    /// assert_eq!(gopark::sync::Semaphore::new(5).acquire(2).count(), 2);
    /// ```
    pub fn count(&self) -> usize {
        self.count as usize
    }

    /// Keeps the permits for ever, or until somebody calls [`Semaphore::release`].
    ///
    /// ```
    /// let semaphore = gopark::sync::Semaphore::new(3);
    /// semaphore.acquire(1).forget();
    /// assert_eq!(semaphore.available(), 2);
    /// ```
    pub fn forget(self) {
        std::mem::forget(self);
    }
}

impl Drop for Permit<'_> {
    #[inline]
    fn drop(&mut self) {
        // Too many calls of release() were made by somebody else, who was not
        // told: there was room at that time.
        let _ = self.semaphore.give(self.count);
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("available", &self.available())
            .field("size", &self.size)
            .finish()
    }
}

// No user code runs inside, so a panic cannot leave it half changed.
impl UnwindSafe for Semaphore {}
impl RefUnwindSafe for Semaphore {}
