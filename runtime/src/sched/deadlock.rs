//! The end of a program in which nobody can go on. Go: `checkdead`.
//!
//! Under [`gopark::run`](crate::run), when sysmon finds all processors idle, it asks
//! for a [`check`]. That looks at every task and every adopted thread twice. If at
//! both looks all of them were parked where only another of them could wake them,
//! none had a timer, no timer was set, and there was no thread in the process that
//! nothing is known of, and if each was in one state all the time between the
//! looks, then nothing that could have changed that was there at the first look,
//! and so nothing came: they stand still for ever.
//!
//! A thread that nothing is known of may end, and then nobody tells; so while there
//! is such a one, or an adopted thread that is not parked, the check is repeated,
//! rarely. In a test harness there is no such check: the harness goes on, and
//! whether a test left something is the leak check's question.

use super::SCHED;
use crate::inspect;
use crate::sys::{barrier, clock, program};
use crate::task::record::{TaskId, flag};
use crate::task::{adopt, registry, scope};
use crate::trace::environment;
use crate::trace::recorder::{self, Failure};
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How soon a check is repeated, at the earliest; and after how many times the time
/// that it takes.
const AGAIN: Duration = Duration::from_secs(1);
const REST: u32 = 100;

/// Calls of `run` under way.
static RUNS: AtomicUsize = AtomicUsize::new(0);

/// A call of `run`, as long as this lives.
pub(crate) struct Run(());

impl Run {
    pub(crate) fn begin() -> Run {
        RUNS.fetch_add(1, Ordering::Relaxed);
        Run(())
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        RUNS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Does anybody want to know?
pub(super) fn is_asked() -> bool {
    RUNS.load(Ordering::Relaxed) != 0 && !adopt::has_harness()
}

/// What one look found.
enum Look {
    /// Everybody is parked: who, and in which state.
    Still(Vec<(TaskId, u64)>),
    /// A task can go on, or somebody will wake one: then a processor is needed.
    Moves,
    /// A thread could.
    Thread,
}

fn look() -> Look {
    barrier::heavy();
    let mut still = Vec::new();
    let (mut moves, mut thread) = (false, false);
    registry::each(|record| match record.blocked() {
        Some((id, stamp, true)) => still.push((id, stamp)),
        _ if record.has(flag::THREAD) => thread = true,
        _ => moves = true,
    });
    still.sort_unstable();
    // After the tasks: who was woken by a timer meanwhile is in another state at the
    // next look.
    moves |= scope::all_timers(|_, _| true) != 0;
    if moves {
        Look::Moves
    } else if thread || !inspect::foreign_threads().is_empty() {
        Look::Thread
    } else {
        Look::Still(still)
    }
}

/// Ends the process if nobody can go on. When to look again, if nobody would ask
/// for it.
pub(super) fn check() -> Option<Duration> {
    if !is_asked() || !SCHED.all_idle() {
        return None;
    }
    let start = clock::now();
    match look() {
        Look::Still(before) if !before.is_empty() => {
            if let Look::Still(after) = look()
                && after == before
                && is_asked()
            {
                end();
            }
            None
        }
        Look::Still(_) | Look::Moves => None,
        Look::Thread => {
            let took = Duration::from_nanos(clock::now() - start);
            Some(AGAIN.max(took * REST))
        }
    }
}

/// Go's last words, and its exit status.
fn end() -> ! {
    let dump = inspect::dump();
    let recorded = recorder::write(Failure::Deadlock);
    let recorded = recorded.map_or(String::new(), |line| format!("\n{line}\n"));
    environment::end();
    let text = format!("fatal error: all goroutines are asleep - deadlock!\n\n{dump}{recorded}");
    program::say(text.as_bytes());
    let _ = std::io::stdout().flush();
    program::end(2)
}
