//! The scheduler: processors, workers, queues.
//!
//! | file | what is decided there |
//! |---|---|
//! | `ring.rs` | how a processor's queue is shared with thieves |
//! | `queue.rs` | lists of records; inboxes of workers |
//! | `idle.rs` | who searches and who sleeps, and why no wake-up is lost |
//! | `processor.rs` | what a processor owns |
//! | `processors.rs` | how many there are; `maxprocs`, and how it changes |
//! | `worker.rs` | how a task runs and what happens when it leaves |
//! | `find.rs` | which task runs next |
//! | `enqueue.rs` | where a task goes that is ready |
//! | `handover.rs` | who gets the processor that a worker gives up |
//! | `steal.rs` | how a thief walks over the other processors |
//! | `ripe.rs` | when a thief takes what another processor has |
//! | `share.rs` | how much of it |
//! | `lull.rs` | how long a worker waits for its bound tasks before it sleeps |
//! | `park.rs` | the two doors: `park` and `claim` |
//! | `preempt.rs` | when a task that does not park gives way |
//! | `signal.rs` | when its thread is suspended, because it does not |
//! | `look.rs` | how somebody reads the stack of a task |
//! | `call.rs`, `blocking.rs` | who has the processor of a task that blocks its thread |
//! | `lock_thread.rs` | what a task that locks its thread keeps others from |
//! | `offload.rs` | the threads that block in a task's place |
//! | `spare.rs` | why there is a worker when one is needed |
//! | `threads.rs` | when a worker's thread ends; how many are too many |
//! | `errands.rs` | who makes threads, and prints |
//! | `watchdog.rs` | who holds others up that are bound to his thread |
//! | `deadlock.rs` | when nobody can go on |
//! | `observe.rs` | where the scheduler tells what happens |
//! | `tape.rs` | how that is written down where nothing may be allocated |
//! | `tapes.rs` | whether it is, and who reads it |
//! | `crowd.rs` | when there are so many tasks that somebody should know |
//! | `quit.rs` | at which signals all tasks are shown |
//! | `sysmon.rs` | what is done beside the workers: slices, retaking processors, trimming |
//! | `config.rs` | what a program can set |
//! | `settings.rs` | which of program and environment wins |
//! | `debug.rs` | what `GOPARK_DEBUG` can be |
//! | `counts.rs`, `figures.rs` | what is counted, and what observers see of the scheduler |
//!
//! # Bound and migrating
//! A suspended stack may hold values that are tied to the thread they were made
//! on, and the compiler may keep the address of a thread-local in one of its
//! frames. Rust cannot see either. So by default a task is *bound* from its
//! first instruction on: it resumes only on the worker that started it. Tasks
//! that have not started hold nothing but their closure, which is `Send`; they
//! go through rings and thieves.
//!
//! In *migrating* mode, started tasks go through the rings too, and a task that
//! is made ready runs on its waker's processor, as in Go. The program promises,
//! with `unsafe`, that its frames do not care (`Config::migrating`).
//!
//! # Locks
//! One lock guards what workers share: idle processors, idle workers, the FIFO,
//! the global queue and the free records. It is taken when a worker goes to
//! sleep or is woken, when a ring overflows, and by every 61st decision; never
//! on the way of a task that runs where its processor found it.
//!
//! **L1** Under the lock nothing is allocated (N1), so each list has room for all
//! that could ever be in it: for every record that was made, every worker, every
//! processor. Who makes one more of them first counts it and then sees to the room
//! for as many as were counted: makes a larger list without the lock, moves the
//! entries under it, and frees the old one after. Only then does he put the new
//! one anywhere. So whichever of several comes first, there is room for all those
//! that are about.

pub(crate) mod blocking;
pub(crate) mod config;
pub(crate) mod counts;
mod crowd;
pub(crate) mod deadlock;
mod debug;
pub(crate) mod enqueue;
pub(crate) mod errands;
pub(crate) mod figures;
mod find;
pub(crate) mod handover;
pub(crate) mod lock_thread;
pub(crate) mod look;
mod lull;
pub(crate) mod observe;
pub(crate) mod offload;
pub(crate) mod park;
pub(crate) mod preempt;
pub(crate) mod processor;
pub(crate) mod processors;
pub(crate) mod queue;
mod quit;
mod ripe;
pub(crate) mod settings;
mod share;
pub(crate) mod signal;
mod spare;
mod steal;
pub(crate) mod sysmon;
pub(crate) mod tapes;
mod threads;
mod watchdog;
pub(crate) mod worker;

