//! The thread that does what the scheduler must not: make threads, look at all
//! tasks, print.
//!
//! Nobody in a section may allocate (N1 of `section.rs`), so the scheduler and
//! sysmon [`ask`] for what needs it. What is asked twice before it is done is done
//! once.

use super::{SCHED, crowd, deadlock, quit, spare, watchdog};
use crate::asked::Asked;
use crate::inspect::schedtrace;
use crate::sys::futex;
use crate::sys::thread::Service;
use core::ptr;
use std::io;
use std::time::Duration;

/// What can be asked for; bits.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(super) enum Errand {
    /// An idle worker.
    Spare = 1,
    /// All processors are idle: will one ever be needed again?
    Deadlock = 2,
    /// Does a task hold others up?
    Watchdog = 4,
    /// What do all tasks do?
    Dump = 8,
    /// The same, and the end of the process.
    Quit = 16,
    /// What does the scheduler do?
    Trace = 32,
    /// Are there too many tasks?
    Crowd = 64,
}

/// What is asked for.
static ASKED: Asked = Asked::new();
static THREAD: Service = Service::new();

/// Kernel id of the thread, 0 if it has just been made.
pub(crate) fn thread_id() -> u32 {
    THREAD.id()
}

/// Starts the thread.
pub(super) fn start() -> io::Result<()> {
    // SAFETY: `main` takes no argument and does not unwind.
    unsafe { THREAD.start(main, ptr::null_mut()) }
}

/// Allowed in sections, and in signal handlers.
pub(super) fn ask(errand: Errand) {
    if ASKED.ask(errand as u32) {
        futex::wake(ASKED.futex(), 1);
    }
}

extern "C" fn main(_: *mut libc::c_void) -> *mut libc::c_void {
    THREAD.begin("gopark-errands");
    let mut maker = spare::Maker::new();
    let mut deadlock = deadlock::Checker::new();
    let mut watchdog = watchdog::Watchdog::new();
    let mut tracer = schedtrace::Tracer::new();
    let mut crowd = crowd::Crowd::new();
    let mut left = 0;
    loop {
        let asked = ASKED.take() | left;
        let is = |errand| asked & errand as u32 != 0;
        let mut again: Option<Duration> = None;
        left = 0;
        let mut put_off = |errand, rest: Option<Duration>| {
            if let Some(rest) = rest {
                left |= errand as u32;
                again = Some(again.map_or(rest, |other| other.min(rest)));
            }
        };
        if is(Errand::Dump) {
            quit::dump();
        }
        if is(Errand::Quit) {
            quit::quit();
        }
        if is(Errand::Trace) {
            tracer.print(SCHED.traces_details());
        }
        if is(Errand::Crowd) {
            crowd.look();
        }
        if is(Errand::Spare) {
            put_off(Errand::Spare, maker.make());
        }
        if is(Errand::Deadlock) {
            put_off(Errand::Deadlock, deadlock.look());
        }
        if is(Errand::Watchdog) {
            put_off(Errand::Watchdog, watchdog.look());
        }
        futex::wait(ASKED.futex(), 0, again);
    }
}
