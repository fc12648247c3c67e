//! All processors, and how many of them are in use: [`maxprocs`], [`set_maxprocs`].
//!
//! Processors are made when they are first needed and never freed; a processor
//! keeps its number. Those with numbers below the limit are *in use*: held, lent, or
//! idle. The others are *retired*: nobody's, and empty. Between the two are those
//! that are *surplus*, because the limit was lowered while somebody held them.
//!
//! ```text
//!   0          limit            top          made          MOST
//!   ├── in use ──┼── surplus or ──┼── retired ──┼── none yet ──┤
//!                │   retired      │
//! ```
//!
//! # Fewer
//! Nobody is stopped. Who holds a surplus processor sees it when he next looks for a
//! task ([`find`](super::find)) and gives it up; a task that has had a slice gives
//! way for that, or is suspended. Lent ones are given up when the call ends or sysmon takes them.
//! Idle ones are retired by `set_maxprocs` itself. All of them end in
//! [`Shared::retire`], under the scheduler's lock: what the processor has, tasks,
//! records and stacks, goes to where all others find it.
//!
//! # More
//! A surplus processor that is below the limit again never knew. A retired one, or
//! one that was just made, is given to whoever wants one, as at the start.
//!
//! # Why no task is lost
//! Tasks that move from a ring to the global queue could be missed by a worker that
//! looks at the global queue before and at the ring after (w4 of `idle.rs`). So
//! whoever retires a processor looks through the queues afterwards like a worker that
//! goes idle (w3, w4) and wakes another if there is work; that wake-up fails only if
//! all processors in use are held, and each of their holders looks before it
//! goes idle. There is always one: the limit is at least 1.
//!
//! **S2** A retired processor has no holder, is not idle and not lent; its ring is
//! empty. It changes under the scheduler's lock.

use super::idle::IdleWord;
use super::processor::Processor;
use super::shared::Shared;
use super::worker::{self, Nudge};
use super::{SCHED, Sched, handover, observe, preempt, start_default};
use crate::sys::section::Section;
use crate::task;
use core::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

/// More processors than any machine has.
pub(crate) const MOST: usize = 1024;

/// Read by every decision, written hardly ever: in cache lines of its own.
#[repr(align(128))]
pub(super) struct Processors {
    limit: AtomicU32,
    top: AtomicU32,
    made: AtomicU32,
    entries: [AtomicPtr<Processor>; MOST],
}

impl Processors {
    pub(super) const fn new() -> Processors {
        Processors {
            limit: AtomicU32::new(0),
            top: AtomicU32::new(0),
            made: AtomicU32::new(0),
            entries: [const { AtomicPtr::new(ptr::null_mut()) }; MOST],
        }
    }

    pub(super) fn limit(&self) -> u32 {
        self.limit.load(Ordering::Relaxed)
    }

    /// All that are not retired have numbers below this.
    pub(super) fn top(&self) -> u32 {
        self.top.load(Ordering::Relaxed)
    }

    pub(super) fn made(&self) -> u32 {
        // ORDERING: Acquire; pairs with the Release in make(): those processors are there.
        self.made.load(Ordering::Acquire)
    }

    pub(super) fn get(&self, n: u32) -> &'static Processor {
        // ORDERING: Acquire; pairs with the Release in make(): the processor is
        // one that has been made.
        let entry = self.entries[n as usize].load(Ordering::Acquire);
        // SAFETY: null, or from make(), and processors are never freed.
        unsafe { entry.cast_const().as_ref() }.expect("a processor that was made")
    }

    /// Makes those below `count` that are missing, retired. Not in a section.
    fn make(&self, count: u32) {
        for (id, entry) in (0..count).zip(&self.entries) {
            if entry.load(Ordering::Relaxed).is_null() {
                let new = Box::into_raw(Box::new(Processor::new(id)));
                // ORDERING: Release; pairs with the Acquire in get().
                let placed = entry.compare_exchange(
                    ptr::null_mut(),
                    new,
                    Ordering::Release,
                    Ordering::Relaxed,
                );
                if placed.is_err() {
                    // SAFETY: from into_raw() above, and nobody else has seen it.
                    drop(unsafe { Box::from_raw(new) });
                }
            }
        }
        SCHED.make_room(count as usize, |s| &mut s.idle_processors);
        SCHED.locked(|s| {
            let before = self.made();
            if count > before {
                s.retired += (count - before) as usize;
                // ORDERING: Release; pairs with the Acquire in made().
                self.made.store(count, Ordering::Release);
            }
        });
    }
}

/// How many tasks can run at the same time.
///
/// Set by [`set_maxprocs`], before that by
/// [`Config::maxprocs`](crate::runtime::Config::maxprocs), else by the environment
/// variable `GOPARK_MAXPROCS`, else the number of CPUs that this process may use
/// (affinity and cgroup quota included). Starts the runtime if it is not
/// running. Go: `runtime.GOMAXPROCS(0)`.
///
/// ```
/// assert!(gopark::maxprocs() >= 1);
/// ```
pub fn maxprocs() -> usize {
    start_default();
    SCHED.processors.limit() as usize
}

