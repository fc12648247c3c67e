//! How tasks and processors go from one state to another.
//!
//! Each move first brings about what a strict reader demands for it, by other moves, and
//! then writes its event and keeps the new state: never one without the other. It may be
//! asked for in any state.
//!
//! A thread's `task` is the one that is running on it or in a call from it, and that task's
//! state names the thread; a thread's `p` is the processor whose holder it is.

use super::known::{Left, P_IDLE, P_RUNNING, Processor, State, Task, Who};
use super::{GUEST, Model, OUTSIDE};
use crate::names;
use crate::sched::observe::{Given, Leave};
use crate::task::reason::WaitReason;
use crate::trace::file::{Stack, ev};
use core::panic::Location;

impl Model {
    pub(super) fn born(&mut self, m: usize, id: u64, who: Who, name: &str) {
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
        let stack = self.out.stack(Stack::new(maker, 0, who.at));
        self.with_processor(m, |model| model.emit(m, ev::GO_CREATE, &[id, new, stack]));
        self.add(id, State::Runnable, who, name.to_owned());
    }

    pub(super) fn add(&mut self, id: u64, state: State, who: Who, name: String) {
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

    /// Calls `f` while the thread has a processor, its own or as a guest.
    pub(super) fn with_processor(&mut self, m: usize, f: impl FnOnce(&mut Model)) {
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
    pub(super) fn as_guest(&mut self, m: usize, task: Option<u64>, f: impl FnOnce(&mut Model)) {
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
    pub(super) fn take(&mut self, m: usize, p: u32) {
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
    pub(super) fn lay_down(&mut self, m: usize) {
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
    pub(super) fn run(&mut self, m: usize, p: Option<u32>, id: u64) {
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
    pub(super) fn be_running(&mut self, m: usize, p: u32, id: u64) {
        self.take(m, p);
        if self.first && self.threads[m].task.is_none() && !self.tasks.contains_key(&id) {
            self.state_task(m, id, State::Running(m));
            self.threads[m].task = Some(id);
            return;
        }
        self.run(m, Some(p), id);
    }

    /// The running task leaves.
    pub(super) fn leave(&mut self, m: usize, id: u64, how: &Leave) {
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

    pub(super) fn ready(&mut self, m: usize, id: u64) {
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
    pub(super) fn stack(&mut self, id: u64) -> u64 {
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
    pub(super) fn end_call(&mut self, id: u64) {
        let task = self.tasks.get_mut(&id).expect("a task in a call");
        if let State::Call(m) = task.state {
            task.state = State::Runnable;
            self.threads[m].task = None;
            self.emit(m, ev::SYSCALL_END_BLOCKED, &[]);
        }
    }

    /// The worker gives the processor up.
    pub(super) fn give(&mut self, m: usize, p: u32, task: Option<u64>, why: Given) {
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