use crate::stack::class::Class;
use crate::stack::{overflow, pool};
use crate::sys::barrier;
use crate::sys::lock::RawLock;
use crate::task::record::Record;
use crate::task::registry;
use crate::trace::environment;
use core::cell::UnsafeCell;
use idle::IdleWord;
use processor::Processor;
use processors::Processors;
use settings::Settings;
use std::collections::VecDeque;
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use worker::{Nudge, Worker};

pub(crate) use {super::call, super::idle, super::ring, super::tape};

/// Who wants a processor.
enum Member {
    Worker(&'static Worker),
    /// Any worker, for the run queues.
    Anyone,
}

/// What the lock guards.
pub(crate) struct Shared {
    idle_processors: Vec<&'static Processor>,
    /// How many processors are retired (S2).
    retired: usize,
    /// Most recently idle last. May hold workers that are not idle any more.
    idle_workers: Vec<&'static Worker>,
    fifo: VecDeque<Member>,
    anyone_queued: bool,
    /// Tasks that any worker may run. Pointers side by side, like `free`.
    pub(crate) global: VecDeque<&'static Record>,
    /// Unused records. A vector, not a list through the records: taking one
    /// must not wait for its cache line.
    free: Vec<&'static Record>,
    sysmon_sleeps: bool,
    /// How often an idle processor was taken.
    taken: u64,
    /// How often a processor went from one worker to another that waited for it.
    handovers: u64,
    workers: Vec<&'static Worker>,
    /// Worker threads that there are, or are about to be.
    threads: usize,
    /// Workers without a thread (W5).
    gone: Vec<&'static Worker>,
}

pub(crate) struct Sched {
    settings: OnceLock<Settings>,
    started: OnceLock<()>,
    processors: Processors,
    lock: RawLock,
    shared: UnsafeCell<Shared>,
    /// Read all the time, written when something happens under the lock.
    counts: Counts,
    pub(crate) idle: IdleWord,
    next_id: AtomicU64,
    next_worker: AtomicU32,
}

/// Lengths of the global queue and of the FIFO, to be read without the lock;
/// in a cache line of their own.
#[repr(align(128))]
struct Counts {
    global: AtomicUsize,
    fifo: AtomicUsize,
}

// SAFETY: `shared` is touched only under `lock`; the rest is atomic or set once.
unsafe impl Sync for Sched {}

pub(crate) static SCHED: Sched = Sched {
    settings: OnceLock::new(),
    started: OnceLock::new(),
    processors: Processors::new(),
    lock: RawLock::new(),
    shared: UnsafeCell::new(Shared {
        idle_processors: Vec::new(),
        retired: 0,
        idle_workers: Vec::new(),
        fifo: VecDeque::new(),
        anyone_queued: false,
        global: VecDeque::new(),
        free: Vec::new(),
        sysmon_sleeps: false,
        taken: 0,
        handovers: 0,
        workers: Vec::new(),
        threads: 0,
        gone: Vec::new(),
    }),
    counts: Counts { global: AtomicUsize::new(0), fifo: AtomicUsize::new(0) },
    idle: IdleWord::new(),
    next_id: AtomicU64::new(1),
    next_worker: AtomicU32::new(0),
};

/// Starts the runtime with its defaults, if it is not running.
#[inline]
pub(crate) fn start_default() {
    if SCHED.started.get().is_none() {
        start(Settings::default_or_fatal);
    }
}

/// Whether the runtime has been started.
pub(crate) fn is_started() -> bool {
    SCHED.started.get().is_some()
}

/// Starts the runtime. `false`: it was running.
fn start(settings: impl FnOnce() -> Settings) -> bool {
    let mut first = false;
    SCHED.started.get_or_init(|| {
        first = true;
        let settings = *SCHED.settings.get_or_init(settings);
        settings.apply();
        barrier::init();
        overflow::install();
        quit::install(&settings);
        SCHED.make_room(1, |s| &mut s.fifo);
        if settings.preempt {
            signal::install();
        }
        processors::change(settings.maxprocs);
    });
    if first {
        // Others may have asked for a worker meanwhile: the second thread sees to that.
        if let Err(error) =
            spare::start().and_then(|()| errands::start()).and_then(|()| sysmon::start())
        {
            crate::sys::fatal(format_args!(
                "cannot start a thread: {error}; lower the number of threads of this process or \
                 raise its limit (ulimit -u)"
            ));
        }
        environment::begin(SCHED.settings.get().and_then(|s| s.recorder));
    }
    first
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

    #[inline]
    pub(crate) fn migrating(&self) -> bool {
        self.settings.get().is_some_and(|s| s.migrating)
    }

    /// Runs `f` under the scheduler's lock.
    pub(crate) fn locked<R>(&self, f: impl FnOnce(&mut Shared) -> R) -> R {
        // SAFETY: under the lock that guards it; `f` cannot call locked() again
        // without hanging, and nothing here does.
        self.lock.with(|| f(unsafe { &mut *self.shared.get() }))
    }

    /// Does anybody wait for this holder's processor?
    #[inline]
    pub(crate) fn is_wanted(&self, w: &Worker, p: &Processor) -> bool {
        self.has_waiters() || (w.exclusive.get() && (p.has_work() || self.global_len() != 0))
    }

    /// Does a worker, or the run queues, wait in the FIFO?
    #[inline]
    pub(crate) fn has_waiters(&self) -> bool {
        self.counts.fifo.load(Ordering::Relaxed) != 0
    }

    #[inline]
    pub(crate) fn global_len(&self) -> usize {
        self.counts.global.load(Ordering::Relaxed)
    }

    /// w4: might there be a task that any worker may run?
    pub(crate) fn has_work(&self) -> bool {
        self.global_len() != 0 || self.processors().any(Processor::has_work)
    }

    pub(crate) fn put_global(&self, records: &[&'static Record]) {
        self.locked(|s| {
            s.global.extend(records);
            self.global_changed(s);
        });
    }

    /// Takes a fair share of the global queue, at most `most` tasks: one is
    /// returned, the others go to the ring of `p`, which the caller holds.
    pub(crate) fn take_global(&self, p: &Processor, most: usize) -> Option<&'static Record> {
        self.locked(|s| {
            let share = s.global.len() / self.processors.limit() as usize + 1;
            let room = ring::SIZE.saturating_sub(p.ring.len()).min(ring::SIZE / 2) as usize;
            let count = share.min(room + 1).min(most).min(s.global.len());
            let mut taken = s.global.drain(..count);
            let first = taken.next();
            taken.for_each(|record| p.put_in_room(record));
            self.global_changed(s);
            first
        })
    }

    /// Moves up to `count` unused records to `into`, which has room for them.
    pub(crate) fn take_free(&self, into: &mut Vec<&'static Record>, count: usize) {
        self.locked(|s| {
            let keep = s.free.len().saturating_sub(count);
            into.extend(s.free.drain(keep..));
        });
    }

    pub(crate) fn take_free_one(&self) -> Option<&'static Record> {
        self.locked(|s| s.free.pop())
    }