/// Changes how many tasks can run at the same time, and returns how many it was
/// before. Starts the runtime if it is not running. Go: `runtime.GOMAXPROCS(n)`.
///
/// Unlike in Go the world is not stopped. [`maxprocs`] returns the new number at
/// once, and more tasks run as soon as there are threads for them. With a smaller
/// number, a task that runs on a processor which is too much goes on until it
/// parks, or until its slice is over and it [gives way](crate#giving-way) or is
/// suspended; then the processor is gone, and what waited there waits with the others. The caller, if it is
/// a task, gives way before this returns, unless it is in
/// [`no_park`](crate::no_park). No thread ends because of this, no task is lost, and
/// bound tasks stay on their threads.
///
/// Allocates some kilobytes for each processor that there was not before; these are
/// kept when the number becomes smaller.
///
/// # Panics
/// If `n` is not between 1 and 1024.
///
/// ```
/// let before = gopark::set_maxprocs(3);
/// assert_eq!(gopark::maxprocs(), 3);
/// assert_eq!(gopark::set_maxprocs(before), 3);
/// ```
#[track_caller]
pub fn set_maxprocs(n: usize) -> usize {
    assert!(
        (1..=MOST).contains(&n),
        "gopark::set_maxprocs({n}), but the number of processors must be between 1 and {MOST}"
    );
    start_default();
    task::pass_by();
    let before = change(n as u32);
    if let Some(task) = task::running() {
        let on_surplus = {
            let _section = Section::new();
            let held = worker::current().and_then(worker::Worker::holding);
            held.is_some_and(|p| SCHED.is_surplus(p))
        };
        if on_surplus {
            preempt::give_way(task.record());
        }
    }
    before as usize
}

/// Sets the limit; also the first one.
pub(super) fn change(limit: u32) -> u32 {
    SCHED.processors.make(limit);
    let before = SCHED.locked(|s| s.set_limit(limit, &SCHED.idle));
    observe::limited(limit);
    let mut next = 0;
    loop {
        let revived = SCHED.locked(|s| s.revive(&mut next));
        let Some(nudge) = revived else { break };
        nudge.send();
    }
    let _section = Section::new();
    SCHED.idle.before_last_look();
    if SCHED.has_work() {
        handover::wake_one();
    }
    before
}

impl Sched {
    /// Those that are not retired, or not yet known to be.
    pub(crate) fn processors(&self) -> impl ExactSizeIterator<Item = &'static Processor> {
        (0..self.processors.top()).map(|n| self.processor(n))
    }

    /// Those that are retired, too.
    pub(crate) fn all_processors(&self) -> impl ExactSizeIterator<Item = &'static Processor> {
        (0..self.processors.made()).map(|n| self.processor(n))
    }

    pub(crate) fn processor(&self, n: u32) -> &'static Processor {
        self.processors.get(n)
    }

    /// Whether its holder is to give it up.
    #[inline]
    pub(crate) fn is_surplus(&self, p: &Processor) -> bool {
        p.id >= self.processors.limit()
    }

    /// Are all processors idle?
    pub(super) fn all_idle(&self) -> bool {
        self.locked(|s| s.all_idle())
    }
}

impl Shared {
    fn set_limit(&mut self, limit: u32, idle: &IdleWord) -> u32 {
        let all = &SCHED.processors;
        let before = all.limit();
        all.limit.store(limit, Ordering::Relaxed);
        all.top.store(all.top().max(limit), Ordering::Relaxed);
        let mut n = 0;
        while let Some(&p) = self.idle_processors.get(n) {
            if SCHED.is_surplus(p) {
                self.idle_processors.remove(n);
                idle.remove_idle();
                self.retire(p);
            } else {
                n += 1;
            }
        }
        before
    }

    /// Gives the first retired processor from `next` on that is to be in use to
    /// whoever wants it.
    fn revive(&mut self, next: &mut u32) -> Option<Nudge> {
        let limit = SCHED.processors.limit();
        while *next < limit {
            let p = SCHED.processor(*next);
            *next += 1;
            if p.retired.replace(false) {
                self.retired -= 1;
                return Some(self.give(p, &SCHED.idle));
            }
        }
        None
    }

    /// Nobody has the processor from now on (S2).
    pub(super) fn retire(&mut self, p: &'static Processor) {
        while let Some(task) = p.take().or_else(|| p.take_next()) {
            self.global.push_back(task);
        }
        SCHED.global_changed(self);
        p.give_records(&mut self.free);
        p.stacks.flush(0);
        p.retired.set(true);
        self.retired += 1;
        let all = &SCHED.processors;
        let mut top = all.top();
        while top > all.limit() && all.get(top - 1).retired.get() {
            top -= 1;
        }
        all.top.store(top, Ordering::Relaxed);
    }

    /// Whether nobody holds a processor, nor has lent one.
    pub(super) fn all_idle(&self) -> bool {
        self.idle_processors.len() + self.retired == SCHED.processors.made() as usize
    }
}

/// How many processors there will be as far as can be known: what counts by processor
/// has room for so many.
pub(crate) fn expected() -> usize {
    start_default();
    let cpus = SCHED.settings.get().map_or(1, |settings| settings.cpus);
    SCHED.processors.made().max(cpus) as usize
}
