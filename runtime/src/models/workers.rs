//! Who sleeps and who searches: no task is left while a processor is idle.
//!
//! The scheduler in small, step by step as in `find.rs`, with the real idle
//! word and the real barriers. A task that is lost is a deadlock to loom: the
//! workers sleep until all tasks have ended.
//!
//! What a queue by itself would order is left out: the queues of tasks for any
//! worker are one relaxed flag each, an inbox is a set of bits. A slice is over
//! after one task.

use super::{Plain, explore};
use crate::idle::IdleWord;
use crate::sys::atomic::{AtomicU32, Ordering};
use crate::sys::barrier;
use loom::sync::{Condvar, Mutex};
use loom::thread;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

const HOLDS: u32 = 0;
const IDLE: u32 = 1;
const WANTS: u32 = 2;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// w4 is left out.
    NoLastLook,
    /// w3 is left out.
    NoBarrierBeforeLastLook,
    /// w2 comes after w4.
    EndsSpinLate,
    /// f1 is left out.
    WakesNobody,
    /// A spinner for which there was no processor is counted a little longer.
    EndsPhantomLate,
    /// A spinner that found bound work wakes nobody.
    BoundWakesNobody,
    /// The waker of a bound task has no barrier.
    KicksWithoutBarrier,
    /// A worker that gets no processor for its bound tasks does not queue.
    DoesNotQueue,
    /// An exclusive worker leaves tasks for others behind.
    ExclusiveLeavesWork,
    /// Who finds no idle worker asks for none.
    AsksForNoSpare,
    /// The maker of a spare does not look at what is waiting for one.
    MakerDoesNotLook,
    /// A processor for which there is no worker is not put among the idle ones.
    DropsProcessor,
}

/// What a task does.
#[derive(Clone, Copy)]
enum Task {
    Ends,
    /// Ends when another has ended; its worker does nothing else until then.
    After(usize),
    /// The same, but the signal suspends its worker while others wait.
    Hog(usize),
    Submits(usize),
}

/// How a worker begins.
#[derive(Clone, Copy, Default)]
struct Start {
    holds: bool,
    exclusive: bool,
    /// Not made yet.
    spare: bool,
    /// Its ready bound tasks, as bits.
    bound: u32,
}

const ASLEEP: Start = Start { holds: false, exclusive: false, spare: false, bound: 0 };
const HOLDER: Start = Start { holds: true, ..ASLEEP };
const SPARE: Start = Start { spare: true, ..ASLEEP };

/// In the FIFO: the run queues.
const ANYONE: usize = usize::MAX;

struct Worker {
    start: Start,
    status: AtomicU32,
    inbox: AtomicU32,
    spinning: Plain<bool>,
    /// A processor that somebody gave it.
    handoff: Mutex<bool>,
    wakes: Condvar,
}

/// What the scheduler's lock guards.
struct Shared {
    idle_processors: u32,
    idle_workers: Vec<usize>,
    listed: Vec<bool>,
    fifo: VecDeque<usize>,
    anyone_queued: bool,
    /// Workers that are still to be made.
    spares: Vec<usize>,
}

struct Sched {
    tasks: Vec<Task>,
    /// For tasks of any worker: 1 while it is in a queue.
    queued: Vec<AtomicU32>,
    workers: Vec<Worker>,
    processors: u32,
    idle: IdleWord,
    shared: Mutex<Shared>,
    fifo_len: AtomicU32,
    /// Tasks that have ended, as bits.
    ended: Mutex<u32>,
    ends: Condvar,
    /// Who wants a spare, or the end of the program.
    asked: Mutex<bool>,
    asks: Condvar,
    /// Counts what the timers of hogs would find changed.
    changes: AtomicU32,
    /// All have ended. Not loom's: nothing that follows is of interest.
    over: AtomicBool,
    flaw: Option<Flaw>,
}

