//! From what threads wrote down to what a reader of traces accepts.
//!
//! Readers are strict: a task that starts was ready, one that is made ready was
//! waiting, whoever runs has a processor, whatever exists was stated in each
//! generation, and numbers follow on each other. The entries of the tapes cannot
//! promise that: the trace began in the middle, a full tape has lost some, and two
//! processors' counters may disagree about which of two events came first. So the
//! model keeps the state of all tasks, processors and threads *as written so far*.
//! Before it writes an event it brings the state to what the event needs, with events
//! of its own; what has happened already it leaves out. What it writes is therefore
//! in order by construction, whatever comes in, and what was lost costs exactness
//! for a moment, not the file.
//!
//! | file | what is decided there |
//! |---|---|
//! | `model/known.rs` | what is known of each task, processor and thread |
//! | `model/generations.rs` | what is stated at the beginning of a trace, and of each generation |
//! | `model/moves.rs` | how they go from one state to another |
//! | `model/said.rs` | what the program says of itself |
//!
//! # Who has no processor
//! An event that needs a running task may come from a thread without a processor: an
//! adopted thread starts a task, a task logs inside of [`blocking`](crate::blocking).
//! Such a thread gets the processor [`GUEST`] for that moment.

mod generations;
mod known;
mod moves;
mod said;

pub(super) use known::Who;

use super::file::{Batch, Generation};
use crate::sched::observe::{Birth, Event, Leave};
use known::{Processor, Task, Thread};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// The number of a processor that no worker has.
const GUEST: u32 = crate::sched::processors::MOST as u32;

/// The thread that stands for all that are no workers; workers come behind it.
pub(super) const OUTSIDE: usize = 0;

pub(super) struct Model {
    out: Generation,
    number: u64,
    now: u64,
    began: u64,
    /// In the first generation, what was before may be stated when it is first heard of.
    first: bool,
    limit: u32,
    /// The limit is yet to be told, by the next task that runs.
    tell: bool,
    tasks: FxHashMap<u64, Task>,
    processors: BTreeMap<u32, Processor>,
    threads: Vec<Thread>,
    /// What the registry knew when the trace began.
    hints: FxHashMap<u64, Who>,
    events: u64,
}

impl Model {
    pub(super) fn new(now: u64, limit: u32) -> Model {
        let mut model = Model {
            out: Generation::new(1, now),
            number: 1,
            now,
            began: now,
            first: true,
            limit,
            tell: true,
            tasks: FxHashMap::default(),
            processors: BTreeMap::new(),
            threads: Vec::new(),
            hints: FxHashMap::default(),
            events: 0,
        };
        model.thread(OUTSIDE);
        model
    }

    /// When the present generation began, and how long it is.
    pub(super) fn began(&self) -> u64 {
        self.began
    }

    pub(super) fn len(&self) -> usize {
        self.out.len()
    }

    /// The bytes that have been added to it since the last time.
    pub(super) fn news(&mut self) -> &[u8] {
        self.out.news()
    }

    /// Nobody wants those another time.
    pub(super) fn forget_told(&mut self) {
        self.out.forget_told();
    }

    fn thread(&mut self, m: usize) -> &mut Thread {
        while self.threads.len() <= m {
            let batch = Batch::new(self.threads.len() as u64);
            self.threads.push(Thread { batch, p: None, task: None });
        }
        &mut self.threads[m]
    }

    /// Each event has a time of its own, so that their order is that of their times, on
    /// whichever threads they are.
    fn emit(&mut self, m: usize, kind: u8, args: &[u64]) {
        self.now += 1;
        self.thread(m);
        self.out.event(&mut self.threads[m].batch, self.now, kind, args);
        self.events += 1;
    }

    /// Something happened on the thread.
    pub(super) fn event(&mut self, time: u64, m: usize, event: &Event) {
        self.now = self.now.max(time);
        self.thread(m);
        match *event {
            Event::Start { task, p } => self.run(m, p, task),
            Event::Leave { task, how: Leave::Ends, .. }
                if !self.first && !self.tasks.contains_key(&task) =>
            {
                // It was forgotten already.
                self.lay_down(m);
            }
            Event::Leave { task, p: Some(p), ref how } => {
                self.be_running(m, p, task);
                self.leave(m, task, how);
            }
            Event::Leave { task, p: None, ref how } => {
                self.as_guest(m, Some(task), |model| model.leave(m, task, how));
            }
            Event::Ready { task } => self.ready(m, task),
            Event::Born(ref birth) => {
                let Birth { task, p, entry, at, ref name } = **birth;
                if let Some(p) = p {
                    self.take(m, p);
                    // If it had none the task that was there has gone on meanwhile.
                    if let Some(call) = self.threads[m].task {
                        self.end_call(call);
                    }
                }
                self.born(m, task, Who { entry, at: Some(at) }, name);
            }
            Event::Taken { p, task: Some(task) } => self.run(m, Some(p), task),
            Event::Taken { p, task: None } => {
                self.take(m, p);
                self.lay_down(m);
            }
            Event::Given { p, task, why } => self.give(m, p, task, why),
            Event::Limit { count } => {
                self.limit = count;
                self.tell = true;
            }
            Event::User { task, p, ref user } => self.user(m, p, task, user),
        }
    }
}
