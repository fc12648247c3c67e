//! Who sleeps until the earliest timer.
//!
//! A timer lies in the heap of a processor. While somebody holds that, the worker
//! looks every few decisions, and when it has nothing else to do; and sysmon looks
//! when a timer is late, as one is behind a task that computes. When nobody holds
//! it, one of the idle workers, the *watch*, sleeps no longer than until the
//! earliest timer of all such processors, and fires it itself, on the spot: if the
//! task is its own, it is awake already. If there is no watch, sysmon sleeps no
//! longer than that.
//!
//! # Rejected
//! - *A thread for timers.* A switch of threads more for each sleep, twice over if
//!   an earlier timer comes.
//! - *sysmon alone.* The same; and it would have to be woken for every timer that
//!   is set before everybody goes idle.
//! - *Wake somebody for every earlier timer.* Who sets one holds a processor, as a
//!   rule, and will look before it sleeps.
//!
//! # Protocol
//! Worker that goes to sleep: **(t1)** its processor is idle, or another's; **(t2)**
//! it reads the earliest timer of the processors that nobody holds; **(t3)** if that
//! is earlier than the time in [`WATCH`], it puts it there, and **(t4)** sleeps until
//! then at most. Awake, for whatever reason, **(t5)** it takes its time out of the
//! word; **(t6)** a full fence; it fires what is due and comes to t2 again, unless
//! it has been given a processor.
//!
//! sysmon, before each sleep: **(y1)** puts until when it will sleep into [`PLAN`];
//! **(y2)** a full fence; **(y3)** reads all timers that no watch sleeps for, and
//! starts over if one is earlier.
//!
//! Who sets a timer without holding a processor: **(a1)** adds it; **(a2)** a full
//! fence; **(a3)** reads both words, and wakes sysmon if the timer is earlier.
//!
//! # Why none is slept through
//! *Set by the holder of a processor.* If it keeps the processor, it looks, or
//! sysmon does, which never sleeps for long while one is held. When a processor
//! becomes idle or is retired, whoever gave it up, a worker or sysmon, comes to t2 or
//! y3 after that and sees the timer; a worker that is given another processor before
//! holds that, and comes to t2 later. One that is lent (`blocking.rs`) counts as idle
//! here: whoever lends it sees to it that sysmon comes to y3.
//!
//! *Set by somebody else.* If a3 reads later times than the timer's, sysmon comes
//! and sees it at y3. If it reads an earlier one, somebody is awake before the timer
//! is due, and by the fences a2 and t6, or a2 and y2, looks again after a1: else a3
//! would have read what that one has put into the word since.
//!
//! *Somebody relies on the watch*: a worker that finds an earlier time at t3, or
//! sysmon at y3. For the same reason the watch sees, when it is awake, what they have
//! seen or done before. If it is given a processor, and all were idle before, sysmon
//! is woken for that (`sysmon.rs`), and looks until all are idle again. The word
//! claims at most what somebody sleeps for: each takes out only its own time, and
//! if two had the same, the word promises less than is so.
//!
//! `models/timing.rs` checks it with loom.

use crate::cover::Cover;
use crate::sched::processor::Processor;
use crate::sched::{SCHED, sysmon};
use crate::sys::{clock, futex};
use std::sync::atomic::AtomicU32;
use std::time::Duration;

/// Until when an idle worker sleeps.
static WATCH: Cover = Cover::new();
/// Until when sysmon sleeps.
static PLAN: Cover = Cover::new();

/// How late a timer is before sysmon takes it from a processor that is held: its
/// holder may come by, and does it better. Also how soon sysmon comes again for
/// that. In nanoseconds.
const LATE: u64 = 100_000;
/// How long it waits at most before it comes again.
const EVERY: u64 = 10_000_000;

/// The earliest timer of the processors that nobody holds.
fn earliest_idle() -> u64 {
    let idle = SCHED.all_processors().filter(|p| p.holder().is_none());
    idle.map(|p| p.timers.first()).min().unwrap_or(u64::MAX)
}

