//! What the scheduler shows of itself: the numbers behind `schedtrace` and
//! [`Metrics`](crate::inspect::Metrics).
//!
//! What its lock guards is read under it, so those numbers belong together. Of tasks
//! that are bound only their workers know in which queue they are, so they are counted
//! by their state words, a moment later.

use super::SCHED;
use super::shared::{Member, Shared};
use super::worker::{GONE, IDLE, Worker};
use crate::sys::thread;
use crate::task::record::{Record, TaskId, flag};
use crate::task::registry;
use crate::task::state::{Reading, Status};
use core::ptr;
use std::sync::atomic::Ordering;

/// Go: the status of a `p`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Idle = 0,
    /// Held, or lent to a blocking call.
    Running = 1,
    /// Retired.
    Dead = 4,
}

pub(crate) struct Figures {
    pub(crate) maxprocs: u32,
    pub(crate) idle_processors: usize,
    /// Workers with a thread.
    pub(crate) threads: usize,
    pub(crate) spinning: u32,
    /// The run queues wait for a worker.
    pub(crate) needs_spinning: bool,
    pub(crate) idle_threads: usize,
    /// Those that run bound tasks only.
    pub(crate) idle_locked: usize,
    /// Tasks in the global queue, and those that wait for a processor on their threads.
    pub(crate) waiting: usize,
    pub(crate) sysmon_sleeps: bool,
    pub(crate) handovers: u64,
    pub(crate) processors: Vec<OfProcessor>,
    pub(crate) workers: Vec<OfWorker>,
}

pub(crate) struct OfProcessor {
    pub(crate) usage: Use,
    pub(crate) tick: u64,
    pub(crate) calls: u64,
    /// The number of the worker that holds it.
    pub(crate) holder: Option<u32>,
    /// Tasks that any worker may run.
    pub(crate) queued: usize,
    pub(crate) free: u32,
    pub(crate) timers: usize,
}

pub(crate) struct OfWorker {
    pub(crate) id: u32,
    /// The number of the processor that it holds.
    pub(crate) processor: Option<usize>,
    pub(crate) task: Option<TaskId>,
    pub(crate) spinning: bool,
    /// Its thread sleeps.
    pub(crate) asleep: bool,
    /// Was made for one task.
    pub(crate) own: bool,
}

impl Figures {
    /// Takes the scheduler's lock for a moment.
    pub(crate) fn now() -> Figures {
        let timers: Vec<usize> = SCHED.all_processors().map(|p| p.timers.count()).collect();
        let mut figures = Figures {
            maxprocs: 0,
            idle_processors: 0,
            threads: 0,
            spinning: 0,
            needs_spinning: false,
            idle_threads: 0,
            idle_locked: 0,
            waiting: 0,
            sysmon_sleeps: false,
            handovers: 0,
            processors: Vec::new(),
            workers: Vec::new(),
        };
        while let Err((processors, workers)) = SCHED.locked(|s| figures.read(s)) {
            figures.processors.reserve(processors);
            figures.workers.reserve(workers);
        }
        for (p, timers) in figures.processors.iter_mut().zip(timers) {
            p.timers = timers;
        }
        figures
    }

    /// Under the scheduler's lock. What there must be room for, if there is none.
    fn read(&mut self, s: &Shared) -> Result<(), (usize, usize)> {
        let (processors, workers) = (SCHED.processors().len(), s.workers.len());
        if processors > self.processors.capacity() || workers > self.workers.capacity() {
            return Err((processors, workers));
        }
        self.maxprocs = SCHED.processors.limit();
        self.idle_processors = s.idle_processors.len();
        self.threads = s.threads;
        self.spinning = SCHED.idle.spinning();
        self.needs_spinning = s.anyone_queued;
        self.sysmon_sleeps = s.sysmon_sleeps;
        self.handovers = s.handovers;
        // A worker in the FIFO that has a task waits for that task's sake.
        let suspended = |member: &&Member| match member {
            Member::Worker(w) => w.running_elsewhere().is_some(),
            Member::Anyone => false,
        };
        self.waiting = s.global.len() + s.fifo.iter().filter(suspended).count();
        self.processors.extend(SCHED.processors().map(|p| OfProcessor {
            usage: if p.retired.get() { Use::Dead } else { Use::Running },
            tick: p.tick.load(Ordering::Relaxed),
            calls: p.calls.get(),
            holder: p.holder().map(|w| w.id),
            queued: p.ring.len() as usize + usize::from(p.has_next()),
            free: p.free_records(),
            timers: 0,
        }));
        for p in &s.idle_processors {
            if let Some(shown) = self.processors.get_mut(p.id as usize) {
                shown.usage = Use::Idle;
            }
        }
        let has_thread = |w: &&&Worker| {
            w.status.load(Ordering::Relaxed) != GONE
                && w.tid.load(Ordering::Relaxed) != thread::ENDED
        };
        for w in s.workers.iter().filter(has_thread) {
            if w.status.load(Ordering::Relaxed) == IDLE {
                match w.exclusive.get() {
                    true => self.idle_locked += 1,
                    false => self.idle_threads += 1,
                }
            }
            let holds = |p: &OfProcessor| p.holder == Some(w.id);
            self.workers.push(OfWorker {
                id: w.id,
                processor: self.processors.iter().position(holds),
                task: w.running_elsewhere().map(Record::id),
                spinning: w.spinning.get(),
                asleep: w.is_asleep(),
                own: w.own.get(),
            });
        }
        Ok(())
    }

    /// Counts ready tasks that are bound: by processor those of its holder; and those
    /// whose worker has none.
    pub(crate) fn bound(&self) -> (Vec<usize>, usize) {
        let mut by_worker = Vec::new();
        registry::each_unlocked(|record| {
            if record.state.read().status() == Status::Runnable
                && let Some((_, Some(id))) = record.observe(waits_on)
            {
                let id = id as usize;
                if by_worker.len() <= id {
                    by_worker.resize(id + 1, 0);
                }
                by_worker[id] += 1;
            }
        });
        let all: usize = by_worker.iter().sum();
        let of = |p: &OfProcessor| p.holder.and_then(|id| by_worker.get(id as usize).copied());
        let held: Vec<usize> = self.processors.iter().map(|p| of(p).unwrap_or_default()).collect();
        let rest = all - held.iter().sum::<usize>();
        (held, rest)
    }
}

/// The worker in one of whose queues the task is.
fn waits_on(record: &Record, reading: Reading) -> Option<u32> {
    // ORDERING: Acquire; pairs with the Release of whoever binds it: see enqueue::put().
    let worker = record.worker.load(Ordering::Acquire).cast_const();
    // SAFETY: null, or a worker, and those are never freed (W3).
    let worker = unsafe { worker.as_ref() }?;
    // One that comes out of a call stays its worker's current task, and waits in the
    // FIFO with it.
    let in_fifo = worker.running_elsewhere().is_some_and(|current| ptr::eq(current, record));
    let ready = reading.status() == Status::Runnable && !record.has(flag::THREAD);
    (ready && !in_fifo).then_some(worker.id)
}
