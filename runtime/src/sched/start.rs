//! How the runtime starts: once, with settings that then stay.

use super::settings::Settings;
use super::{SCHED, errands, processors, quit, signal, spare, sysmon};
use crate::stack::overflow;
use crate::sys::barrier;
use crate::trace::environment;

/// Starts the runtime with its defaults, if it is not running.
#[inline]
pub(crate) fn start_default() {
    if SCHED.started.get().is_none() {
        start(Settings::default_or_fatal);
    }
}

/// Whether the runtime has been started.
pub(crate) fn is_started() -> bool {
    SCHED.started.get().is_some()
}

/// Starts the runtime. `false`: it was running.
pub(super) fn start(settings: impl FnOnce() -> Settings) -> bool {
    let mut first = false;
    SCHED.started.get_or_init(|| {
        first = true;
        let settings = *SCHED.settings.get_or_init(settings);
        settings.apply();
        barrier::init();
        overflow::install();
        quit::install(&settings);
        SCHED.make_room(1, |s| &mut s.fifo);
        if settings.preempt {
            signal::install();
        }
        processors::change(settings.maxprocs);
    });
    if first {
        // Others may have asked for a worker meanwhile: the second thread sees to that.
        if let Err(error) =
            spare::start().and_then(|()| errands::start()).and_then(|()| sysmon::start())
        {
            crate::sys::fatal(format_args!(
                "cannot start a thread: {error}; lower the number of threads of this process or \
                 raise its limit (ulimit -u)"
            ));
        }
        environment::begin(SCHED.settings.get().and_then(|s| s.recorder));
    }
    first
}
