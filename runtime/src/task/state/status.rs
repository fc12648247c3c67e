//! The states of a task: their numbers, which are Go's, and their words.

use super::reading::STATUS;

/// The states of a task, with Go's numbers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
#[repr(u8)]
pub enum Status {
    /// The record was just allocated.
    Idle = 0,
    /// In a queue.
    Runnable = 1,
    /// On a worker that holds a processor.
    Running = 2,
    /// In a blocking call, without a processor.
    Syscall = 3,
    /// Parked; reason and site are set.
    Waiting = 4,
    /// Finished; the record is kept for reuse.
    Dead = 6,
    /// Parked, and its stack is being trimmed or extended.
    CopyStack = 8,
    /// Suspended by the signal, waiting for a processor.
    Preempted = 9,
    /// Parked, and judged never to wake; a late wake-up still works.
    Leaked = 10,
}

impl Status {
    /// Go's word for the state, as dumps print it.
    ///
    /// ```
    /// assert_eq!(gopark::inspect::Status::Runnable.as_str(), "runnable");
    /// ```
    pub const fn as_str(self) -> &'static str {
        match self {
            Status::Idle => "idle",
            Status::Runnable => "runnable",
            Status::Running => "running",
            Status::Syscall => "syscall",
            Status::Waiting => "waiting",
            Status::Dead => "dead",
            Status::CopyStack => "copystack",
            Status::Preempted => "preempted",
            Status::Leaked => "leaked",
        }
    }

    pub(super) fn from_bits(word: u64) -> Status {
        match word & STATUS {
            0 => Status::Idle,
            1 => Status::Runnable,
            2 => Status::Running,
            3 => Status::Syscall,
            4 => Status::Waiting,
            6 => Status::Dead,
            8 => Status::CopyStack,
            9 => Status::Preempted,
            10 => Status::Leaked,
            n => unreachable!("status {n} does not exist"),
        }
    }
}