impl Sched {
    fn new(processors: u32, starts: &[Start], tasks: &[Task], flaw: Option<Flaw>) -> Arc<Sched> {
        let holders = starts.iter().filter(|start| start.holds).count() as u32;
        let listed: Vec<bool> =
            starts.iter().map(|s| !s.holds && !s.exclusive && !s.spare).collect();
        let sched = Sched {
            tasks: tasks.to_vec(),
            queued: tasks.iter().map(|_| AtomicU32::new(0)).collect(),
            workers: starts
                .iter()
                .map(|start| Worker {
                    start: *start,
                    status: AtomicU32::new(if start.holds { HOLDS } else { IDLE }),
                    inbox: AtomicU32::new(0),
                    spinning: Plain::new(false),
                    handoff: Mutex::new(false),
                    wakes: Condvar::new(),
                })
                .collect(),
            processors,
            idle: IdleWord::new(),
            shared: Mutex::new(Shared {
                idle_processors: processors - holders,
                idle_workers: (0..starts.len()).filter(|n| listed[*n]).collect(),
                listed,
                fifo: VecDeque::new(),
                anyone_queued: false,
                spares: (0..starts.len()).filter(|n| starts[*n].spare).collect(),
            }),
            fifo_len: AtomicU32::new(0),
            ended: Mutex::new(0),
            ends: Condvar::new(),
            asked: Mutex::new(false),
            asks: Condvar::new(),
            changes: AtomicU32::new(0),
            over: AtomicBool::new(false),
            flaw,
        };
        (holders..processors).for_each(|_| sched.idle.add_idle());
        Arc::new(sched)
    }

    fn is(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn locked<R>(&self, f: impl FnOnce(&mut Shared) -> R) -> R {
        f(&mut self.shared.lock().unwrap())
    }
}

/// `worker.rs`
impl Sched {
    fn work(&self, w: usize) {
        let mut bound = self.workers[w].start.bound;
        let mut holds = self.workers[w].start.holds;
        while holds || self.await_processor(w) {
            holds = false;
            let mut ran = false;
            while let Some(task) = self.find(w, &mut bound, ran) {
                self.run(w, task);
                ran = true;
            }
        }
    }

    fn run(&self, w: usize, task: usize) {
        if let Task::Hog(other) = self.tasks[task]
            && !self.hog(w, other)
        {
            return;
        }
        if let Task::Submits(other) = self.tasks[task] {
            self.submit(other);
        }
        let mut ended = self.ended.lock().unwrap();
        if let Task::After(other) = self.tasks[task] {
            while *ended & 1 << other == 0 {
                ended = self.ends.wait(ended).unwrap();
            }
        }
        *ended |= 1 << task;
        self.ends.notify_all();
        if ended.count_ones() as usize == self.tasks.len() {
            self.over.store(true, Ordering::Relaxed);
            drop(ended);
            for worker in &self.workers {
                let _handoff = worker.handoff.lock().unwrap();
                worker.wakes.notify_one();
            }
            *self.asked.lock().unwrap() = true;
            self.asks.notify_one();
        }
    }

    /// `false`: all is over.
    fn await_processor(&self, w: usize) -> bool {
        let mut handoff = self.workers[w].handoff.lock().unwrap();
        while !*handoff && !self.over() {
            handoff = self.workers[w].wakes.wait(handoff).unwrap();
        }
        *handoff = false;
        !self.over()
    }

    fn assign(&self, w: usize) {
        self.workers[w].status.store(HOLDS, Ordering::Relaxed);
        *self.workers[w].handoff.lock().unwrap() = true;
        self.workers[w].wakes.notify_one();
    }
}

/// `sched/mod.rs`
impl Sched {
    fn give(&self, s: &mut Shared) {
        match self.next_in_fifo(s) {
            Some(w) => self.assign(w),
            None => self.put_idle(s),
        }
    }

    fn put_idle(&self, s: &mut Shared) {
        if self.is(Flaw::DropsProcessor) {
            return;
        }
        s.idle_processors += 1;
        self.idle.add_idle();
    }

    fn serve(&self, s: &mut Shared) {
        if s.anyone_queued && self.take_idle(s) {
            self.give(s);
        }
    }

    fn next_in_fifo(&self, s: &mut Shared) -> Option<usize> {
        let mut next = s.fifo.pop_front()?;
        if next == ANYONE {
            match self.pop_idle_worker(s) {
                Some(w) => {
                    s.anyone_queued = false;
                    next = w;
                }
                None => {
                    next = s.fifo.pop_front().unwrap_or(ANYONE);
                    s.fifo.push_front(ANYONE);
                }
            }
        }
        self.fifo_len.store(s.fifo.len() as u32, Ordering::Relaxed);
        (next != ANYONE).then_some(next)
    }

    fn queue_anyone(&self, s: &mut Shared) {
        if !std::mem::replace(&mut s.anyone_queued, true) {
            s.fifo.push_back(ANYONE);
            self.fifo_len.store(s.fifo.len() as u32, Ordering::Relaxed);
        }
    }

    fn take_idle(&self, s: &mut Shared) -> bool {
        if s.idle_processors == 0 {
            return false;
        }
        s.idle_processors -= 1;
        self.idle.remove_idle();
        true
    }

