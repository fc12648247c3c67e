//! The first and the last steps of a task, on its own stack.

use super::packet::{self, ExitToken};
use super::record::{Record, flag};
use super::{registry, running, scope};
use crate::arch;
use crate::sched::worker::{self, After};
use crate::sched::{blocking, park, preempt};
use crate::time;

/// Where every task starts. Never returns and never unwinds (A2): an unwind out
/// of an `extern "C"` function aborts.
pub(crate) extern "C" fn main() -> ! {
    let record = running().expect("a task runs").record();
    // That of the worker's loop, which has switched to here.
    arch::leave_section();
    end(record);
    // The worker needs a processor to bury the task.
    blocking::reattach(record);
    let worker = worker::current().expect("a task runs on a worker");
    worker.leave(record, After::Exit);
    crate::sys::fatal(format_args!("task {} was started after its end", record.id()))
}

/// Runs the task's function and disposes of what nobody wants. Everything that
/// runs user code or frees memory happens here, before the last switch.
fn end(record: &'static Record) {
    let care = (record.meta().run)(record);
    if care && record.join.ready() {
        packet::dispose_here(record);
    }
    scope::leave_all(record);
    time::give_back(record);
    drop_extra(record);
}

/// Drops a task's name and labels when it has ended, or is not to begin.
pub(super) fn drop_extra(record: &'static Record) {
    if record.has_extra() {
        // Dropped after the lock is released.
        let _extra = registry::with_lock(|| record.take_extra());
    }
}

/// Ends the running task: unwinds its stack, so that destructors run, and
/// nothing else. Joining it gives [`JoinError::Exited`](crate::JoinError::Exited).
///
/// Go: `runtime.Goexit`. A `catch_unwind` on the way stops it like any unwind.
///
/// # Panics
/// If called outside of a task, or with `panic = "abort"`, where nothing can
/// be unwound.
///
/// ```
/// let outcome = gopark::go(|| -> u32 { gopark::goexit() }).join();
/// assert!(matches!(outcome, Err(gopark::JoinError::Exited)));
/// ```
pub fn goexit() -> ! {
    assert!(running().is_some(), "gopark::goexit called outside of a task");
    if cfg!(not(panic = "unwind")) {
        panic!("gopark::goexit needs panic = \"unwind\": return from the task's function instead");
    }
    std::panic::resume_unwind(Box::new(ExitToken))
}

/// Lets other tasks run: the running one goes behind all that are ready.
///
/// Go: `runtime.Gosched`. On a thread that is not a task it is
/// `std::thread::yield_now`.
///
/// ```
/// gopark::yield_now();
/// ```
#[inline]
pub fn yield_now() {
    match worker::current().and_then(|w| Some((w, w.running()?))) {
        Some((worker, task)) => {
            let marked = task.has(flag::REAP | flag::PREEMPT);
            if (marked || task.no_park.get() != 0) && !may_yield(task) {
                return;
            }
            park::leave(worker, task, After::Requeue);
        }
        None => std::thread::yield_now(),
    }
}

/// The rare conditions. `false`: it must not, or has done so and come back.
#[cold]
fn may_yield(task: &'static Record) -> bool {
    super::check_reap();
    if task.no_park.get() != 0 {
        park::on_reaped();
        return false;
    }
    !task.has(flag::PREEMPT) || !preempt::give_way(task)
}

/// Lets other tasks run if the running one has had its slice, ten milliseconds,
/// and others wait for its processor or its worker; else it returns at once. For
/// long computations, which would hold the others up.
///
/// It costs one to two nanoseconds, so that it can stand in an inner loop; on a
/// thread that is not a task it does nothing. [`yield_now`] is for those who know
/// that it is the others' turn: it always switches, which costs more and leaves
/// the cache to somebody else. [`cooperative`](macro@crate::cooperative) puts a
/// safepoint into every loop of a function.
///
/// Channel operations, locks, wait groups and [`go`](crate::go) are safepoints too,
/// when they need not wait as well. Inside [`no_park`](crate::no_park) nothing
/// happens.
///
/// ```
/// let sum = gopark::go(|| {
///     let mut sum = 0_u64;
///     for n in 0..1_000_000 {
///         sum = sum.wrapping_mul(31) ^ n;
///         gopark::safepoint();
///     }
///     sum
/// });
/// sum.join().unwrap();
/// ```
#[inline]
pub fn safepoint() {
    if let Some(task) = running() {
        task.attend();
    }
}
