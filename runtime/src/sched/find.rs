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
//!    waited there for some microseconds (`ripe.rs`);
//! 8. tasks whose timers of other processors are due (`time/watch.rs`).
//!
//! A task that has had a whole slice (`preempt.rs`) goes behind all that are ready
//! then: bound, behind its siblings; migrating, to the end of the global queue, as
//! in Go. Step 3 would run one task of the ring after each such slice of a bound
//! one, so the slice that follows it is the ring's and the global queue's, as far
//! as they have something to run; then it is a bound task's turn in any case.
//!
//! A worker that finds nothing gives its processor up: to the first in the
//! FIFO of workers that want one, else to the idle ones (`idle.rs`).
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
//!
//! # The FIFO
//! A worker with ready bound tasks and no processor queues here. A holder that
//! sees the FIFO not empty keeps its processor for one more slice, then hands
//! it over at its next switch, however often its tasks have switched since, and
//! queues itself if it has ready tasks left; at once, if its task leaves because it
//! has had a slice for itself. Tasks that any worker may run are
//! served by every holder in turn (3), but not by an exclusive worker, nor by one
//! whose task is suspended (`signal.rs`). So when one of those hands over while such
//! tasks wait, the run queues enter the FIFO as one more member, standing for a
//! spare worker.

use super::counts::ELSEWHERE;
use super::processor::Processor;
use super::ripe::Ripe;
use super::worker::{self, HOLDS, IDLE, Nudge, WANTS, Worker};
use super::{SCHED, observe, settings, signal};
use crate::inspect::contention;
use crate::netpoll;
use crate::sys::clock;
use crate::sys::section::Section;
use crate::task::record::Record;
use crate::task::state::{Cause, Claim};
use crate::time;
use std::sync::atomic::Ordering;

/// How often the timers of a busy processor are looked at: every so many decisions.
const TIMERS: u64 = 8;

/// Wanted for more than a slice; 0 means that it is not.
const LONG_AGO: u64 = 1;

/// Consecutive picks of a next slot; and the global queue's share, as in Go.
const STREAK: u32 = 61;

/// Rounds over all processors before the search gives up. A round waits a
/// little longer than the one before, some 20 µs in all: less than the kernel
/// takes to wake a sleeping thread.
const ROUNDS: u32 = 10;
/// The same while something waits that is not ripe (`ripe.rs`): somewhat longer than that
/// takes.
const MORE_ROUNDS: u32 = 20;

