//! The channel that can never be ready (Go: the nil channel).
//!
//! It has no memory: its handles hold no channel, and its waiters stand in no
//! queue. Only a timer or the reaper can wake them.

use crate::sched::park::{self, Alone, Park, Wake};
use crate::task;

/// Why a wait on the channel that is never ready came to an end.
pub(super) enum Ended {
    TimedOut,
    /// The task is being reaped, and its thread panics already, so that it cannot
    /// unwind: the caller returns an error.
    Reaped,
}

/// Parks until the time limit in `how`, or for ever.
#[cold]
#[inline(never)]
pub(super) fn park(how: Park) -> Ended {
    task::arrive();
    match park::park(how, &Alone) {
        Wake::TimedOut => Ended::TimedOut,
        Wake::Reaped => {
            park::on_reaped();
            Ended::Reaped
        }
        Wake::Ready => unreachable!("a task in no queue was made ready"),
    }
}
