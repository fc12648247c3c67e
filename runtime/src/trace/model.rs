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
//! # Who has no processor
//! An event that needs a running task may come from a thread without a processor: an
//! adopted thread starts a task, a task logs inside of [`blocking`](crate::blocking).
//! Such a thread gets the processor [`GUEST`] for that moment.

use super::file::{Batch, Generation, Stack, ev};
use crate::sched::observe::{Birth, Event, Given, Leave, User};
use crate::task::names;
use crate::task::reason::WaitReason;
use core::panic::Location;
use core::ptr;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// The number of a processor that no worker has.
const GUEST: u32 = crate::sched::processors::MOST as u32;

/// The thread that stands for all that are no workers; workers come behind it.
pub(super) const OUTSIDE: usize = 0;

/// Numbers of states of tasks.
const RUNNABLE: u64 = 1;
const RUNNING: u64 = 2;
const SYSCALL: u64 = 3;
const WAITING: u64 = 4;
/// Numbers of states of processors.
const P_RUNNING: u64 = 1;
const P_IDLE: u64 = 2;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Runnable,
    /// On a thread with a processor.
    Running(usize),
    /// On a thread without one.
    Call(usize),
    Waiting,
}

impl State {
    fn number(self) -> u64 {
        match self {
            State::Runnable => RUNNABLE,
            State::Running(_) => RUNNING,
            State::Call(_) => SYSCALL,
            State::Waiting => WAITING,
        }
    }
}

struct Task {
    state: State,
    seq: u64,
    who: Who,
    /// It is none, but an adopted thread.
    is_thread: bool,
    /// Its name was written in this generation.
    labelled: bool,
    name: String,
    /// The innermost last.
    regions: Vec<Region>,
    /// What is known in this generation: the number of its stack, or 0; and of where it
    /// was last seen to leave.
    stack: u64,
    left: Option<Left>,
}

/// Where a task leaves, and the numbers for that.
#[derive(Clone, Copy)]
struct Left {
    why: &'static str,
    site: Option<&'static Location<'static>>,
    numbers: (u64, u64),
}

impl Left {
    /// The same texts are mostly in the same place.
    fn is(&self, why: &'static str, site: Option<&'static Location<'static>>) -> bool {
        ptr::eq(self.why, why) && self.site.map(ptr::from_ref) == site.map(ptr::from_ref)
    }
}

struct Region {
    id: u64,
    task: u64,
    name: String,
}

/// What is known of a task besides its states.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Who {
    pub(super) entry: &'static str,
    pub(super) at: Option<&'static Location<'static>>,
}

impl Who {
    const UNKNOWN: Who = Who { entry: "unknown", at: None };
    const THREAD: Who = Who { entry: "thread", at: None };

    fn stack(self) -> Stack {
        match self.at {
            Some(at) => Stack::new(self.entry, at),
            None => Stack { function: self.entry, file: "unknown", line: 0 },
        }
    }

    fn stack_at(self, site: Option<&'static Location<'static>>) -> Stack {
        site.map_or_else(|| self.stack(), |site| Stack::new(self.entry, site))
    }
}

struct Processor {
    holder: Option<usize>,
    seq: u64,
}