    fn want(&self, s: &mut Shared, w: usize) {
        if self.is(Flaw::DoesNotQueue) {
            return;
        }
        self.workers[w].status.store(WANTS, Ordering::Relaxed);
        s.fifo.push_back(w);
        self.fifo_len.store(s.fifo.len() as u32, Ordering::Relaxed);
    }

    fn list_idle(&self, s: &mut Shared, w: usize) {
        if !self.workers[w].start.exclusive && !std::mem::replace(&mut s.listed[w], true) {
            s.idle_workers.push(w);
        }
    }

    fn pop_idle_worker(&self, s: &mut Shared) -> Option<usize> {
        let found = self.has_idle_worker(s).then(|| s.idle_workers.pop()).flatten();
        if let Some(w) = found {
            s.listed[w] = false;
        }
        // The real one asks for the next too; nothing here needs a second.
        if found.is_none() && !self.is(Flaw::AsksForNoSpare) {
            *self.asked.lock().unwrap() = true;
            self.asks.notify_one();
        }
        found
    }

    fn has_idle_worker(&self, s: &mut Shared) -> bool {
        while let Some(w) = s.idle_workers.last() {
            if self.workers[*w].status.load(Ordering::Relaxed) == IDLE {
                return true;
            }
            s.listed[*w] = false;
            s.idle_workers.pop();
        }
        false
    }

    fn has_work(&self) -> bool {
        self.queued.iter().any(|queued| queued.load(Ordering::Relaxed) != 0)
    }

    /// A task from the queues.
    fn take(&self) -> Option<usize> {
        (0..self.queued.len()).find(|task| {
            let queued = &self.queued[*task];
            queued.load(Ordering::Relaxed) != 0 && queued.swap(0, Ordering::Relaxed) != 0
        })
    }
}

/// `find.rs`
impl Sched {
    fn find(&self, w: usize, bound: &mut u32, ran: bool) -> Option<usize> {
        let worker = &self.workers[w];
        while !self.over() {
            if worker.inbox.load(Ordering::Relaxed) != 0 {
                *bound |= worker.inbox.swap(0, Ordering::Acquire);
            }
            if ran && self.fifo_len.load(Ordering::Relaxed) != 0 {
                self.hand_over(w, *bound != 0);
                return None;
            }
            if *bound != 0 {
                let task = bound.trailing_zeros();
                *bound &= !(1 << task);
                if worker.spinning.get() {
                    self.end_search(w);
                }
                return Some(task as usize);
            }
            if !worker.start.exclusive
                && let Some(task) = self.search(w)
            {
                self.end_search(w);
                return Some(task);
            }
            if !self.go_idle(w) {
                return None;
            }
        }
        None
    }

    fn search(&self, w: usize) -> Option<usize> {
        let worker = &self.workers[w];
        let task = self.take();
        if task.is_some() || self.processors == 1 {
            return task;
        }
        if !worker.spinning.get() {
            if !self.idle.may_spin(self.processors) {
                return None;
            }
            worker.spinning.set(true);
            self.idle.begin_spin();
        }
        self.take()
    }

    fn end_search(&self, w: usize) {
        if self.workers[w].spinning.replace(false) {
            self.idle.end_spin();
        }
        if !self.is(Flaw::WakesNobody) {
            self.wake_one();
        }
    }

    fn hand_over(&self, w: usize, ready: bool) {
        self.locked(|s| self.give(s));
        if self.workers[w].spinning.replace(false) {
            self.idle.end_spin();
        }
        // `sleep_or_queue`
        self.locked(|s| {
            self.workers[w].status.store(IDLE, Ordering::Relaxed);
            self.list_idle(s, w);
            self.serve(s);
        });
        self.idle.before_last_look();
        if ready || self.workers[w].inbox.load(Ordering::Relaxed) != 0 {
            // `reclaim_or_want`
            self.locked(|s| {
                if self.workers[w].status.load(Ordering::Relaxed) != IDLE {
                    return;
                }
                if self.take_idle(s) { self.assign(w) } else { self.want(s, w) }
            });
        }
        if self.has_work() {
            self.wake_one();
        }
    }

