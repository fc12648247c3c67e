//! What is stated at the beginning: of the trace, and of each generation.
//!
//! A reader forgets everything between two generations, so each states all that exists,
//! processors and what runs on them first. In the first one a task may be stated when it is
//! first heard of, in the state that it then was in; later it can only be made.

use super::known::{P_IDLE, P_RUNNING, State, Who};
use super::{Model, OUTSIDE};
use crate::sched::observe::Leave;
use crate::trace::file::{Generation, ev};
use rustc_hash::FxHashMap;

impl Model {
    /// A task that there is.
    pub(in crate::trace) fn hint(&mut self, task: u64, who: Who) {
        self.hints.insert(task, who);
    }

    /// All hints were given. `still`: tasks that were in a state, waiting or not, all
    /// the time unless something was heard of them; and what workers, their processors
    /// and tasks seemed to be.
    pub(in crate::trace) fn settle_hints(
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
    pub(in crate::trace) fn turn_over(&mut self, now: u64) -> (Generation, u64) {
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

    /// The task becomes known in a state.
    pub(super) fn state_task(&mut self, m: usize, id: u64, state: State) {
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

    /// Ends the tasks that exist no more, after some entries were lost.
    pub(in crate::trace) fn forget(&mut self, alive: impl Fn(u64) -> bool) {
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
}