struct Thread {
    batch: Batch,
    p: Option<u32>,
    /// Running, or in a call.
    task: Option<u64>,
}

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

    /// A task that there is.
    pub(super) fn hint(&mut self, task: u64, who: Who) {
        self.hints.insert(task, who);
    }

    /// All hints were given. `still`: tasks that were in a state, waiting or not, all
    /// the time unless something was heard of them; and what workers, their processors
    /// and tasks seemed to be.
    pub(super) fn settle_hints(
        &mut self,
        still: impl Iterator<Item = (u64, bool)>,
        workers: impl Iterator<Item = (usize, u32, u64)>,
    ) {
        for (task, waits) in still {
            if !self.tasks.contains_key(&task) {
                let state = if waits { State::Waiting } else { State::Runnable };
                self.state_task(OUTSIDE, task, state);
            }
        }
        for (m, p, task) in workers {
            let unheard = !self.tasks.contains_key(&task) && !self.processors.contains_key(&p);
            self.thread(m);
            if unheard && self.threads[m].p.is_none() && self.threads[m].task.is_none() {
                self.run(m, Some(p), task);
            }
        }
        self.hints = FxHashMap::default();
    }

    /// Ends the generation and begins another. The one that has ended, and how many events
    /// there were in all.
    pub(super) fn turn_over(&mut self, now: u64) -> (Generation, u64) {
        self.now = self.now.max(now);
        let events = self.events;
        self.threads.iter_mut().for_each(|thread| self.out.flush(&mut thread.batch));
        self.number += 1;
        let next = Generation::new(self.number, self.now);
        let mut ended = std::mem::replace(&mut self.out, next);
        ended.finish(self.now);
        self.first = false;
        self.began = self.now;
        self.restate();
        (ended, events)
    }

    /// States everything that exists: processors and what runs on them first.
    fn restate(&mut self) {
        for m in 0..self.threads.len() {
            if let Some(p) = self.threads[m].p {
                self.emit(m, ev::PROC_STATUS, &[p.into(), P_RUNNING]);
            }
        }
        let idle: Vec<u32> =
            self.processors.iter().filter(|(_, p)| p.holder.is_none()).map(|(&n, _)| n).collect();
        for p in idle {
            self.emit(OUTSIDE, ev::PROC_STATUS, &[p.into(), P_IDLE]);
        }
        self.processors.values_mut().for_each(|p| p.seq = 0);
        let mut tasks: Vec<u64> = self.tasks.keys().copied().collect();
        tasks.sort_unstable();
        for id in tasks {
            let task = self.tasks.get_mut(&id).expect("listed");
            (task.seq, task.labelled, task.stack, task.left) = (0, false, 0, None);
            self.say_state(id);
        }
        self.tell = true;
    }

    fn say_state(&mut self, id: u64) {
        let task = &self.tasks[&id];
        let m = match task.state {
            State::Running(m) | State::Call(m) => m,
            State::Runnable | State::Waiting => OUTSIDE,
        };
        let (number, stack) = (task.state.number(), self.stack(id));
        self.emit(m, ev::GO_STATUS_STACK, &[id, m as u64, number, stack]);
    }

    /// Ends the tasks that exist no more, after some entries were lost.
    pub(super) fn forget(&mut self, alive: impl Fn(u64) -> bool) {
        let gone = self.tasks.iter().filter(|(id, task)| !task.is_thread && !alive(**id));
        let mut gone: Vec<u64> = gone.map(|(&id, _)| id).collect();
        gone.sort_unstable();
        for id in gone {
            let end = |model: &mut Model, m| model.leave(m, id, &Leave::Ends);
            // The end of another one may have changed it.
            match self.tasks[&id].state {
                State::Running(m) => end(self, m),
                State::Call(m) => self.as_guest(m, Some(id), |model| end(model, m)),
                State::Runnable | State::Waiting => {
                    self.as_guest(OUTSIDE, Some(id), |model| end(model, OUTSIDE));
                }
            }
        }
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

    /// The task becomes known in a state.
    fn state_task(&mut self, m: usize, id: u64, state: State) {
        let who = self.hints.get(&id).copied().unwrap_or(Who::UNKNOWN);
        self.add(id, state, who, String::new());
        if self.first {
            let stack = self.out.stack(who.stack());
            self.emit(m, ev::GO_STATUS_STACK, &[id, m as u64, state.number(), stack]);
        } else {
            // It is stated as one that was made just now.
            debug_assert_eq!(state, State::Runnable);
            let stack = self.out.stack(who.stack());
            self.with_processor(m, |model| model.emit(m, ev::GO_CREATE, &[id, stack, 0]));
        }
    }

    fn add(&mut self, id: u64, state: State, who: Who, name: String) {
        let is_thread = who == Who::THREAD;
        let task = Task {
            state,
            seq: 0,
            who,
            is_thread,
            labelled: false,
            name,
            regions: Vec::new(),
            stack: 0,
            left: None,
        };
        self.tasks.insert(id, task);
    }

    fn born(&mut self, m: usize, id: u64, who: Who, name: &str) {
        if let Some(task) = self.tasks.get_mut(&id) {
            // Its start was read first.
            (task.who, task.stack, task.left) = (who, 0, None);
            return;
        }
        let new = self.out.stack(who.stack());
        // A closure's name begins with that of the function that it is written in.
        let maker = match names::around_closure(who.entry) {
            Some(function) => function,
            None => self.threads[m].task.map_or("unknown", |id| self.tasks[&id].who.entry),
        };
        let stack = self.out.stack(Who { entry: maker, at: who.at }.stack());
        self.with_processor(m, |model| model.emit(m, ev::GO_CREATE, &[id, new, stack]));
        self.add(id, State::Runnable, who, name.to_owned());
    }

    /// Calls `f` while the thread has a processor, its own or as a guest.
    fn with_processor(&mut self, m: usize, f: impl FnOnce(&mut Model)) {
        match self.thread(m).p {
            Some(_) => f(self),
            None => {
                let task = self.threads[m].task;
                self.as_guest(m, task, f);
            }
        }
    }

    /// Calls `f` while the thread has [`GUEST`], and the task, if there is one, runs
    /// there; afterwards it is what it was, unless `f` ended that.
    fn as_guest(&mut self, m: usize, task: Option<u64>, f: impl FnOnce(&mut Model)) {
        // It has none that we know of, or none any more.
        self.drop_processor(m);
        let other = self.threads[m].task.filter(|_| self.threads[m].task != task);
        if let Some(other) = other {
            self.end_call(other);
        }
        match task {
            Some(task) => self.run(m, Some(GUEST), task),
            None => self.take(m, GUEST),
        }
        f(self);
        match task.filter(|id| self.tasks.get(id).is_some_and(|t| t.state == State::Running(m))) {
            Some(id) if m == OUTSIDE => self.block(m, id, "thread", None),
            Some(id) => self.begin_call(m, id, None),
            None => {}
        }
        self.drop_processor(m);
        if let Some(other) = other {
            // In a call it was, and is again.
            self.run(m, Some(GUEST), other);
            self.begin_call(m, other, None);
            self.drop_processor(m);
        }
    }

    /// The thread has the processor, and nobody else.
    fn take(&mut self, m: usize, p: u32) {
        if self.thread(m).p == Some(p) {
            return;
        }
        self.drop_processor(m);
        match self.processors.get(&p).map(|p| p.holder) {
            None => {
                self.processors.insert(p, Processor { holder: None, seq: 0 });
                if self.first && p != GUEST && self.threads[m].task.is_none() {
                    self.processors.get_mut(&p).expect("just made").holder = Some(m);
                    self.threads[m].p = Some(p);
                    return self.emit(m, ev::PROC_STATUS, &[p.into(), P_RUNNING]);
                }
                self.emit(m, ev::PROC_STATUS, &[p.into(), P_IDLE]);
            }
            Some(Some(other)) => self.drop_processor(other),
            Some(None) => {}
        }
        let processor = self.processors.get_mut(&p).expect("known");
        processor.seq += 1;
        processor.holder = Some(m);
        let seq = processor.seq;
        self.threads[m].p = Some(p);
        self.emit(m, ev::PROC_START, &[p.into(), seq]);
    }

    /// The thread has no processor; if a task ran there it is runnable.
    fn drop_processor(&mut self, m: usize) {
        let Some(p) = self.threads[m].p else { return };
        if let Some(id) = self.threads[m].task
            && self.tasks[&id].state == State::Running(m)
        {
            self.stop(m, id, "lost", None);
        }
        self.emit(m, ev::PROC_STOP, &[]);
        self.threads[m].p = None;
        self.processors.get_mut(&p).expect("known").holder = None;
    }

    /// No task is on the thread.
    fn lay_down(&mut self, m: usize) {
        if let Some(id) = self.threads[m].task {
            self.make_runnable(m, id);
        }
    }

    /// The task is runnable and on no thread.
    fn make_runnable(&mut self, m: usize, id: u64) {
        match self.tasks.get(&id).map(|task| task.state) {
            None => self.state_task(m, id, State::Runnable),
            Some(State::Runnable) => {}
            Some(State::Waiting) => self.ready(m, id),
            Some(State::Call(_)) => self.end_call(id),
            Some(State::Running(other)) => self.stop(other, id, "lost", None),
        }
    }

    /// The task starts on the thread.
    fn run(&mut self, m: usize, p: Option<u32>, id: u64) {
        self.take(m, p.unwrap_or(GUEST));
        if let Some(other) = self.threads[m].task {
            if other == id && self.tasks[&id].state == State::Running(m) {
                return;
            }
            self.make_runnable(m, other);
        }
        let task = match self.tasks.get_mut(&id) {
            Some(task) if task.state == State::Runnable => task,
            _ => {
                self.make_runnable(m, id);
                self.tasks.get_mut(&id).expect("runnable")
            }
        };
        task.state = State::Running(m);
        task.seq += 1;
        let label = (!task.labelled && !task.name.is_empty()).then(|| task.name.clone());
        task.labelled = true;
        let seq = task.seq;
        self.threads[m].task = Some(id);
        self.emit(m, ev::GO_START, &[id, seq]);
        if std::mem::take(&mut self.tell) {
            self.emit(m, ev::PROCS_CHANGE, &[self.limit.into(), 0]);
        }
        if let Some(label) = label {
            let label = self.out.string(&label);
            self.emit(m, ev::GO_LABEL, &[label]);
        }
    }

    /// The task runs on the thread already, or it was missed that it does.
    fn be_running(&mut self, m: usize, p: u32, id: u64) {
        self.take(m, p);
        if self.first && self.threads[m].task.is_none() && !self.tasks.contains_key(&id) {
            self.state_task(m, id, State::Running(m));
            self.threads[m].task = Some(id);
            return;
        }
        self.run(m, Some(p), id);
    }

    /// The running task leaves.
    fn leave(&mut self, m: usize, id: u64, how: &Leave) {
        match *how {
            Leave::Yields => self.stop(m, id, "runtime.Gosched", None),
            Leave::GivesWay => self.stop(m, id, "preempted", None),
            Leave::Parks { reason, site } => self.block(m, id, words(reason), site),
            Leave::Ends => {
                self.emit(m, ev::GO_DESTROY, &[]);
                self.tasks.remove(&id);
                self.threads[m].task = None;
            }
        }
    }

    fn stop(
        &mut self,
        m: usize,
        id: u64,
        why: &'static str,
        site: Option<&'static Location<'static>>,
    ) {
        self.off(m, id, ev::GO_STOP, State::Runnable, why, site);
    }

    fn block(
        &mut self,
        m: usize,
        id: u64,
        why: &'static str,
        site: Option<&'static Location<'static>>,
    ) {
        self.off(m, id, ev::GO_BLOCK, State::Waiting, why, site);
    }

    fn off(
        &mut self,
        m: usize,
        id: u64,
        kind: u8,
        state: State,
        why: &'static str,
        site: Option<&'static Location<'static>>,
    ) {
        let task = self.tasks.get_mut(&id).expect("a task that runs");
        task.state = state;
        let (why, stack) = match task.left.filter(|left| left.is(why, site)) {
            Some(left) => left.numbers,
            None => {
                let stack = task.who.stack_at(site);
                let numbers = (self.out.word(why), self.out.stack(stack));
                task.left = Some(Left { why, site, numbers });
                numbers
            }
        };
        self.threads[m].task = None;
        self.emit(m, kind, &[why, stack]);
    }

    fn ready(&mut self, m: usize, id: u64) {
        match self.tasks.get_mut(&id) {
            Some(task) if task.state == State::Waiting => {
                task.state = State::Runnable;
                task.seq += 1;
                let seq = task.seq;
                let stack = self.threads[m].task.map_or(0, |waker| self.stack(waker));
                self.emit(m, ev::GO_UNBLOCK, &[id, seq, stack]);
            }
            Some(_) => {}
            None if self.first => {
                self.state_task(m, id, State::Waiting);
                self.ready(m, id);
            }
            // Its start will tell of it.
            None => {}
        }
    }

    /// The number of the stack that stands for a task.
    fn stack(&mut self, id: u64) -> u64 {
        let task = self.tasks.get_mut(&id).expect("known");
        if task.stack == 0 {
            task.stack = self.out.stack(task.who.stack());
        }
        task.stack
    }

    /// The running task's thread will have no processor.
    fn begin_call(&mut self, m: usize, id: u64, site: Option<&'static Location<'static>>) {
        let p = self.threads[m].p.expect("a task that runs has a processor");
        let task = self.tasks.get_mut(&id).expect("a task that runs");
        task.state = State::Call(m);
        let stack = task.who.stack_at(site);
        let stack = self.out.stack(stack);
        let processor = self.processors.get_mut(&p).expect("known");
        processor.seq += 1;
        let seq = processor.seq;
        self.emit(m, ev::SYSCALL_BEGIN, &[seq, stack]);
    }

    /// The task is in a call no more, and runnable.
    fn end_call(&mut self, id: u64) {
        let task = self.tasks.get_mut(&id).expect("a task in a call");
        if let State::Call(m) = task.state {
            task.state = State::Runnable;
            self.threads[m].task = None;
            self.emit(m, ev::SYSCALL_END_BLOCKED, &[]);
        }
    }

    /// The worker gives the processor up.
    fn give(&mut self, m: usize, p: u32, task: Option<u64>, why: Given) {
        match task {
            Some(id) => {
                self.be_running(m, p, id);
                match why {
                    Given::Call(site) => self.begin_call(m, id, site),
                    Given::Suspended | Given::Idle => self.stop(m, id, "preempted", None),
                }
            }
            None => {
                self.take(m, p);
                self.lay_down(m);
            }
        }
        self.drop_processor(m);
    }

    fn user(&mut self, m: usize, p: Option<u32>, id: u64, user: &User) {
        match p {
            Some(p) => {
                self.be_running(m, p, id);
                self.say(m, id, user);
            }
            None => {
                if m == OUTSIDE && !self.hints.contains_key(&id) && !self.tasks.contains_key(&id) {
                    self.hints.insert(id, Who::THREAD);
                }
                self.as_guest(m, Some(id), |model| model.say(m, id, user));
            }
        }
    }

    fn say(&mut self, m: usize, id: u64, user: &User) {
        let stack = self.stack(id);
        match user {
            User::TaskBegin { id: of, parent, name } => {
                let name = self.out.string(name);
                self.emit(m, ev::TASK_BEGIN, &[*of, *parent, name, stack]);
            }
            User::TaskEnd { id: of } => self.emit(m, ev::TASK_END, &[*of, stack]),
            User::RegionBegin { task: of, id: region, name } => {
                let region = Region { id: *region, task: *of, name: name.clone() };
                self.tasks.get_mut(&id).expect("runs").regions.push(region);
                let name = self.out.string(name);
                self.emit(m, ev::REGION_BEGIN, &[*of, name, stack]);
            }
            User::RegionEnd { id: region } => {
                let regions = &mut self.tasks.get_mut(&id).expect("runs").regions;
                let Some(n) = regions.iter().position(|open| open.id == *region) else { return };
                // Regions end in the reverse order of their beginnings.
                for Region { task: of, name, .. } in regions.split_off(n).into_iter().rev() {
                    let name = self.out.string(&name);
                    self.emit(m, ev::REGION_END, &[of, name, stack]);
                }
            }
            User::Log { task: of, category, message } => {
                let (key, value) = (self.out.string(category), self.out.string(message));
                self.emit(m, ev::LOG, &[*of, key, value, stack]);
            }
        }
    }
}

/// What Go's profiles group on: `network`, and whatever contains `chan`, `sync` or
/// `select`; a wait that nothing ends is `forever`.
fn words(reason: WaitReason) -> &'static str {
    match reason {
        WaitReason::IoWait => "network",
        WaitReason::Join => "sync (join)",
        WaitReason::ChanReceiveNil | WaitReason::ChanSendNil | WaitReason::SelectNoCases => {
            "forever"
        }
        other => other.as_str(),
    }
}
