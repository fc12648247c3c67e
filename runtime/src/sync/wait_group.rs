//! The wait group: [`wg_word`](super::wg_word)'s word and a queue.

use super::WaitCase;
use super::owner::Owner;
use super::waiters::{Parked, Waiters};
use super::wg_word::{Down, WgWord};
use crate::JoinHandle;
use crate::inspect::WaitReason;
use crate::sched::park::{self, Park};
use crate::task::subject::{Describe, Pad, Sketch};
use crate::task::{self, TaskRef, affinity::Affinity, spawn};
use std::fmt;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

/// Waits for a number of things to be done (Go: `sync.WaitGroup`).
///
/// A handle: clones share one counter. [`WaitGroup::go`] starts a task that
/// counts until it ends; [`add`](WaitGroup::add) and [`done`](WaitGroup::done)
/// count by hand.
///
/// ```
/// use gopark::sync::WaitGroup;
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// static SUM: AtomicU32 = AtomicU32::new(0);
///
/// let wg = WaitGroup::new();
/// for i in 1..=3 {
///     wg.go(move || SUM.fetch_add(i, Ordering::Relaxed));
/// }
/// wg.wait();
/// assert_eq!(SUM.load(Ordering::Relaxed), 6);
/// ```
#[derive(Clone, Default)]
pub struct WaitGroup {
    group: Arc<Group>,
}

struct Group {
    word: WgWord,
    waiters: Waiters,
    affinity: Affinity,
    /// Who has counted up last.
    counted: Owner,
}

impl WaitGroup {
    /// A group with the counter at zero.
    ///
    /// ```
    /// gopark::sync::WaitGroup::new().wait(); // nothing to wait for
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts `n` more things to be done.
    ///
    /// Count before the thing starts, not inside it: otherwise a `wait` may come
    /// first and find nothing to wait for.
    ///
    /// # Panics
    /// The counter would exceed 2⁶².
    ///
    /// ```
    /// let wg = gopark::sync::WaitGroup::new();
    /// wg.add(2);
    /// wg.done();
    /// wg.done();
    /// wg.wait();
    /// ```
    #[track_caller]
    pub fn add(&self, n: usize) {
        let me = task::pass();
        self.group.affinity.touch_by(me.record());
        self.group.counted.set(me.id(), Location::caller());
        assert!(self.group.word.add(n as u64), "sync.WaitGroup: counter above its limit");
    }

    /// One of the things is done. The last one lets everybody go who waits.
    ///
    /// # Panics
    /// The counter is zero: more was done than counted.
    ///
    /// ```should_panic
    /// gopark::sync::WaitGroup::new().done();
    /// ```
    #[track_caller]
    pub fn done(&self) {
        task::pass_by();
        assert!(self.group.done(), "sync.WaitGroup: counter below zero: done() without add()");
    }

    /// Blocks until the counter is zero.
    ///
    /// Parks the task with reason `sync.WaitGroup.Wait`. Everything that was
    /// done before the calls of `done` is visible afterwards.
    ///
    /// ```
    /// let wg = gopark::sync::WaitGroup::new();
    /// wg.go(|| println!("first"));
    /// wg.wait();
    /// println!("second");
    /// ```
    #[track_caller]
    pub fn wait(&self) {
        self.group.wait(Location::caller());
    }

    /// This wait as a case of a [`select`](crate::chan::select()).
    ///
    /// ```
    /// use gopark::chan;
    /// use gopark::sync::WaitGroup;
    /// use std::time::Duration;
    ///
    /// let group = WaitGroup::new();
    /// group.add(1);
    /// let limit = Duration::from_millis(5);
    /// assert_eq!(chan::select_timeout(&mut [&mut group.case()], limit), None);
    /// group.done();
    /// assert_eq!(chan::select_timeout(&mut [&mut group.case()], limit), Some(0));
    /// ```
    pub fn case(&self) -> WaitCase<'_> {
        WaitCase::new(self)
    }

    /// Starts a task and counts it until it ends, by return or by panic (Go:
    /// `WaitGroup.Go`).
    ///
    /// A panic is the task's own affair: `wait` returns, and the handle's
    /// `join` gives the panic.
    ///
    /// # Panics
    /// As [`go`](crate::go).
    ///
    /// ```
    /// let wg = gopark::sync::WaitGroup::new();
    /// let answer = wg.go(|| 42);
    /// wg.wait();
    /// assert_eq!(answer.join().unwrap(), 42);
    /// ```
    #[track_caller]
    pub fn go<F, T>(&self, f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.go_as::<F, _, _>(f)
    }

    /// [`go`](Self::go) for a closure that runs the program's, an `As`.
    #[track_caller]
    pub(super) fn go_as<As, F, T>(&self, f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.add(1);
        let done = Done(self.clone());
        spawn::go_as::<As, _, _>(move || {
            let _done = done;
            f()
        })
    }
}

