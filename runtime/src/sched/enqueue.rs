//! Where a task goes that is ready.
//!
//! A bound one (W4) to its worker: into its own lists, if that is who makes it ready, else
//! into its inbox, and an idle worker gets a processor for it ([`kick`]). Any other to the
//! processor of whoever makes it ready; from a thread without one, to the global queue.
//! From there on it is `find.rs` that decides when it runs.
//!
//! Whoever won the claim calls [`enqueue`], once for each park (T2, T3 of `state.rs`), and
//! after the lock of the primitive is released.
//!
//! # Why it is found
//! A task that any worker may run is put somewhere (s1) before [`wake_one`] looks whether
//! somebody should be woken (s2, s3); one for an inbox is pushed before the status of its
//! worker is read. The proof for both is in `idle.rs`.

use super::counts::ELSEWHERE;
use super::handover::{reclaim_or_want, wake_one};
use super::worker::{self, IDLE, Worker};
use super::{SCHED, observe, signal};
use crate::inspect::contention;
use crate::sys::section::Section;
use crate::task::record::Record;
use crate::task::state::{Cause, Claim};
use std::sync::atomic::Ordering;

/// When a ready task runs, of those that the same worker has to run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Next,
    /// Timers end in the order of their times.
    Last,
}

/// Puts a claimed task where it will run. Called by whoever won the claim.
#[inline]
pub(crate) fn enqueue(task: &'static Record) {
    let _section = Section::new();
    put(announce(task), task, Turn::Next);
}

/// Puts a task that a timer has made ready behind those that are ready. The caller may
/// hold no processor.
pub(crate) fn enqueue_behind(task: &'static Record) {
    let _section = Section::new();
    put(announce(task), task, Turn::Last);
}

/// Puts a task where it will run that nobody has claimed: a new one, or one that has
/// left to let others go first. In a section.
#[inline]
pub(crate) fn enqueue_unclaimed(task: &'static Record) {
    put(worker::current(), task, Turn::Next);
}

/// Who watches and who counts hear of a task that was claimed. Where that is. In a section.
#[inline]
fn announce(task: &'static Record) -> Option<&'static Worker> {
    observe::ready(task);
    contention::ready(task);
    let here = worker::current();
    match here {
        Some(w) => w.counts.readies.add(1),
        None => ELSEWHERE.one_ready(),
    }
    here
}

/// In a section.
#[inline(always)]
fn put(here: Option<&'static Worker>, task: &'static Record, turn: Turn) {
    // ORDERING: Acquire; pairs with the Release of whoever binds it: in first_start(), as a
    // rule; else in prepare(), in lock(), or in Pin::new().
    let bound = task.worker.load(Ordering::Acquire);
    // SAFETY: null, or a worker, and those are never freed (W3).
    if let Some(home) = unsafe { bound.cast_const().as_ref() } {
        match here {
            Some(me) if core::ptr::eq(me, home) && turn == Turn::Next => {
                if let Some(former) = me.bound_next.replace(Some(task)) {
                    me.bound.push(former);
                }
            }
            Some(me) if core::ptr::eq(me, home) && me.holding().is_some() => {
                // What others have fired before lies there.
                me.empty_inbox();
                me.bound.push(task);
            }
            _ => {
                home.inbox.push(task);
                kick(home);
            }
        }
        return;
    }
    match (here.and_then(Worker::holding), turn) {
        (Some(p), Turn::Next) => p.put_next(task),
        (Some(p), Turn::Last) => p.put(task),
        (None, _) => return submit(task),
    }
    wake_one();
}

/// For whoever holds no processor: if none is idle, a holder that has had its slice
/// hears of the task at once.
#[inline(never)]
fn submit(task: &'static Record) {
    SCHED.put_global(&[task]);
    if SCHED.idle.any() {
        wake_one();
    } else {
        signal::hurry();
    }
}

/// After a push to a worker's inbox: if it is idle, it gets a processor, or a
/// place in the FIFO.
#[inline]
fn kick(w: &'static Worker) {
    // ORDERING: SeqCst; pairs with the SeqCst store of IDLE: either this load
    // sees it, or the worker's last look sees the push.
    if w.status.load(Ordering::SeqCst) == IDLE {
        reclaim_or_want(w);
    }
}

/// A park whose commit said no: the task goes on, unless somebody else has
/// ended the park already.
#[cold]
pub(super) fn unpark_self(task: &'static Record, ticket: u32) {
    if task.state.claim(Cause::Ready, Some(ticket)) == Claim::Won {
        enqueue(task);
    }
}
