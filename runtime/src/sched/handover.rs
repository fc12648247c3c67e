//! When a worker gives its processor up, and how one gets another.
//!
//! A worker gives its processor up when it finds nothing to run ([`go_idle`]), when
//! others have waited for a slice ([`hand_over`], [`pass_to_others`]), when there are too
//! many processors, and when it ends ([`resign`]). What is given up goes to the first in
//! the FIFO, else to the idle ones (`Shared::give` in `allot.rs`). A worker without one is
//! [assigned](Worker::assign) one by whoever has one to give, or takes an idle one
//! ([`reclaim`]), and sleeps until then.
//!
//! # The FIFO
//! A worker with ready bound tasks and no processor queues here. A holder that
//! sees the FIFO not empty keeps its processor for one more slice, then hands
//! it over at its next switch, however often its tasks have switched since, and
//! queues itself if it has ready tasks left; at once, if its task leaves because it
//! has had a slice for itself. Tasks that any worker may run are
//! served by every holder in turn (step 3 of `find.rs`), but not by an exclusive worker,
//! nor by one whose task is suspended (`signal.rs`). So when one of those hands over
//! while such tasks wait, the run queues enter the FIFO as one more member, standing for a
//! spare worker.
//!
//! # What it relies on
//! w1 to w4, s2 and s3 are steps of `idle.rs`, where the proof is: nobody gives a
//! processor up without a last look at the queues behind a barrier, and who finds
//! something there takes a processor back or wakes somebody who does. The model is
//! `models/workers`.
//!
//! A worker's status changes under the scheduler's lock only (W2), so whoever sees `IDLE`
//! there may give it a processor. Outside of the lock it is read by `kick` (`enqueue.rs`)
//! after its push to the inbox; the store of `IDLE` comes before the last look at that.

use super::processor::Processor;
use super::worker::{HOLDS, IDLE, Nudge, Worker};
use super::{SCHED, settings};
use crate::sys::clock;
use crate::sys::section::Section;
use std::sync::atomic::Ordering;

/// Wanted for more than a slice; 0 means that it is not.
pub(super) const LONG_AGO: u64 = 1;

/// Cheap where slices are long: asked at every switch while somebody waits.
pub(super) fn slice_clock() -> u64 {
    if SCHED.slice() < settings::SLICE { clock::now() } else { clock::coarse() }
}

/// Has the holder had its slice since somebody wanted the processor?
#[cold]
pub(super) fn used_up(w: &Worker) -> bool {
    let now = slice_clock();
    match w.wanted_since.get() {
        0 => {
            w.wanted_since.set(now);
            false
        }
        since => now.saturating_sub(since) >= SCHED.slice(),
    }
}

/// Is there a task that could run on this worker, or in its place, if the running
/// one left, or is its processor too many? Without a processor, in a blocking call,
/// there is nothing to give.
pub(super) fn somebody_waits(w: &Worker) -> bool {
    let _section = Section::new();
    let Some(p) = w.holding() else { return false };
    SCHED.is_surplus(p)
        || w.has_bound_work()
        || p.has_work()
        || SCHED.global_len() != 0
        || SCHED.is_wanted(w, p)
}

/// Gives the processor to the first in the FIFO, or to nobody if there are too many,
/// and queues behind it if there are bound tasks left to run.
#[cold]
#[inline(never)]
pub(super) fn hand_over(w: &'static Worker, p: &'static Processor) {
    let spare = SCHED.locked(|s| {
        if w.exclusive.get() && !SCHED.is_surplus(p) && (p.has_work() || !s.global.is_empty()) {
            s.queue_anyone();
        }
        w.set_processor(None);
        s.give(p, &SCHED.idle)
    });
    if w.spinning.replace(false) {
        SCHED.idle.end_spin();
    }
    spare.send();
    sleep_or_queue(w, w.has_bound_work());
}

/// Does anybody wait for the processor whom its holder does not serve while its
/// task runs on?
pub(super) fn others_wait(p: &Processor) -> bool {
    SCHED.is_surplus(p) || SCHED.has_waiters() || p.has_work() || SCHED.global_len() != 0
}

/// Passes the processor to the first of those, and puts the worker behind them.
/// `None`: it keeps it, for nobody could use it now.
pub(super) fn pass_to_others(w: &'static Worker, leaves: impl FnOnce()) -> Option<Nudge> {
    let p = w.processor();
    if SCHED.is_surplus(p) {
        return Some(give_up(w, p, leaves));
    }
    if !SCHED.has_waiters() && SCHED.idle.any() {
        wake_one();
        return None;
    }
    SCHED.locked(|s| {
        if p.has_work() || !s.global.is_empty() {
            s.queue_anyone();
        }
        let first = s.next_in_fifo()?;
        s.handovers += 1;
        leaves();
        w.set_processor(None);
        let nudge = first.assign(p);
        // Who has had its slice comes last, and hurries nobody.
        let _ = s.want(w);
        Some(nudge)
    })
}