/// The next task for a worker that holds a processor; `None` when it holds
/// none any more.
#[inline]
pub(crate) fn find(w: &'static Worker) -> Option<&'static Record> {
    loop {
        let p = w.processor();
        w.inbox.take_into(&w.bound);
        if SCHED.is_surplus(p) {
            hand_over(w, p);
            return None;
        }
        if SCHED.is_wanted(w, p) {
            if used_up(w) {
                hand_over(w, p);
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
        if !go_idle(w, p) {
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
        && SCHED.global_len() != 0
        && let Some(task) = SCHED.take_global(p, 1)
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
    if slice_clock() < w.ring_until.get()
        && let Some(task) = p.take().or_else(|| take_batch(p))
    {
        return Some(task);
    }
    w.ring_until.set(0);
    w.bound.pop()
}

fn take_batch(p: &'static Processor) -> Option<&'static Record> {
    if SCHED.global_len() == 0 {
        return None;
    }
    SCHED.take_global(p, usize::MAX)
}

/// Steps 4 to 8. Leaves the worker spinning if it searched.
#[inline(never)]
fn search(w: &'static Worker, p: &'static Processor) -> Option<&'static Record> {
    if let Some(task) = take_batch(p) {
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
    if let Some(task) = look_at_others(w, p, count) {
        return Some(task);
    }
    if !w.inbox.is_empty() || SCHED.global_len() != 0 {
        return None;
    }
    if time::run_others(p) { first_fired(w, p) } else { None }
}

/// Step 7. Ends early if there is something else to run.
fn look_at_others(
    w: &'static Worker,
    p: &'static Processor,
    count: u32,
) -> Option<&'static Record> {
    let begun = clock::now();
    for round in 0..MORE_ROUNDS {
        let now = if round == 0 { begun } else { clock::now() };
        let start = p.random() % count;
        let mut not_yet = false;
        for n in 0..count {
            let victim = SCHED.processor((start + n) % count);
            if core::ptr::eq(victim, p) {
                continue;
            }
            let ripe = p.sight(victim).ripe(&victim.look(), begun, now);
            not_yet |= ripe == Ripe::NotYet;
            if matches!(ripe, Ripe::Nothing | Ripe::NotYet) {
                continue;
            }
            let fair = w.modesty.most(w, victim);
            // Rather one too many than a task that waits beside an idle processor.
            let most = if round + 1 < ROUNDS { fair } else { fair.max(1) };
            let next = || if ripe == Ripe::All { victim.steal_next() } else { None };
            if let Some(task) = p.steal_from(victim, most).or_else(next) {
                p.counts.steals.add(1);
                return Some(task);
            }
        }
        if SCHED.global_len() != 0 || (round + 1 >= ROUNDS && !not_yet) {
            break;
        }
        // Looking takes cache lines away from those who work; but nobody works on the
        // inbox.
        for _ in 0..8 << round.min(5) {
            if !w.inbox.is_empty() {
                return None;
            }
            core::hint::spin_loop();
        }
    }
    None
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

/// Cheap where slices are long: asked at every switch while somebody waits.
fn slice_clock() -> u64 {
    if SCHED.slice() < settings::SLICE { clock::now() } else { clock::coarse() }
}

/// Has the holder had its slice since somebody wanted the processor?
#[cold]
fn used_up(w: &Worker) -> bool {
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
pub(crate) fn somebody_waits(w: &Worker) -> bool {
    let _section = Section::new();
    let Some(p) = w.holding() else { return false };
    SCHED.is_surplus(p)
        || w.has_bound_work()
        || p.has_work()
        || SCHED.global_len() != 0
        || SCHED.is_wanted(w, p)
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

/// Puts the task, which has left after a whole slice, behind all that are ready.
#[cold]
pub(crate) fn end_slice(w: &'static Worker, task: &'static Record) {
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
    w.inbox.take_into(&w.bound);
    w.bound.push(task);
    if w.ring_until.get() == 0 {
        w.ring_until.set(slice_clock() + SCHED.slice());
    }
}

/// Gives the processor to the first in the FIFO, or to nobody if there are too many,
/// and queues behind it if there are bound tasks left to run.
#[cold]
#[inline(never)]
fn hand_over(w: &'static Worker, p: &'static Processor) {
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

/// w1 to w4: gives the processor up. `true`: there is work after all, and a
/// processor for it.
#[cold]
#[inline(never)]
fn go_idle(w: &'static Worker, p: &'static Processor) -> bool {
    w.lull.begin_to_sleep(clock::now);
    let spun = w.spinning.replace(false);
    let nudge = SCHED.locked(|s| {
        w.set_processor(None);
        // ORDERING: SeqCst; pairs with the SeqCst push to the inbox (see kick()).
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
fn reclaim_or_want(w: &'static Worker) {
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

/// A worker ends: its processor goes on without it.
#[cold]
#[inline(never)]
pub(crate) fn resign(w: &'static Worker) {
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
    observe::ready(task);
    contention::ready(task);
    let here = worker::current();
    count_ready(here);
    put(here, task, Turn::Next);
}

/// Puts a task that a timer has made ready behind those that are ready. The caller may
/// hold no processor.
pub(crate) fn enqueue_behind(task: &'static Record) {
    let _section = Section::new();
    observe::ready(task);
    contention::ready(task);
    let here = worker::current();
    count_ready(here);
    put(here, task, Turn::Last);
}

/// Puts a task where it will run that nobody has claimed: a new one, or one that has
/// left to let others go first. In a section.
#[inline]
pub(crate) fn enqueue_unclaimed(task: &'static Record) {
    put(worker::current(), task, Turn::Next);
}

/// In a section.
#[inline]
fn count_ready(here: Option<&'static Worker>) {
    match here {
        Some(w) => w.counts.readies.add(1),
        None => ELSEWHERE.one_ready(),
    }
}

/// In a section.
#[inline(always)]
fn put(here: Option<&'static Worker>, task: &'static Record, turn: Turn) {
    // ORDERING: Acquire; pairs with the Release in first_start().
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
                me.inbox.take_into(&me.bound);
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
pub(crate) fn unpark_self(task: &'static Record, ticket: u32) {
    if task.state.claim(Cause::Ready, Some(ticket)) == Claim::Won {
        enqueue(task);
    }
}

/// Marks a worker as waiting in the FIFO.
pub(crate) fn set_wants(w: &Worker) {
    // ORDERING: SeqCst; one order with the other changes of the status.
    w.status.store(WANTS, Ordering::SeqCst);
}
