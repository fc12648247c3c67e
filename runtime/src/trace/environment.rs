//! Traces that nobody in the program asks for: `GOPARK_TRACE`, and the flight recorder of
//! `GOPARK_DEBUG`.

use super::recorder::FlightRecorder;
use super::session::{start, stop_soon};
use crate::sys::{exit, section, warn};
use std::fs::File;
use std::io::BufWriter;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A file; `%p` in it becomes the number of the process.
const VARIABLE: &str = "GOPARK_TRACE";

/// The process that writes a trace until its end, or 0: not one that was forked from it.
static WRITES: AtomicU32 = AtomicU32::new(0);

/// Begins what is wanted. Called once, when the runtime has been started.
pub(crate) fn begin(recorder: Option<Duration>) {
    if let Some(period) = recorder {
        match FlightRecorder::start(period) {
            Ok(recorder) => {
                recorder.write_on_failure(std::env::temp_dir());
                recorder.keep();
            }
            Err(error) => warn(&format!("no flight recorder: {error}")),
        }
    }
    let Some(path) = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) else { return };
    let path = path.to_string_lossy().replace("%p", &std::process::id().to_string());
    let begun = File::create(&path).and_then(|file| start(BufWriter::new(file)));
    match begun {
        Ok(()) => {
            WRITES.store(std::process::id(), Ordering::Relaxed);
            exit::also(at_exit);
        }
        Err(error) => warn(&format!("{VARIABLE}={path}: {error}")),
    }
}

extern "C" fn at_exit() {
    end();
}

/// The process ends: what is left is written. Waits a second at most for whoever writes
/// another.
pub(crate) fn end() {
    if WRITES.swap(0, Ordering::Relaxed) != std::process::id() || !section::is_outside() {
        return;
    }
    if let Err(error) = stop_soon() {
        warn(&format!("{VARIABLE}: {error}"));
    }
}
