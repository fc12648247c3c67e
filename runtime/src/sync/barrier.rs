//! The barrier: a queue whose present round is complete when the last one comes.

use super::TimeoutError;
use super::waiters::{Held, Parked, Waiters};
use crate::inspect::WaitReason;
use crate::sched::park::{self, Park};
use crate::task::subject::{Describe, Pad, Sketch};
use crate::task::{self, TaskRef, affinity::Affinity};
use std::fmt;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::time::{Duration, Instant};

/// Lets nobody go on before so many have arrived (std: `Barrier`).
///
/// It may be used again and again. One that leaves, by its time limit or because
/// it is reaped, has not arrived.
///
/// ```
/// use gopark::sync::{Barrier, WaitGroup};
/// use std::sync::Arc;
///
/// let (barrier, wg) = (Arc::new(Barrier::new(3)), WaitGroup::new());
/// for _ in 0..3 {
///     let barrier = barrier.clone();
///     wg.go(move || {
///         println!("before");
///         barrier.wait();
///         println!("after all before");
///     });
/// }
/// wg.wait();
/// ```
pub struct Barrier {
    parties: u32,
    waiters: Waiters,
    affinity: Affinity,
}

/// What [`Barrier::wait`] found.
///
/// ```
/// assert!(gopark::sync::Barrier::new(1).wait().is_leader());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BarrierWaitResult(bool);

impl BarrierWaitResult {
    /// Whether this one came last: one in each round.
    ///
    /// ```
    /// assert!(gopark::sync::Barrier::new(1).wait().is_leader());
    /// ```
    pub fn is_leader(self) -> bool {
        self.0
    }

    pub(super) fn new(is_leader: bool) -> Self {
        Self(is_leader)
    }
}

impl Barrier {
    /// A barrier for so many; 0 is as good as 1.
    ///
    /// # Panics
    /// More than 2³² − 1.
    ///
    /// ```
    /// static BARRIER: gopark::sync::Barrier = gopark::sync::Barrier::new(1);
    /// BARRIER.wait();
    /// ```
    pub const fn new(parties: usize) -> Self {
        assert!(parties <= u32::MAX as usize, "sync.Barrier: for more than 2^32 - 1");
        Self { parties: parties as u32, waiters: Waiters::new(), affinity: Affinity::new() }
    }

    /// Waits until all have arrived. What each did before is then visible to all.
    ///
    /// Parks the task with reason `sync.Barrier.Wait`.
    ///
    /// ```
    /// let barrier = gopark::sync::Barrier::new(1);
    /// assert!(barrier.wait().is_leader());
    /// ```
    #[track_caller]
    pub fn wait(&self) -> BarrierWaitResult {
        let arrived = self.arrive(None, Location::caller());
        arrived.expect("a wait without deadline does not time out")
    }

    /// [`wait`](Self::wait), at most so long.
    ///
    /// # Errors
    /// Not all arrived in time; this one does not count as arrived then.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let barrier = gopark::sync::Barrier::new(2);
    /// assert!(barrier.wait_timeout(Duration::from_millis(5)).is_err());
    /// ```
    #[track_caller]
    pub fn wait_timeout(&self, timeout: Duration) -> Result<BarrierWaitResult, TimeoutError> {
        // A deadline beyond the clock's range is none.
        self.arrive(Instant::now().checked_add(timeout), Location::caller())
    }

    pub(super) fn waiters(&self) -> &Waiters {
        &self.waiters
    }

    pub(super) fn touch(&self, me: TaskRef) {
        self.affinity.touch_by(me.record());
    }

    /// Whether one more makes the round complete.
    pub(super) fn completes(&self, held: &mut Held<'_>) -> bool {
        held.members() + 1 >= self.parties
    }

    fn arrive(
        &self,
        deadline: Option<Instant>,
        site: &'static Location<'static>,
    ) -> Result<BarrierWaitResult, TimeoutError> {
        let me = task::arrive();
        self.affinity.touch_by(me.record());
        let mut how = Park::new(WaitReason::BarrierWait, site);
        if let Some(deadline) = deadline {
            how = how.until(deadline);
        }
        loop {
            let mut held = self.waiters.hold();
            if self.completes(&mut held) {
                held.end_round();
                return Ok(BarrierWaitResult(true));
            }
            let round = held.join_round();
            match held.park_on(me, how, self) {
                Parked::Woken => return Ok(BarrierWaitResult(false)),
                Parked::TimedOut(mut held) => {
                    let complete = held.leave_round(round);
                    return if complete { Ok(BarrierWaitResult(false)) } else { Err(TimeoutError) };
                }
                Parked::Reaped(mut held) => {
                    let complete = held.leave_round(round);
                    drop(held);
                    park::on_reaped();
                    if complete {
                        return Ok(BarrierWaitResult(false));
                    }
                    if deadline.is_some() {
                        return Err(TimeoutError);
                    }
                    how = how.uninterruptible();
                }
            }
        }
    }
}

impl Describe for Barrier {
    fn describe(&self, pad: &mut Pad) {
        let arrived = self.waiters.hold().members();
        pad.add(Sketch::Barrier { parties: self.parties, arrived });
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier").field("parties", &self.parties).finish_non_exhaustive()
    }
}

// No user code runs inside, so a panic cannot leave it half changed.
impl UnwindSafe for Barrier {}
impl RefUnwindSafe for Barrier {}
