//! gopark, in either mode.
//!
//! Invariant 1: no stack frame of this program's gopark bodies touches a
//! thread-local on both sides of a park. They use gopark's own primitives,
//! atomics and the allocator, and the allocator is never entered across a
//! park. Output is written by the main thread, after the last task.

use std::time::Duration;

use gopark::runtime::Config;

use crate::workload::Mode;

/// Starts the runtime; before the first task of the process.
pub(crate) fn start(mode: Mode, procs: u32) -> Result<(), String> {
    start_with(mode, Config::new().maxprocs(procs as usize))
}

/// With slices of another length than usual.
pub(crate) fn start_sliced(mode: Mode, procs: u32, slice: Duration) -> Result<(), String> {
    start_with(mode, Config::new().maxprocs(procs as usize).slice(slice))
}

fn start_with(mode: Mode, config: Config) -> Result<(), String> {
    let config = match mode {
        Mode::Default => config,
        // SAFETY: invariant 1.
        Mode::Migrating => unsafe { config.migrating() },
    };
    config.start().map_err(|why| format!("gopark did not start: {why}"))
}

/// Runs `body` as the first task.
pub(crate) fn as_first_task<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    gopark::run(body)
}