impl WaitGroup {
    /// [`done`](Self::done) for those who have counted and cannot panic.
    pub(super) fn count_down(&self) {
        self.group.done();
    }

    /// Waits until the counter is zero, whatever happens: neither the reaper nor a
    /// panic ends this.
    pub(super) fn wait_out(&self, reason: WaitReason, site: &'static Location<'static>) {
        let me = task::current();
        self.group.affinity.touch_by(me.record());
        let how = Park::new(reason, site).uninterruptible();
        let held = self.group.waiters.hold();
        if !self.group.word.announce() {
            return;
        }
        if !matches!(held.park_on(me, how, &*self.group), Parked::Woken) {
            crate::sys::fatal(format_args!("a wait that must not end was ended"));
        }
    }
}

/// For [`WaitCase`].
impl WaitGroup {
    pub(super) fn waiters(&self) -> &Waiters {
        &self.group.waiters
    }

    pub(super) fn touch(&self, me: TaskRef) {
        self.group.affinity.touch_by(me.record());
    }

    /// Whether there is something to wait for. The queue is locked, and stays so
    /// until the waiter is in it.
    pub(super) fn announce(&self) -> bool {
        self.group.word.announce()
    }
}

/// Calls `done` when dropped, also by a panic, and by a task that never ran.
struct Done(WaitGroup);

impl Drop for Done {
    fn drop(&mut self) {
        // Too many calls of done() were made by somebody else, who was told.
        self.0.group.done();
    }
}

impl Group {
    /// False if the counter is zero already.
    fn done(&self) -> bool {
        self.affinity.touch_by(task::current().record());
        loop {
            match self.word.down() {
                Down::Counted => return true,
                Down::Below => return false,
                Down::Last if self.last_done() => return true,
                Down::Last => {}
            }
        }
    }

    /// The counter goes from one to zero, and waiters are let go. False if the
    /// counter changed meanwhile.
    #[cold]
    fn last_done(&self) -> bool {
        let held = self.waiters.hold();
        if !self.word.reach_zero() {
            return false;
        }
        held.end_round();
        true
    }

    fn wait(&self, site: &'static Location<'static>) {
        let me = task::arrive();
        self.affinity.touch_by(me.record());
        if self.word.is_zero() {
            return;
        }
        let mut how = Park::new(WaitReason::WaitGroupWait, site);
        loop {
            let held = self.waiters.hold();
            if !self.word.announce() {
                return;
            }
            match held.park_on(me, how, self) {
                Parked::Woken => return,
                Parked::TimedOut(_) => unreachable!("a wait without deadline timed out"),
                Parked::Reaped(held) => {
                    drop(held);
                    park::on_reaped();
                    // The task panics already and cannot unwind again.
                    how = how.uninterruptible();
                }
            }
        }
    }
}

impl Describe for Group {
    fn describe(&self, pad: &mut Pad) {
        let count = self.word.count();
        pad.add(Sketch::Group { count, counted: self.counted.get() });
    }
}

impl Describe for WaitGroup {
    fn describe(&self, pad: &mut Pad) {
        self.group.describe(pad);
    }
}

impl Default for Group {
    fn default() -> Self {
        Self {
            word: WgWord::new(),
            waiters: Waiters::new(),
            affinity: Affinity::new(),
            counted: Owner::nobody(),
        }
    }
}

impl fmt::Debug for WaitGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitGroup").field("count", &self.group.word.count()).finish()
    }
}

// A panic cannot leave a group half changed: no user code runs inside.
impl UnwindSafe for WaitGroup {}
impl RefUnwindSafe for WaitGroup {}
