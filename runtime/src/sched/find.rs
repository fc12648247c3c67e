//! Which task runs next, and what a worker does when there is none.
//!
//! The order, in [`find`] and nowhere else:
//!
//! 1. every 61st time, the global queue, so that a busy processor does not
//!    starve it;
//! 2. the *next* slots: the bound task that the last one made ready, then the
//!    task that it made. At most 61 times in a row, so that two tasks that wake
//!    each other do not starve the rest;
//! 3. the worker's ready bound tasks and the processor's ring, taking turns;
//! 4. where a bound task used to come soon (`lull.rs`), such a one, for a few
//!    microseconds; then the global queue, a batch;
//! 5. tasks whose timers of this processor are due. Also every eighth time before
//!    all else, so that a busy processor does not let them wait;
//! 6. the network: whoever waits for a socket that is ready;
//! 7. half of the ring of a random other processor, or less (`share.rs`), if it has
//!    waited there for some microseconds (`ripe.rs`), as found on a walk (`steal.rs`);
//! 8. tasks whose timers of other processors are due (`time/watch.rs`).
//!
//! A task that has had a whole slice (`preempt.rs`) goes behind all that are ready
//! then: bound, behind its siblings; migrating, to the end of the global queue, as
//! in Go. Step 3 would run one task of the ring after each such slice of a bound
//! one, so the slice that follows it is the ring's and the global queue's, as far
//! as they have something to run; then it is a bound task's turn in any case.
//!
//! A worker that finds nothing gives its processor up (`handover.rs`). Where tasks come
//! from that are ready, `enqueue.rs` says.
//!
//! # Rejected
//! In default mode a search is in vain where all that is ready is bound to others or
//! comes from the network. Two cures were no gain in the median of 64 connections with
//! a task at both ends, and a loss in migrating mode:
//! - *Looking at the network in each round.* Whoever searches then gets each event
//!   alone as soon as it comes, instead of many together a moment later, and looks up
//!   to ten times as often.
//! - *Searching for a moment only, after some searches in vain.* It saves processor
//!   time, and pays with several times as many sleeps.

use super::handover::{self, LONG_AGO, wake_one};
use super::processor::Processor;
use super::steal;
use super::worker::Worker;
use super::{SCHED, observe};
use crate::netpoll;
use crate::sys::clock;
use crate::task::record::Record;
use crate::time;
use std::sync::atomic::Ordering;

/// How often the timers of a busy processor are looked at: every so many decisions.
const TIMERS: u64 = 8;

/// Consecutive picks of a next slot; and the global queue's share, as in Go.
const STREAK: u32 = 61;

