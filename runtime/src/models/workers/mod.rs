//! Who sleeps and who searches: no task is left while a processor is idle.
//!
//! The scheduler in small, step by step as in `sched/`, with the real idle
//! word and the real barriers. A task that is lost is a deadlock to loom: the
//! workers sleep until all tasks have ended.
//!
//! What a queue by itself would order is left out: the queues of tasks for any
//! worker are one relaxed flag each, an inbox is a set of bits. A slice is over
//! after one task.
//!
//! | file | what |
//! |---|---|
//! | `shared.rs` | what is done under the scheduler's lock: `sched/allot.rs`, `processors.rs` |
//! | `find.rs` | `sched/find.rs`, `handover.rs`, `enqueue.rs` |
//! | `signal.rs` | suspension and spares: `sched/signal.rs`, `spare.rs` |
//! | `anyone.rs` | models: tasks that any worker may run |
//! | `bound.rs` | models: tasks that one worker must run |
//! | `hogs.rs` | models: hogs, and workers that are still to be made |
//! | `retiring.rs` | models: processors that are too many |

use super::{Plain, explore};
use crate::idle::IdleWord;
use crate::sys::atomic::{AtomicU32, Ordering};
use loom::sync::{Condvar, Mutex};
use loom::thread;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

mod anyone;
mod bound;
mod find;
mod hogs;
mod retiring;
mod shared;
mod signal;

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
    /// Who gives up a processor that is too many does not look at the queues afterwards.
    RetirerDoesNotLook,
    /// Nor does who has said that there are too many.
    SetterDoesNotLook,
    /// Whether a processor is too many is asked before the lock is taken.
    AsksEarly,
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
    /// The processor that it holds, if it does.
    processor: Plain<usize>,
    /// A processor that somebody gave it.
    handoff: Mutex<Option<usize>>,
    wakes: Condvar,
}

/// What the scheduler's lock guards.
struct Shared {
    idle_processors: Vec<usize>,
    idle_workers: Vec<usize>,
    listed: Vec<bool>,
    fifo: VecDeque<usize>,
    anyone_queued: bool,
    /// Workers that are still to be made.
    spares: Vec<usize>,
}

struct Sched {
    tasks: Vec<Task>,
    /// For tasks of any worker: 1 while it is in the global queue.
    queued: Vec<AtomicU32>,
    /// The same for each processor's ring; nothing where all are in the global one.
    rings: Vec<Vec<AtomicU32>>,
    /// How many processors there may be; known from the start where there are no rings.
    limit: AtomicU32,
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
    fn new(model: &Model, flaw: Option<Flaw>) -> Arc<Sched> {
        let Model { processors, starts, tasks, .. } = *model;
        let holders = starts.iter().filter(|start| start.holds).count();
        let flags = || tasks.iter().map(|_| AtomicU32::new(0)).collect::<Vec<_>>();
        let listed: Vec<bool> =
            starts.iter().map(|s| !s.holds && !s.exclusive && !s.spare).collect();
        let sched = Sched {
            tasks: tasks.to_vec(),
            queued: flags(),
            rings: (0..if model.rings { processors } else { 0 }).map(|_| flags()).collect(),
            limit: AtomicU32::new(processors),
            workers: starts
                .iter()
                .enumerate()
                .map(|(n, start)| Worker {
                    start: *start,
                    status: AtomicU32::new(if start.holds { HOLDS } else { IDLE }),
                    inbox: AtomicU32::new(0),
                    spinning: Plain::new(false),
                    // Holders stand first.
                    processor: Plain::new(n),
                    handoff: Mutex::new(None),
                    wakes: Condvar::new(),
                })
                .collect(),
            processors,
            idle: IdleWord::new(),
            shared: Mutex::new(Shared {
                idle_processors: (holders..processors as usize).collect(),
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
        (holders..processors as usize).for_each(|_| sched.idle.add_idle());
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

/// `sched/worker.rs`
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
            self.spawn(w, other);
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
        while handoff.is_none() && !self.over() {
            handoff = self.workers[w].wakes.wait(handoff).unwrap();
        }
        if let Some(p) = handoff.take() {
            self.workers[w].processor.set(p);
        }
        !self.over()
    }

    fn assign(&self, w: usize, p: usize) {
        self.workers[w].status.store(HOLDS, Ordering::Relaxed);
        *self.workers[w].handoff.lock().unwrap() = Some(p);
        self.workers[w].wakes.notify_one();
    }
}

/// What the rest of the program does.
impl Sched {
    /// A task starts another one.
    fn spawn(&self, w: usize, task: usize) {
        match self.rings.get(self.workers[w].processor.get()) {
            Some(ring) => {
                ring[task].store(1, Ordering::Relaxed);
                self.wake_one();
            }
            None => self.submit(task),
        }
    }

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

/// What there is at the beginning, and what is done to it.
#[derive(Clone, Copy)]
struct Model {
    preemptions: Option<usize>,
    processors: u32,
    starts: &'static [Start],
    tasks: &'static [Task],
    /// Each in a thread of its own, the first of them in the model's own.
    others: &'static [fn(&Sched)],
    /// Are there rings, and may there be fewer processors?
    rings: bool,
}

impl Model {
    /// Runs the workers and the others.
    fn run(self, flaw: Option<Flaw>) {
        explore(self.preemptions, move || {
            let sched = Sched::new(&self, flaw);
            let spawn = |f: Box<dyn FnOnce(&Sched)>| {
                let sched = Arc::clone(&sched);
                thread::spawn(move || f(&sched))
            };
            let workers = 0..self.starts.len();
            let mut threads: Vec<_> =
                workers.map(|w| spawn(Box::new(move |sched| sched.work(w)))).collect();
            if let Some((first, others)) = self.others.split_first() {
                threads.extend(others.iter().map(|f| spawn(Box::new(f))));
                first(&sched);
            }
            if self.starts.iter().any(|start| start.spare) {
                sched.make_spares();
            }
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            sched.check_idle();
        });
    }
}

/// A model without rings.
fn run(
    preemptions: Option<usize>,
    flaw: Option<Flaw>,
    processors: u32,
    starts: &'static [Start],
    tasks: &'static [Task],
    others: &'static [fn(&Sched)],
) {
    Model { preemptions, processors, starts, tasks, others, rings: false }.run(flaw);
}
