//! The channel that can never be ready (Go: the nil channel).
//!
//! It has no memory: its handles hold no channel, and its waiters stand in no
//! queue. Only a timer or the reaper can wake them.

use crate::inspect::WaitReason;
use crate::sched::park::{self, Park, Wake};
use crate::sys::lock::RawLock;
use crate::task;
use std::panic::Location;
use std::time::Instant;

/// What `park` releases. A static, because the worker may still be unlocking it
/// when the reaper has already made the task run elsewhere and return.
static NOTHING: RawLock = RawLock::new();

/// Why a wait on the channel that is never ready came to an end.
pub(super) enum Ended {
    TimedOut,
    /// The task is being reaped, and its thread panics already, so that it cannot
    /// unwind: the caller returns an error.
    Reaped,
}

/// Parks until the deadline, or for ever.
#[cold]
#[inline(never)]
pub(super) fn park(
    reason: WaitReason,
    deadline: Option<Instant>,
    site: &'static Location<'static>,
) -> Ended {
    task::check_reap();
    let mut how = Park::new(reason, site);
    if let Some(deadline) = deadline {
        how = how.until(deadline);
    }
    NOTHING.lock();
    match park::park(how, &NOTHING) {
        Wake::TimedOut => Ended::TimedOut,
        Wake::Reaped => {
            park::on_reaped();
            Ended::Reaped
        }
        Wake::Ready => unreachable!("a task in no queue was made ready"),
    }
}