/// t2 to t6 for a worker that has no processor: sleeps while the word has the value,
/// no longer than `limit`.
pub(crate) fn sleep(word: &AtomicU32, asleep: u32, limit: Option<Duration>) {
    watch_while(limit, |left| {
        if left != Some(Duration::ZERO) {
            futex::wait(word, asleep, left);
        }
    });
}

/// The same for who sleeps in another way, for so long at most.
pub(crate) fn watch_while<R>(
    limit: Option<Duration>,
    sleep: impl FnOnce(Option<Duration>) -> R,
) -> R {
    let until = earliest_idle();
    if until == u64::MAX || !WATCH.begin(until) {
        return sleep(limit);
    }
    let left = Duration::from_nanos(until.saturating_sub(clock::now()));
    let result = sleep(limit.into_iter().chain([left]).min());
    WATCH.end(until);
    result
}

/// A worker that is not given a processor does not come to t2 again: it ends.
pub(crate) fn leave_to_sysmon() {
    let first = earliest_idle();
    if first != u64::MAX {
        was_set(first);
    }
}

/// Whether a timer of a processor that nobody holds is due.
pub(crate) fn idle_are_due() -> bool {
    let first = earliest_idle();
    first != u64::MAX && first <= clock::now()
}

/// Fires what is due at processors that nobody holds, for a worker that has none.
pub(crate) fn run_idle() {
    let now = clock::now();
    for p in SCHED.all_processors() {
        if p.timers.first() <= now && p.holder().is_none() {
            while p.timers.run(now) != 0 {}
        }
    }
}

/// Fires what is due at other processors, for the holder of this one, which has
/// nothing else to do. Whether that made tasks ready.
pub(crate) fn run_others(own: &Processor) -> bool {
    let mut now = 0;
    let others = SCHED.all_processors().filter(|p| p.id != own.id);
    let mut ready = 0;
    for p in others.filter(|p| p.timers.first() != u64::MAX) {
        if now == 0 {
            now = clock::now();
        }
        ready += p.timers.run(now);
    }
    ready != 0
}

/// a2, a3: a timer was set by somebody who may hold no processor.
pub(super) fn was_set(when: u64) {
    if WATCH.is_later(when) && PLAN.is_later(when) {
        sysmon::wake();
    }
}

/// sysmon's side.
pub(crate) struct Alarm {
    /// How soon it comes for a processor that is held: longer and longer while the
    /// holders look themselves.
    patience: u64,
}

impl Alarm {
    pub(crate) fn new() -> Alarm {
        Alarm { patience: LATE }
    }

    /// Fires what nobody else has.
    pub(crate) fn look(&mut self, now: u64) {
        let (mut held, mut ready) = (false, 0);
        for p in SCHED.all_processors() {
            let first = p.timers.first();
            if first == u64::MAX {
                continue;
            }
            if p.holder().is_none() {
                p.timers.run(now);
            } else {
                held = true;
                if first.saturating_add(LATE) <= now {
                    ready += p.timers.run(now);
                }
            }
        }
        if ready != 0 {
            self.patience = LATE;
        } else if held {
            self.patience = (2 * self.patience).min(EVERY);
        }
    }

    /// y1 to y3: how long sysmon sleeps, which would sleep so long without timers.
    pub(crate) fn plan(&self, limit: Option<Duration>) -> Option<Duration> {
        let now = clock::now();
        let end = |left: Duration| now.saturating_add(left.as_nanos() as u64);
        let mut until = limit.map_or(u64::MAX, end);
        loop {
            PLAN.set(until);
            let first = self.earliest(now);
            if first >= until {
                break;
            }
            until = first;
        }
        (until != u64::MAX).then(|| Duration::from_nanos(until.saturating_sub(now)))
    }

    /// When it has to look.
    fn earliest(&self, now: u64) -> u64 {
        let due = |p: &Processor| match p.timers.first() {
            u64::MAX => u64::MAX,
            first if p.holder().is_some() => first.saturating_add(LATE).max(now + self.patience),
            first if WATCH.is_later(first) => first,
            _ => u64::MAX,
        };
        SCHED.all_processors().map(due).min().unwrap_or(u64::MAX)
    }
}
