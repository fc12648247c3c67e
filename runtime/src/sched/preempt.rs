//! Who has run for a whole slice gives way, at a place where it agrees to.
//!
//! A task that has run for a whole slice, because nothing else was started on its
//! processor, gets a mark ([`flag::PREEMPT`]): from its worker's timer (`signal.rs`),
//! or where there is none from sysmon. The task sees the mark at its next
//! *safepoint*: the beginning of every call that could park, and of those beside
//! them that never do ([`arrive`](crate::task::arrive), [`pass`](crate::task::pass)), before any
//! lock is taken there; [`safepoint`](crate::safepoint) is nothing but that. A call
//! that could park reads the flags for the reaper anyway. A task that comes to no
//! safepoint is suspended by the signal that follows.
//!
//! The marked task then looks whether anybody waits for its processor or its
//! worker. If so it goes behind them; else it goes on, and hears of the next look.
//! That it looks itself, not sysmon, makes the answer exact, and spares sysmon
//! the queues, which are the worker's own.
//!
//! # When it does not give way
//! - In a `no_park` section: that is what the section is for.
//! - While it unwinds, where a switch would bind it to its thread and leave the
//!   siblings with a panic count that is not theirs; it is over soon.
//! - In a destructor of ours and in `Debug`: there is no safepoint in them. They
//!   run where nobody expects a switch, in the middle of a `println!` for one.
//!
//! # A mark that comes late
//! sysmon reads which task runs, then marks it; meanwhile the task may have
//! parked, or ended. [`Record::set_in`] marks the life that was read and no later
//! one. A task that parks takes its mark off; one that is marked a moment after
//! that gives way once too early, at worst.

use super::park::{self, Unwinding};
use super::processor::Processor;
use super::processors::MOST;
use super::worker::{self, After, Worker};
use super::{SCHED, blocking, handover, signal};
use crate::sys::clock;
use crate::task::record::{Record, flag};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How often sysmon looks, while somebody runs: a system call that takes a processor
/// with it is found within two such times.
const EVERY: Duration = Duration::from_millis(1);

/// sysmon's memory of the processors.
pub(super) struct Watch(Box<[Seen]>);

/// The first look that saw what the last one saw.
#[derive(Clone, Copy)]
struct Seen {
    worker: u32,
    turns: u64,
    since: u64,
    /// What the thread had computed when it was last looked at.
    computed: u64,
}

impl Watch {
    /// All that it will ever need.
    pub(super) fn new() -> Watch {
        let nothing = Seen { worker: u32::MAX, turns: 0, since: 0, computed: 0 };
        Watch(vec![nothing; MOST].into())
    }

    /// Looks for tasks that have had their slice, and for threads that stand still.
    pub(super) fn look(&mut self, now: u64) {
        for (seen, p) in self.0.iter_mut().zip(SCHED.processors()) {
            if let Some(holder) = p.holder() {
                seen.look(p, holder, now);
            }
        }
    }

    /// How long it may sleep while somebody runs.
    pub(super) fn every() -> Duration {
        if SCHED.preempts() { EVERY } else { Duration::from_nanos(SCHED.slice()) }
    }
}

impl Seen {
    fn look(&mut self, p: &Processor, holder: &Worker, now: u64) {
        let turns = holder.turns(p);
        let told = holder.slices.is_told();
        if (self.worker, self.turns) != (holder.id, turns) {
            *self = Seen { worker: holder.id, turns, since: now, computed: NEVER };
        } else if !told && now.saturating_sub(self.since) >= SCHED.slice() {
            mark(p, holder, turns);
        }
        if told {
            self.look_at_thread(holder);
        }
    }

    /// A thread that neither switches nor computes is in a system call, perhaps.
    fn look_at_thread(&mut self, holder: &Worker) {
        let computed = clock::cpu_of(holder.tid.load(Ordering::Relaxed));
        if computed == Some(self.computed) {
            signal::poke(holder);
        }
        self.computed = computed.unwrap_or(NEVER);
    }
}

/// More than a thread ever computes.
const NEVER: u64 = u64::MAX;

/// For a thread that has no timer.
fn mark(p: &Processor, holder: &Worker, turns: u64) {
    if let Some(task) = holder.running_elsewhere() {
        let life = task.life();
        if holder.turns(p) == turns {
            task.set_in(life, flag::PREEMPT);
        }
    }
}

/// The running task has found its mark: lets those go first who wait, if it may.
/// Whether it did.
#[cold]
#[inline(never)]
pub(crate) fn give_way(task: &'static Record) -> bool {
    task.clear(flag::PREEMPT);
    // A thread that runs no task is never marked.
    let Some(worker) = worker::current() else { return false };
    // It may come from a call in which it had its worker for itself.
    blocking::reattach(task);
    // Without a processor, in a blocking call, there is nothing to give.
    let leaves = task.no_park.get() == 0
        && handover::somebody_waits(worker)
        && park::unwinding_here() != Unwinding::Yes;
    if leaves {
        park::leave(worker, task, After::GiveWay);
    }
    leaves
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::class::Class;
    use crate::task::record::{Birth, THREAD};
    use crate::task::scope;
    use core::panic::Location;

    /// Runs until it has been marked three times, and says how often its worker
    /// started a task meanwhile.
    fn hog() -> u64 {
        let task = worker::current_task().expect("a task");
        let worker = || worker::current().expect("a task's");
        let turns = || worker().turns(worker().processor());
        let before = turns();
        for _ in 0..3 {
            while !task.has(flag::PREEMPT) {
                std::hint::spin_loop();
            }
            crate::safepoint();
        }
        turns() - before
    }

    /// Other tests of this process may have tasks that wait, now and then.
    #[test]
    fn alone_it_does_not_leave() {
        let alone = (0..100).any(|_| crate::go(hog).join().unwrap() == 0);
        assert!(alone, "it always left, although nobody waited");
    }

    #[test]
    fn who_parks_takes_the_mark_off() {
        let marked = crate::go(|| {
            let task = worker::current_task().expect("a task");
            while !task.has(flag::PREEMPT) {
                std::hint::spin_loop();
            }
            crate::sleep(Duration::from_nanos(1));
            task.has(flag::PREEMPT)
        });
        assert!(!marked.join().unwrap(), "still marked after a park");
    }

    #[test]
    fn the_next_life_is_not_marked() {
        let record = Record::new();
        let life = record.life();
        record.set_in(life, flag::PREEMPT);
        assert!(record.has(flag::PREEMPT));
        record.fill(Birth {
            id: 1,
            parent: None,
            created_at: Location::caller(),
            meta: &THREAD,
            scope: scope::root(),
            class: Class::chosen(None),
            extra: None,
            flags: 0,
        });
        assert!(!record.has(flag::PREEMPT), "a mark of the former life");
        record.set_in(life, flag::PREEMPT);
        assert!(!record.has(flag::PREEMPT), "a mark that was meant for the former life");
    }
}
