//! What the model knows of each task, processor and thread: what was written of it so far.

use super::said::Region;
use crate::names;
use crate::trace::file::{Batch, Stack};
use core::panic::Location;
use core::ptr;

/// Numbers of states of tasks.
const RUNNABLE: u64 = 1;
const RUNNING: u64 = 2;
const SYSCALL: u64 = 3;
const WAITING: u64 = 4;
/// Numbers of states of processors.
pub(super) const P_RUNNING: u64 = 1;
pub(super) const P_IDLE: u64 = 2;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Runnable,
    /// On a thread with a processor.
    Running(usize),
    /// On a thread without one.
    Call(usize),
    Waiting,
}

impl State {
    pub(super) fn number(self) -> u64 {
        match self {
            State::Runnable => RUNNABLE,
            State::Running(_) => RUNNING,
            State::Call(_) => SYSCALL,
            State::Waiting => WAITING,
        }
    }
}

pub(super) struct Task {
    pub(super) state: State,
    pub(super) seq: u64,
    pub(super) who: Who,
    /// It is none, but an adopted thread.
    pub(super) is_thread: bool,
    /// Its name was written in this generation.
    pub(super) labelled: bool,
    pub(super) name: String,
    /// The innermost last.
    pub(super) regions: Vec<Region>,
    /// What is known in this generation: the number of its stack, or 0; and of where it
    /// was last seen to leave.
    pub(super) stack: u64,
    pub(super) left: Option<Left>,
}

/// Where a task leaves, and the numbers for that.
#[derive(Clone, Copy)]
pub(super) struct Left {
    pub(super) why: &'static str,
    pub(super) site: Option<&'static Location<'static>>,
    pub(super) numbers: (u64, u64),
}

impl Left {
    /// The same texts are mostly in the same place.
    pub(super) fn is(&self, why: &'static str, site: Option<&'static Location<'static>>) -> bool {
        ptr::eq(self.why, why) && self.site.map(ptr::from_ref) == site.map(ptr::from_ref)
    }
}

/// What is known of a task besides its states.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::trace) struct Who {
    pub(in crate::trace) entry: &'static str,
    pub(in crate::trace) at: Option<&'static Location<'static>>,
}

impl Who {
    pub(super) const UNKNOWN: Who = Who { entry: "unknown", at: None };
    pub(super) const THREAD: Who = Who { entry: "thread", at: None };

    pub(super) fn stack(self) -> Stack {
        self.stack_at(None)
    }

    /// Where it was made, if no site is known. Readers group by the name alone, which all
    /// closures of a function share.
    pub(super) fn stack_at(self, site: Option<&'static Location<'static>>) -> Stack {
        let is_closure = names::around_closure(self.entry).is_some();
        let made = self.at.filter(|_| is_closure).map_or(0, Location::line);
        Stack::new(self.entry, made, site.or(self.at))
    }
}

pub(super) struct Processor {
    pub(super) holder: Option<usize>,
    pub(super) seq: u64,
}

pub(super) struct Thread {
    pub(super) batch: Batch,
    pub(super) p: Option<u32>,
    /// Running, or in a call.
    pub(super) task: Option<u64>,
}
