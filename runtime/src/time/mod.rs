//! Sleeping, timers, tickers.
//!
//! | Go | here |
//! |---|---|
//! | `time.Sleep` | [`sleep`] |
//! | `time.After` | [`after`] |
//! | `time.NewTimer`, `Stop`, `Reset` | [`Timer`] |
//! | `time.NewTicker`, `Stop`, `Reset` | [`Ticker`] |
//! | `time.AfterFunc` | [`after_func`] |
//! | `context.WithTimeout`, in a way | [`timeout`](fn@timeout) |
//!
//! Times are those of `std::time::Instant`, which stands still while the system is
//! suspended. Nothing fires early; how late, depends on what else there is to do,
//! and an idle system is some fifty microseconds late.
//!
//! # Inside
//!
//! | file | what |
//! |---|---|
//! | `heap` | a heap of four children a node |
//! | `timers` | the heap of a processor: room, stale entries, firing |
//! | `room` | the timer of a park |
//! | `node` | what is behind timers, tickers and functions; why stop is final |
//! | `cover`, `watch` | who sleeps until the earliest timer (proof) |
//! | `timer`, `ticker` | the handles |
//! | `timeout` | a limit for all waits of a function |
//!
//! A timer costs an entry of sixteen bytes in a heap of the processor that its task
//! ran on, and none of the other processors hears of it unless it has nothing else
//! to do. One that is not needed any more stays in the heap until it is due, or
//! until half of the heap is like it. A million timers are like ten, but for the
//! memory, which the heaps keep.

mod heap;
mod node;
mod room;
mod ticker;
mod timeout;
mod timer;
mod timers;
mod watch;

pub(crate) use node::{Node, abandoned};
pub(crate) use room::{Room, arm, give_back, make_room, park_ended};
pub(crate) use timeout::{expire, limit};
pub(crate) use timers::Timers;
pub(crate) use watch::{
    Alarm, idle_are_due, leave_to_sysmon, run_idle, run_others, sleep as sleep_watching,
    watch_while,
};

pub use ticker::Ticker;
pub use timeout::{Elapsed, timeout};
pub use timer::{AfterFunc, Timer, after, after_func};

use crate::inspect::WaitReason;
use crate::sched::park::{self, Alone, Park, Wake};
use crate::sys::clock;
use core::panic::Location;
use std::time::Duration;

/// Parks the running task for at least `duration`; wait reason `sleep`.
///
/// On a thread that is not a task it blocks the thread. Go: `time.Sleep`.
///
/// ```
/// use std::time::{Duration, Instant};
///
/// let start = Instant::now();
/// gopark::go(|| gopark::sleep(Duration::from_millis(5))).join().unwrap();
/// assert!(start.elapsed() >= Duration::from_millis(5));
/// ```
#[track_caller]
pub fn sleep(duration: Duration) {
    let how = Park::new(WaitReason::Sleep, Location::caller()).lasting(duration);
    match park::park(how, &Alone) {
        Wake::Ready | Wake::TimedOut => {}
        Wake::Reaped => park::on_reaped(),
    }
}

/// On the runtime's clock; a time beyond its range is the last but one.
fn clock_after(duration: Duration) -> u64 {
    clock::after(duration).min(u64::MAX - 1)
}
