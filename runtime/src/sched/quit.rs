//! Signals on which the process says what its tasks do. Go: SIGQUIT.
//!
//! The handler only asks for it: it may have interrupted anything, and the thread that it
//! runs on may hold any lock. The thread for errands writes. When the process is to end
//! with it and that thread does not come to it, because somebody holds malloc's lock for
//! ever, say, the second such signal ends the process without a word.

use super::errands::{self, Errand};
use super::settings::Settings;
use crate::inspect;
use crate::sys::{fatal, program, signal};
use crate::trace::environment;
use std::sync::atomic::{AtomicBool, Ordering};

static ENDS: AtomicBool = AtomicBool::new(false);

/// Installs the handlers that are wanted. SIGQUIT stays the program's own if it has said
/// what it wants with it.
pub(super) fn install(settings: &Settings) {
    if settings.quit && signal::is_default(libc::SIGQUIT) {
        // There is such a signal.
        let _ = signal::on(libc::SIGQUIT, on_quit);
    }
    if let Some(chosen) = settings.dump_signal
        && let Err(error) = signal::on(chosen, on_chosen)
    {
        fatal(format_args!("GOPARK_DEBUG has dumpsignal={chosen}: {error}"));
    }
}

extern "C" fn on_quit(_: libc::c_int) {
    signal::keep_errno(|| {
        if ENDS.swap(true, Ordering::Relaxed) {
            program::end(STATUS);
        }
        errands::ask(Errand::Quit);
    });
}

extern "C" fn on_chosen(_: libc::c_int) {
    signal::keep_errno(|| errands::ask(Errand::Dump));
}

/// Go's.
const STATUS: i32 = 2;

/// Writes what all tasks do, so that two such texts are two, and what the program says
/// after it does not belong to it.
pub(super) fn dump() {
    program::say(format!("dump signal\n\n{}\n", inspect::dump()).as_bytes());
}

/// The same as the last thing of the process.
pub(super) fn quit() -> ! {
    environment::end();
    program::say(format!("SIGQUIT: quit\n\n{}", inspect::dump()).as_bytes());
    program::end(STATUS)
}