    pub(crate) fn put_free(&self, records: &[&'static Record]) {
        self.locked(|s| s.free.extend_from_slice(records));
    }

    /// Makes unused records. Not in a section (N1).
    #[cold]
    pub(crate) fn make_records(&self) {
        let count = registry::promise();
        self.make_room(count, |s| &mut s.global);
        self.make_room(count, |s| &mut s.free);
        let fresh: Vec<_> = registry::grow().iter().collect();
        self.put_free(&fresh);
    }

    /// An unused record, for callers without a processor. Not in a section (N1).
    pub(crate) fn free_record(&self) -> &'static Record {
        loop {
            if let Some(record) = self.take_free_one() {
                return record;
            }
            self.make_records();
        }
    }

    /// Gives a list room for `count` entries (L1).
    fn make_room<L: List>(&self, count: usize, list: fn(&mut Shared) -> &mut L) {
        if self.locked(|s| list(s).room()) >= count {
            return;
        }
        let mut new = L::with_room(count.next_power_of_two());
        self.locked(|s| {
            let old = list(s);
            if old.room() < new.room() {
                new.take_all(old);
                core::mem::swap(old, &mut new);
            }
        });
        // Freed here.
        drop(new);
    }

    pub(crate) fn take_ids(&self, count: u64) -> u64 {
        self.next_id.fetch_add(count, Ordering::Relaxed)
    }