/// Gives up a processor that is too many. The worker gets one that is idle, or waits
/// for one.
#[cold]
fn give_up(w: &'static Worker, p: &'static Processor, leaves: impl FnOnce()) -> Nudge {
    let (given, nudge) = SCHED.locked(|s| {
        leaves();
        w.set_processor(None);
        // Somebody has it after all if the number has grown meanwhile.
        let given = s.give(p, &SCHED.idle);
        let nudge = match s.take_idle(&SCHED.idle) {
            Some(p) => w.assign(p),
            None => s.want(w),
        };
        (given, nudge)
    });
    given.send();
    SCHED.idle.before_last_look();
    if SCHED.has_work() {
        wake_one();
    }
    nudge
}

/// w1 to w4: gives the processor up. `true`: there is work after all, and a
/// processor for it.
#[cold]
#[inline(never)]
pub(super) fn go_idle(w: &'static Worker, p: &'static Processor) -> bool {
    w.lull.begin_to_sleep(clock::now);
    let spun = w.spinning.replace(false);
    let nudge = SCHED.locked(|s| {
        w.set_processor(None);
        // ORDERING: SeqCst; pairs with the SeqCst load in kick(), which comes after a push
        // to the inbox: either that sees it, or the last look below sees the push.
        w.status.store(IDLE, Ordering::SeqCst);
        s.list_idle(w);
        s.give(p, &SCHED.idle)
    });
    nudge.send();
    if spun {
        SCHED.idle.end_spin();
    }
    SCHED.idle.before_last_look();
    if !w.inbox.is_empty() {
        let got = reclaim(w, true);
        // Its submitter may have relied on our spinning, and we go on with
        // something else.
        if SCHED.has_work() {
            wake_one();
        }
        return got;
    }
    if SCHED.has_work() {
        if !w.exclusive.get() {
            return reclaim(w, false);
        }
        wake_one();
    }
    false
}

/// A worker ends: its processor goes on without it.
#[cold]
#[inline(never)]
pub(super) fn resign(w: &'static Worker) {
    let p = w.processor();
    let nudge = SCHED.locked(|s| {
        w.set_processor(None);
        s.give(p, &SCHED.idle)
    });
    nudge.send();
    SCHED.idle.before_last_look();
    if SCHED.has_work() {
        wake_one();
    }
}

/// After [`hand_over`], or after a blocking call: the worker has no processor and
/// says what it wants.
pub(super) fn sleep_or_queue(w: &'static Worker, ready: bool) {
    let nudge = SCHED.locked(|s| {
        // ORDERING: SeqCst; as in go_idle().
        w.status.store(IDLE, Ordering::SeqCst);
        s.list_idle(w);
        s.serve(&SCHED.idle)
    });
    nudge.send();
    SCHED.idle.before_last_look();
    if ready || !w.inbox.is_empty() {
        reclaim_or_want(w);
    }
    // If nobody wanted the processor any more, it is idle now, with its ring.
    if SCHED.has_work() {
        wake_one();
    }
}

/// Takes an idle processor back for work seen in the last look. `false`:
/// somebody else gave us one already, or there is none.
pub(crate) fn reclaim(w: &'static Worker, bound: bool) -> bool {
    let (got, nudge) = SCHED.locked(|s| {
        if w.status.load(Ordering::Relaxed) != IDLE {
            return (false, Nudge::Nobody);
        }
        match s.take_idle(&SCHED.idle) {
            Some(p) => {
                // ORDERING: SeqCst; in one order with the changes in assign() and go_idle().
                w.status.store(HOLDS, Ordering::SeqCst);
                w.set_processor(Some(p));
                w.wanted_since.set(0);
                (true, Nudge::Nobody)
            }
            None if bound => (false, s.want(w)),
            None => (false, Nudge::Nobody),
        }
    });
    nudge.send();
    if got && !bound {
        SCHED.idle.begin_spin();
        w.spinning.set(true);
    }
    got
}

/// Like [`reclaim`], for a worker that waits in either case: an idle processor reaches
/// it through its hand-off word.
#[cold]
pub(super) fn reclaim_or_want(w: &'static Worker) {
    let nudge = SCHED.locked(|s| {
        if w.status.load(Ordering::Relaxed) != IDLE {
            return Nudge::Nobody;
        }
        match s.take_idle(&SCHED.idle) {
            Some(p) => w.assign(p),
            None => s.want(w),
        }
    });
    nudge.send();
}

/// s2, s3: after a task was put where any worker finds it.
#[inline]
pub(crate) fn wake_one() {
    if SCHED.idle.should_wake() {
        start_spinner();
    }
}

/// Gives an idle processor to a worker that searches. The caller has counted
/// it as spinning.
#[cold]
fn start_spinner() {
    let nudge = SCHED.locked(|s| {
        let Some(p) = s.take_idle(&SCHED.idle) else {
            // Somebody took the processor meanwhile, and looks at the queues
            // before it gives it up. That is under this lock, so it cannot do
            // so while our spin is still counted and keeps submitters quiet.
            SCHED.idle.end_spin();
            return Nudge::Nobody;
        };
        match s.pop_idle_worker() {
            Some(w) => {
                w.spinning.set(true);
                w.assign(p)
            }
            None => {
                // The maker of the next worker looks at the queues.
                SCHED.idle.end_spin();
                s.put_idle(p, &SCHED.idle);
                Nudge::Nobody
            }
        }
    });
    nudge.send();
}