/// The next task for a worker that holds a processor; `None` when it holds
/// none any more.
#[inline]
pub(super) fn find(w: &'static Worker) -> Option<&'static Record> {
    loop {
        let p = w.processor();
        w.empty_inbox();
        if SCHED.is_surplus(p) {
            handover::hand_over(w, p);
            return None;
        }
        if SCHED.is_wanted(w, p) {
            if handover::used_up(w) {
                handover::hand_over(w, p);
                return None;
            }
        } else {
            w.wanted_since.set(0);
        }
        let found = if w.exclusive.get() { find_bound(w) } else { find_local(w, p) };
        if let Some(task) = found {
            if w.spinning.get() {
                end_search(w);
            }
            return Some(task);
        }
        if w.lull.is_short() && linger(w, p) {
            continue;
        }
        if !w.exclusive.get() {
            if let Some(task) = search(w, p) {
                end_search(w);
                return Some(task);
            }
            if w.has_bound_work() {
                continue;
            }
        }
        if !handover::go_idle(w, p) {
            return None;
        }
    }
}

/// Waits for a bound task, for a little while. Whether there is one.
#[inline(never)]
fn linger(w: &Worker, p: &Processor) -> bool {
    let end = w.lull.begin(clock::now());
    if w.bound_alive.get() == 0 || SCHED.processors().len() == 1 {
        return false;
    }
    while !SCHED.has_waiters() && !SCHED.is_surplus(p) {
        for _ in 0..16 {
            if !w.inbox.is_empty() {
                w.lull.end();
                return true;
            }
            core::hint::spin_loop();
        }
        if clock::now() >= end {
            break;
        }
    }
    false
}

#[inline]
fn find_bound(w: &Worker) -> Option<&'static Record> {
    // Not that of the processor: thieves take the next slot of one whose tick
    // stands still, and this worker leaves it to them.
    w.tick.store(w.tick.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    let next = w.bound_next.take();
    if w.streak.get() < STREAK {
        if next.is_some() {
            w.streak.set(w.streak.get() + 1);
            return next;
        }
    } else if let Some(task) = next {
        w.bound.push(task);
    }
    w.streak.set(0);
    w.bound.pop()
}

/// Steps 1 to 3.
///
/// They are on the way of every switch: as a call they make a yield slower by half. And
/// rare steps that the compiler inlines beside them, and that take the registers, make
/// it slower by a tenth; so those are kept out of line.
#[inline(always)]
fn find_local(w: &Worker, p: &'static Processor) -> Option<&'static Record> {
    let tick = p.tick.load(Ordering::Relaxed) + 1;
    p.tick.store(tick, Ordering::Relaxed);
    if tick.is_multiple_of(TIMERS) {
        run_timers(p);
    }
    if tick.is_multiple_of(u64::from(STREAK))
        && let Some(task) = take_global(w, p, 1)
    {
        return Some(task);
    }
    if w.streak.get() < STREAK {
        if let Some(task) = w.bound_next.take().or_else(|| p.take_next()) {
            w.streak.set(w.streak.get() + 1);
            return Some(task);
        }
    } else {
        if let Some(task) = w.bound_next.take() {
            w.bound.push(task);
        }
        if let Some(task) = p.take_next() {
            p.put(task);
        }
    }
    w.streak.set(0);
    if w.ring_until.get() != 0
        && let Some(task) = find_after_slice(w, p)
    {
        return Some(task);
    }
    // A flag of its own: by the tick's parity, a chain of odd length would come
    // here with the same parity every time.
    if w.ring_first.replace(!w.ring_first.get()) {
        p.take().or_else(|| w.bound.pop())
    } else {
        w.bound.pop().or_else(|| p.take())
    }
}

/// The same after something was found for others.
#[inline(never)]
fn find_local_again(w: &Worker, p: &'static Processor) -> Option<&'static Record> {
    find_local(w, p)
}

/// Step 3 in the slice after that of a bound task.
#[cold]
fn find_after_slice(w: &Worker, p: &'static Processor) -> Option<&'static Record> {
    if handover::slice_clock() < w.ring_until.get()
        && let Some(task) = p.take().or_else(|| take_global(w, p, usize::MAX))
    {
        return Some(task);
    }
    w.ring_until.set(0);
    w.bound.pop()
}

#[inline]
fn take_global(w: &Worker, p: &Processor, most: usize) -> Option<&'static Record> {
    if SCHED.global_len() == 0 {
        return None;
    }
    observe::looks_elsewhere(w);
    SCHED.take_global(p, most)
}

/// Steps 4 to 8. Leaves the worker spinning if it searched.
#[inline(never)]
fn search(w: &'static Worker, p: &'static Processor) -> Option<&'static Record> {
    observe::looks_elsewhere(w);
    if let Some(task) = take_global(w, p, usize::MAX) {
        return Some(task);
    }
    if run_timers(p) {
        return first_fired(w, p);
    }
    if netpoll::look()
        && let Some(task) = find_local_again(w, p)
    {
        return Some(task);
    }
    let count = SCHED.processors().len() as u32;
    if count == 1 {
        return None;
    }
    if !w.spinning.get() {
        if !SCHED.idle.may_spin(count) {
            return None;
        }
        w.spinning.set(true);
        SCHED.idle.begin_spin();
    }
    if let Some(task) = steal::walk(w, p, count) {
        return Some(task);
    }
    if !w.inbox.is_empty() || SCHED.global_len() != 0 {
        return None;
    }
    if time::run_others(p) { first_fired(w, p) } else { None }
}

/// Makes the tasks ready whose timers of this processor are due. Whether there
/// were any.
#[inline]
fn run_timers(p: &'static Processor) -> bool {
    p.timers.first() != u64::MAX && p.timers.run(clock::now()) != 0
}

/// A task that a timer has made ready just now, if it is to run here.
fn first_fired(w: &Worker, p: &'static Processor) -> Option<&'static Record> {
    w.bound.pop().or_else(|| p.take())
}

/// f1: this worker found work, and there may be more.
#[cold]
fn end_search(w: &Worker) {
    if w.spinning.replace(false) {
        SCHED.idle.end_spin();
    }
    wake_one();
}

/// Puts the task, which has left after a whole slice, behind all that are ready.
#[cold]
pub(super) fn end_slice(w: &'static Worker, task: &'static Record) {
    if SCHED.is_wanted(w, w.processor()) {
        w.wanted_since.set(LONG_AGO);
    }
    task.state.requeue();
    if task.worker.load(Ordering::Relaxed).is_null() {
        // From here on another worker may run it.
        SCHED.put_global(&[task]);
        wake_one();
        return;
    }
    w.empty_inbox();
    w.bound.push(task);
    if w.ring_until.get() == 0 {
        w.ring_until.set(handover::slice_clock() + SCHED.slice());
    }
}