    /// Makes a worker; [`new_worker`](Sched::new_worker) does if there is no other.
    fn make_worker(&self, exclusive: bool) -> &'static Worker {
        let id = self.next_worker.fetch_add(1, Ordering::Relaxed);
        let worker: &'static Worker = Box::leak(Box::new(Worker::new(id, exclusive)));
        // With this one.
        let count = id as usize + 1;
        self.make_room(count, |s| &mut s.workers);
        self.make_room(count, |s| &mut s.idle_workers);
        self.make_room(count, |s| &mut s.gone);
        // One more for `Anyone`.
        self.make_room(count + 1, |s| &mut s.fifo);
        self.locked(|s| s.workers.push(worker));
        // Whoever turns it on afterwards finds the worker in the list.
        if observe::is_on() {
            worker.tape.prepare();
        }
        worker
    }

    /// Every worker that was ever made.
    pub(crate) fn workers(&self) -> Vec<&'static Worker> {
        let mut workers = Vec::new();
        loop {
            let count = self.locked(|s| {
                if s.workers.len() <= workers.capacity() {
                    workers.extend_from_slice(&s.workers);
                }
                s.workers.len()
            });
            if workers.len() == count {
                return workers;
            }
            workers.reserve(count);
        }
    }

    /// How long a task may keep a processor that others want, in nanoseconds.
    #[inline]
    pub(crate) fn slice(&self) -> u64 {
        self.settings.get().map_or(settings::SLICE, |s| s.slice)
    }

    /// Are tasks suspended that do not give way?
    fn preempts(&self) -> bool {
        self.settings.get().is_some_and(|s| s.preempt)
    }

    /// Does anybody want to hear of tasks that hold their siblings up?
    fn watches(&self) -> bool {
        self.settings.get().is_some_and(|s| s.watchdog && !s.migrating)
    }

    /// How often the scheduler's state is printed, if at all.
    fn traces(&self) -> Option<Duration> {
        self.settings.get().and_then(|s| s.sched_trace)
    }

    /// Processors, workers and tasks, too?
    fn traces_details(&self) -> bool {
        self.settings.get().is_some_and(|s| s.sched_detail)
    }

    /// More live tasks than so many are worth a warning.
    fn many_tasks(&self) -> Option<usize> {
        self.settings.get().and_then(|s| s.warn_tasks)
    }

    /// Are the stacks of parked tasks trimmed?
    fn shrinks(&self) -> bool {
        self.settings.get().is_some_and(|s| s.shrink)
    }

    /// Are all processors idle?
    fn all_idle(&self) -> bool {
        self.locked(|s| s.all_idle())
    }

    /// How often an idle processor was taken so far; and whether sysmon may sleep
    /// until the next time: if all are idle and none was taken since it was
    /// `before`, or a program that is idle between two messages would wake it
    /// for each.
    fn sysmon_may_sleep(&self, before: u64) -> (u64, bool) {
        self.locked(|s| {
            s.sysmon_sleeps = s.all_idle() && s.taken == before;
            (s.taken, s.sysmon_sleeps)
        })
    }

    /// Moves all but `keep` free stacks of each idle processor to where others
    /// find them. Nobody holds those processors, nor can while the lock is held.
    pub(crate) fn flush_idle(&self, keep: u32) {
        self.locked(|s| s.idle_processors.iter().for_each(|p| p.stacks.flush(keep)));
    }

    /// What `take` takes of the stacks of a class. If it finds nothing there are
    /// more made, so it may be in a section, but not this (N1).
    ///
    /// # Errors
    /// If the system refuses them.
    #[inline]
    pub(crate) fn take_or_grow<T>(
        &self,
        class: Class,
        take: impl Fn() -> Option<T>,
    ) -> io::Result<T> {
        loop {
            if let Some(taken) = take() {
                return Ok(taken);
            }
            if let Err(refused) = pool::grow(class) {
                // As good are those that lie with this processor, or with one that
                // does nothing.
                worker::with_processor(|here| here.into_iter().for_each(|p| p.stacks.flush(0)));
                self.flush_idle(0);
                return take().ok_or(refused);
            }
        }
    }

    fn global_changed(&self, s: &Shared) {
        self.counts.global.store(s.global.len(), Ordering::Relaxed);
    }

    fn fifo_changed(&self, s: &Shared) {
        self.counts.fifo.store(s.fifo.len(), Ordering::Relaxed);
    }
}

/// A list that is moved to a larger place (L1).
trait List {
    fn with_room(count: usize) -> Self;
    fn room(&self) -> usize;
    /// Moves everything out of a list for which there is room here.
    fn take_all(&mut self, other: &mut Self);
}

impl<T> List for Vec<T> {
    fn with_room(count: usize) -> Self {
        Vec::with_capacity(count)
    }