    fn go_idle(&self, w: usize) -> bool {
        let worker = &self.workers[w];
        let spun = worker.spinning.replace(false);
        self.locked(|s| {
            worker.status.store(IDLE, Ordering::Relaxed);
            self.list_idle(s, w);
            self.give(s);
        });
        if spun && !self.is(Flaw::EndsSpinLate) {
            self.idle.end_spin();
        }
        if !self.is(Flaw::NoBarrierBeforeLastLook) {
            self.idle.before_last_look();
        }
        let goes_on = !self.is(Flaw::NoLastLook) && self.last_look(w);
        if spun && self.is(Flaw::EndsSpinLate) {
            self.idle.end_spin();
        }
        goes_on
    }

    /// w4
    fn last_look(&self, w: usize) -> bool {
        if self.workers[w].inbox.load(Ordering::Relaxed) != 0 {
            let got = self.reclaim(w, true);
            if !self.is(Flaw::BoundWakesNobody) && self.has_work() {
                self.wake_one();
            }
            return got;
        }
        if self.has_work() {
            if !self.workers[w].start.exclusive {
                return self.reclaim(w, false);
            }
            if !self.is(Flaw::ExclusiveLeavesWork) {
                self.wake_one();
            }
        }
        false
    }

    fn reclaim(&self, w: usize, bound: bool) -> bool {
        let worker = &self.workers[w];
        let got = self.locked(|s| {
            if worker.status.load(Ordering::Relaxed) != IDLE {
                return false;
            }
            let got = self.take_idle(s);
            if got {
                worker.status.store(HOLDS, Ordering::Relaxed);
            } else if bound {
                self.want(s, w);
            }
            got
        });
        if got && !bound {
            self.idle.begin_spin();
            worker.spinning.set(true);
        }
        got
    }

    fn wake_one(&self) {
        if self.idle.should_wake() {
            self.start_spinner();
        }
    }

    fn start_spinner(&self) {
        let started = self.locked(|s| {
            if !self.take_idle(s) {
                if !self.is(Flaw::EndsPhantomLate) {
                    self.idle.end_spin();
                }
                return false;
            }
            match self.pop_idle_worker(s) {
                Some(w) => {
                    self.workers[w].spinning.set(true);
                    self.assign(w);
                }
                None => {
                    self.idle.end_spin();
                    self.put_idle(s);
                }
            }
            true
        });
        if !started && self.is(Flaw::EndsPhantomLate) {
            self.idle.end_spin();
        }
    }

    fn kick(&self, w: usize) {
        if !self.is(Flaw::KicksWithoutBarrier) {
            barrier::light();
        }
        if self.workers[w].status.load(Ordering::Relaxed) != IDLE {
            return;
        }
        self.locked(|s| {
            if self.workers[w].status.load(Ordering::Relaxed) != IDLE {
                return;
            }
            if self.take_idle(s) { self.assign(w) } else { self.want(s, w) }
        });
    }
}

/// `signal.rs`
impl Sched {
    /// A task that ends when another has. `false`: all is over.
    fn hog(&self, w: usize, other: usize) -> bool {
        loop {
            let seen = self.changes.load(Ordering::Relaxed);
            if *self.ended.lock().unwrap() & 1 << other != 0 {
                return true;
            }
            let waits = self.fifo_len.load(Ordering::Relaxed) != 0 || self.has_work();
            if waits && self.pass_to_others(w) {
                if !self.await_processor(w) {
                    return false;
                }
                continue;
            }
            // Until its timer would find something else.
            let mut ended = self.ended.lock().unwrap();
            while *ended & 1 << other == 0 && self.changes.load(Ordering::Relaxed) == seen {
                ended = self.ends.wait(ended).unwrap();
            }
        }
    }

    fn pass_to_others(&self, w: usize) -> bool {
        if self.fifo_len.load(Ordering::Relaxed) == 0 && self.idle.any() {
            self.wake_one();
            return false;
        }
        self.locked(|s| {
            if self.has_work() {
                self.queue_anyone(s);
            }
            let Some(first) = self.next_in_fifo(s) else { return false };
            self.assign(first);
            self.want(s, w);
            true
        })
    }

    /// The timers of hogs.
    fn change(&self) {
        let _ended = self.ended.lock().unwrap();
        self.changes.fetch_add(1, Ordering::Relaxed);
        self.ends.notify_all();
    }
}

/// `spare.rs`
impl Sched {
    fn make_spares(&self) {
        loop {
            {
                let mut asked = self.asked.lock().unwrap();
                while !*asked {
                    asked = self.asks.wait(asked).unwrap();
                }
                *asked = false;
            }
            if self.over() {
                return;
            }
            self.locked(|s| {
                if !self.has_idle_worker(s)
                    && let Some(w) = s.spares.pop()
                {
                    self.list_idle(s, w);
                }
            });
            if !self.is(Flaw::MakerDoesNotLook) {
                self.locked(|s| self.serve(s));
                self.idle.before_last_look();
                if self.has_work() {
                    self.wake_one();
                }
            }
            self.change();
        }
    }
}

/// What the rest of the program does.
impl Sched {
    fn submit(&self, task: usize) {
        self.queued[task].store(1, Ordering::Relaxed);
        self.wake_one();
    }

