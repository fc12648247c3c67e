//! The thread that makes workers. Go: `templateThread`.
//!
//! Making a thread allocates, which nobody may do who passes a processor on (N1 of
//! `section.rs`). So a *spare*, an idle worker that may run anything, is made ahead:
//! whoever takes the last one from the list of idle workers asks for another.
//!
//! A processor that finds no worker in spite of that goes to the idle ones, with
//! its queues; the run queues keep their place in the FIFO, and whoever comes
//! behind them is served first. The maker looks at both each time it was asked,
//! after it has listed a worker or found one listed, so nothing is left waiting:
//! it sees what was submitted before; who submits later finds a worker (`idle.rs`).

use super::worker::{IDLE, Worker};
use super::{SCHED, find};
use crate::sys::{futex, thread};
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How long the maker waits after the system has refused a thread.
const AGAIN: Duration = Duration::from_millis(100);

/// Counts who asked; the thread's futex.
static ASKED: AtomicU32 = AtomicU32::new(0);
/// Kernel id of the thread; 0 until it runs.
static TID: AtomicU32 = AtomicU32::new(thread::ENDED);

/// Kernel id of the thread, 0 if it has just been made.
pub(crate) fn thread_id() -> u32 {
    TID.load(Ordering::Relaxed)
}

/// Makes the first spare, and starts the thread that makes the others.
pub(super) fn start() -> io::Result<()> {
    launch(SCHED.new_worker(false, IDLE))?;
    TID.store(0, Ordering::Relaxed);
    // SAFETY: `main` takes no argument and does not unwind.
    let started = unsafe { thread::spawn(main, core::ptr::null_mut()) };
    if started.is_err() {
        TID.store(thread::ENDED, Ordering::Relaxed);
    }
    started
}

/// There is no spare any more. Under the scheduler's lock.
pub(super) fn ask() {
    // ORDERING: Relaxed; the maker looks at the list under the scheduler's lock.
    ASKED.fetch_add(1, Ordering::Relaxed);
    futex::wake(&ASKED, 1);
}

extern "C" fn main(_: *mut libc::c_void) -> *mut libc::c_void {
    thread::set_name("gopark-spare");
    TID.store(thread::id(), Ordering::Relaxed);
    let mut refused = None;
    loop {
        let seen = ASKED.load(Ordering::Relaxed);
        let mut rest = None;
        if SCHED.locked(|s| !s.has_idle_worker()) {
            let worker = refused.take().unwrap_or_else(|| SCHED.new_worker(false, IDLE));
            if launch(worker).is_err() {
                refused = Some(worker);
                rest = Some(AGAIN);
            }
        }
        look();
        futex::wait(&ASKED, seen, rest);
    }
}

fn launch(worker: &'static Worker) -> io::Result<()> {
    worker.try_launch()?;
    // From here on it can be given a processor; its thread takes it when it runs.
    SCHED.locked(|s| s.list_idle(worker));
    Ok(())
}

/// Sees what found no worker before.
fn look() {
    SCHED.locked(|s| s.serve(&SCHED.idle)).send();
    SCHED.idle.before_last_look();
    if SCHED.has_work() {
        find::wake_one();
    }
}