    fn room(&self) -> usize {
        self.capacity()
    }

    fn take_all(&mut self, other: &mut Self) {
        self.append(other);
    }
}

impl<T> List for VecDeque<T> {
    fn with_room(count: usize) -> Self {
        VecDeque::with_capacity(count)
    }

    fn room(&self) -> usize {
        self.capacity()
    }

    fn take_all(&mut self, other: &mut Self) {
        self.append(other);
    }
}

impl Shared {
    /// Passes a processor on: to the first of the FIFO, else to the idle ones; to
    /// nobody if there are too many.
    pub(crate) fn give(&mut self, p: &'static Processor, idle: &IdleWord) -> Nudge {
        if SCHED.is_surplus(p) {
            self.retire(p);
            return Nudge::Nobody;
        }
        match self.next_in_fifo() {
            Some(w) => {
                self.handovers += 1;
                w.assign(p)
            }
            None => {
                self.put_idle(p, idle);
                Nudge::Nobody
            }
        }
    }

    pub(crate) fn put_idle(&mut self, p: &'static Processor, idle: &IdleWord) {
        self.idle_processors.push(p);
        idle.add_idle();
    }

    /// The run queues wait in the FIFO for a worker, and perhaps a processor is
    /// idle for the lack of one.
    fn serve(&mut self, idle: &IdleWord) -> Nudge {
        if !self.anyone_queued {
            return Nudge::Nobody;
        }
        match self.take_idle(idle) {
            Some(p) => self.give(p, idle),
            None => Nudge::Nobody,
        }
    }

    /// Whose turn it is. The run queues keep theirs while no worker is idle.
    fn next_in_fifo(&mut self) -> Option<&'static Worker> {
        let first = match self.fifo.pop_front()? {
            Member::Worker(w) => Some(w),
            Member::Anyone => match self.pop_idle_worker() {
                Some(w) => {
                    self.anyone_queued = false;
                    Some(w)
                }
                None => {
                    let next = self.fifo.pop_front();
                    self.fifo.push_front(Member::Anyone);
                    match next {
                        Some(Member::Worker(w)) => Some(w),
                        // Queued once only.
                        Some(Member::Anyone) | None => None,
                    }
                }
            },
        };
        SCHED.fifo_changed(self);
        first
    }

    pub(crate) fn take_idle(&mut self, idle: &IdleWord) -> Option<&'static Processor> {
        let p = self.idle_processors.pop()?;
        idle.remove_idle();
        self.taken += 1;
        if std::mem::take(&mut self.sysmon_sleeps) {
            sysmon::wake();
        }
        Some(p)
    }

    /// A worker joins the FIFO.
    pub(crate) fn want(&mut self, w: &'static Worker) -> Nudge {
        // ORDERING: SeqCst; one order with the other changes of the status.
        w.status.store(worker::WANTS, Ordering::SeqCst);
        let first = self.fifo.is_empty();
        self.fifo.push_back(Member::Worker(w));
        SCHED.fifo_changed(self);
        if first { Nudge::Hurry } else { Nudge::Nobody }
    }

    /// The run queues join the FIFO, once.
    pub(crate) fn queue_anyone(&mut self) {
        if !self.anyone_queued {
            self.anyone_queued = true;
            self.fifo.push_back(Member::Anyone);
            SCHED.fifo_changed(self);
        }
    }

    /// An idle worker that may take tasks from the run queues is listed.
    pub(crate) fn list_idle(&mut self, w: &'static Worker) {
        if !w.exclusive.get() && !w.listed.replace(true) {
            self.idle_workers.push(w);
        }
    }

    /// An idle worker that may run anything. Who takes the last one asks for
    /// another; so does who finds none.
    pub(crate) fn pop_idle_worker(&mut self) -> Option<&'static Worker> {
        let found = self.has_idle_worker().then(|| self.idle_workers.pop()).flatten();
        if let Some(w) = found {
            w.listed.set(false);
        }
        if !self.has_idle_worker() {
            spare::ask();
        }
        found
    }

    /// Is the last of the list idle? Forgets those that are not any more, and those
    /// that were locked since and cannot run what anybody may.
    pub(crate) fn has_idle_worker(&mut self) -> bool {
        while let Some(w) = self.idle_workers.last() {
            if w.status.load(Ordering::Relaxed) == worker::IDLE && !w.exclusive.get() {
                return true;
            }
            w.listed.set(false);
            self.idle_workers.pop();
        }
        false
    }
}