    /// Beside a hog.
    fn submit_late(&self, task: usize) {
        self.submit(task);
        self.change();
    }

    fn ready(&self, w: usize, task: usize) {
        self.workers[w].inbox.fetch_or(1 << task, Ordering::Release);
        self.kick(w);
    }

    fn ready_late(&self, w: usize, task: usize) {
        self.ready(w, task);
        self.change();
    }
}

/// Runs the workers, and each submitter in a thread of its own, the first of
/// them in this one.
fn run(
    preemptions: Option<usize>,
    flaw: Option<Flaw>,
    processors: u32,
    starts: &'static [Start],
    tasks: &'static [Task],
    submitters: &'static [fn(&Sched)],
) {
    explore(preemptions, move || {
        let sched = Sched::new(processors, starts, tasks, flaw);
        let spawn = |f: Box<dyn FnOnce(&Sched)>| {
            let sched = Arc::clone(&sched);
            thread::spawn(move || f(&sched))
        };
        let mut threads: Vec<_> =
            (0..starts.len()).map(|w| spawn(Box::new(move |sched| sched.work(w)))).collect();
        if let Some((first, others)) = submitters.split_first() {
            threads.extend(others.iter().map(|f| spawn(Box::new(f))));
            first(&sched);
        }
        if starts.iter().any(|start| start.spare) {
            sched.make_spares();
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

// Tasks for any worker.

fn one_worker(flaw: Option<Flaw>) {
    run(None, flaw, 1, &[HOLDER], &[Task::Ends], &[|s| s.submit(0)]);
}

fn two_submitters(flaw: Option<Flaw>) {
    let submitters: &[fn(&Sched)] = &[|s| s.submit(0), |s| s.submit(1)];
    run(Some(4), flaw, 1, &[HOLDER], &[Task::Ends, Task::Ends], submitters);
}

fn two_workers(flaw: Option<Flaw>) {
    run(Some(3), flaw, 2, &[HOLDER, ASLEEP], &[Task::Ends], &[|s| s.submit(0)]);
}

fn two_submitters_and_two_workers(flaw: Option<Flaw>) {
    let submitters: &[fn(&Sched)] = &[|s| s.submit(0), |s| s.submit(1)];
    run(Some(2), flaw, 2, &[HOLDER, ASLEEP], &[Task::Ends, Task::Ends], submitters);
}

/// The first task computes until the second has run: two processors are needed.
fn a_hog(flaw: Option<Flaw>) {
    let tasks = &[Task::After(1), Task::Ends];
    let submitter: &[fn(&Sched)] = &[|s| {
        s.submit(0);
        s.submit(1);
    }];
    run(Some(2), flaw, 2, &[HOLDER, ASLEEP], tasks, submitter);
}

#[test]
fn one_worker_goes_idle() {
    one_worker(None);
}

#[test]
fn one_worker_goes_idle_under_two_submitters() {
    two_submitters(None);
}

#[test]
fn one_worker_goes_idle_and_one_sleeps() {
    two_workers(None);
}

#[test]
fn one_worker_goes_idle_and_one_sleeps_under_two_submitters() {
    two_submitters_and_two_workers(None);
}

#[test]
fn a_hog_does_not_keep_a_task_from_an_idle_processor() {
    a_hog(None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_no_last_look() {
    one_worker(Some(Flaw::NoLastLook));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_no_barrier_before_the_last_look() {
    one_worker(Some(Flaw::NoBarrierBeforeLastLook));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_w2_after_w4() {
    two_workers(Some(Flaw::EndsSpinLate));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_f1_is_left_out() {
    a_hog(Some(Flaw::WakesNobody));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_a_spinner_that_never_was() {
    two_submitters(Some(Flaw::EndsPhantomLate));
}

// Tasks that one worker must run.

fn one_inbox(flaw: Option<Flaw>) {
    let wakers: &[fn(&Sched)] = &[|s| s.ready(0, 0), |s| s.ready(0, 1)];
    run(Some(3), flaw, 1, &[HOLDER], &[Task::Ends, Task::Ends], wakers);
}

/// One processor for two workers with bound tasks.
fn two_inboxes(flaw: Option<Flaw>) {
    let wakers: &[fn(&Sched)] = &[|s| s.ready(0, 0), |s| s.ready(1, 1)];
    run(Some(2), flaw, 1, &[HOLDER, ASLEEP], &[Task::Ends, Task::Ends], wakers);
}

/// The holder has two tasks and hands its processor over between them.
fn handed_over(flaw: Option<Flaw>) {
    let tasks = &[Task::Ends, Task::Ends, Task::Ends];
    let busy = &[Start { bound: 0b011, ..HOLDER }, ASLEEP];
    run(Some(3), flaw, 1, busy, tasks, &[|s| s.ready(1, 2)]);
}

/// A bound task that computes until another, which any worker may run, has run.
fn a_bound_hog(flaw: Option<Flaw>) {
    let tasks = &[Task::After(1), Task::Ends];
    let submitters: &[fn(&Sched)] = &[|s| s.ready(0, 0), |s| s.submit(1)];
    run(Some(2), flaw, 2, &[HOLDER, ASLEEP], tasks, submitters);
}

/// A worker that runs its own task only makes another task, and goes idle.
fn an_exclusive_worker(flaw: Option<Flaw>) {
    let tasks = &[Task::Submits(1), Task::Ends];
    let busy = &[Start { exclusive: true, bound: 0b01, ..HOLDER }, ASLEEP];
    run(None, flaw, 1, busy, tasks, &[]);
}

#[test]
fn an_inbox_of_a_worker_that_goes_idle() {
    one_inbox(None);
}

#[test]
fn two_inboxes_and_one_processor() {
    two_inboxes(None);
}

#[test]
fn a_processor_is_handed_over() {
    handed_over(None);
}

#[test]
fn a_bound_hog_does_not_keep_a_task_from_an_idle_processor() {
    a_bound_hog(None);
}

#[test]
fn an_exclusive_worker_leaves_a_task() {
    an_exclusive_worker(None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_no_last_look_at_the_inbox() {
    one_inbox(Some(Flaw::NoLastLook));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_a_kick_without_barrier() {
    one_inbox(Some(Flaw::KicksWithoutBarrier));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_a_worker_does_not_queue_for_a_processor() {
    two_inboxes(Some(Flaw::DoesNotQueue));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_a_spinner_with_bound_work_wakes_nobody() {
    a_bound_hog(Some(Flaw::BoundWakesNobody));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_an_exclusive_worker_forgets_others() {
    an_exclusive_worker(Some(Flaw::ExclusiveLeavesWork));
}

// Hogs, and workers that are still to be made.

/// There is a processor, and no worker for it.
fn no_worker_yet(flaw: Option<Flaw>) {
    run(Some(3), flaw, 1, &[SPARE], &[Task::Ends], &[|s| s.submit(0)]);
}

/// A task computes until another has run, which needs a worker that does not exist.
fn a_hog_and_a_spare(flaw: Option<Flaw>) {
    let tasks = &[Task::Hog(1), Task::Ends];
    let busy = &[Start { bound: 0b01, ..HOLDER }, SPARE];
    run(Some(3), flaw, 1, busy, tasks, &[|s| s.submit_late(1)]);
}

/// The same, and the other is bound to a worker that sleeps.
fn a_hog_and_a_bound_task(flaw: Option<Flaw>) {
    let tasks = &[Task::Hog(1), Task::Ends];
    let busy = &[Start { bound: 0b01, ..HOLDER }, ASLEEP];
    run(Some(3), flaw, 1, busy, tasks, &[|s| s.ready_late(1, 1)]);
}

#[test]
fn a_processor_waits_for_a_worker() {
    no_worker_yet(None);
}

#[test]
fn a_hog_is_suspended_for_a_task_of_any_worker() {
    a_hog_and_a_spare(None);
}

#[test]
fn a_hog_is_suspended_for_a_bound_task() {
    a_hog_and_a_bound_task(None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_nobody_asks_for_a_spare() {
    no_worker_yet(Some(Flaw::AsksForNoSpare));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_a_spare_that_looks_at_nothing() {
    no_worker_yet(Some(Flaw::MakerDoesNotLook));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_a_processor_without_worker_is_lost() {
    no_worker_yet(Some(Flaw::DropsProcessor));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_who_is_suspended_does_not_queue() {
    a_hog_and_a_bound_task(Some(Flaw::DoesNotQueue));
}
