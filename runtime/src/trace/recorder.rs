//! The last seconds, kept for when something has gone wrong.

use super::file::HEADER;
use super::session::{join, part, part_soon};
use crate::sched::tapes;
use crate::stack;
use crate::sys::section;
use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Write};
use std::panic;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

/// Bytes of stack that writing a recording may take.
const NEEDED: usize = 128 << 10;

pub(super) struct Recorder {
    /// In nanoseconds.
    period: u64,
    /// When each began.
    generations: VecDeque<(u64, Vec<u8>)>,
    /// Where it is written when something goes wrong, and of what there is a file already.
    failures: Option<(PathBuf, Vec<Failure>)>,
}

impl Recorder {
    pub(super) fn period(&self) -> u64 {
        self.period
    }

    pub(super) fn push(&mut self, began: u64, bytes: Vec<u8>, now: u64) {
        self.generations.push_back((began, bytes));
        let start = now.saturating_sub(self.period);
        // The first is not needed if the second reaches back far enough.
        while self.generations.get(1).is_some_and(|(began, _)| *began <= start) {
            self.generations.pop_front();
        }
    }

    fn copy(&self) -> Vec<u8> {
        let mut bytes = HEADER.to_vec();
        self.generations.iter().for_each(|(_, generation)| bytes.extend(generation));
        bytes
    }

    /// What is to be written of this failure, and where; nothing if there is such a file.
    fn take(&mut self, failure: Failure) -> Option<(PathBuf, Vec<u8>)> {
        let (folder, written) = self.failures.as_mut()?;
        if written.contains(&failure) {
            return None;
        }
        written.push(failure);
        let name = format!("gopark-{}-{failure}.trace", std::process::id());
        let path = folder.join(name);
        Some((path, self.copy()))
    }
}

/// Keeps a trace of the last seconds in memory, until it is dropped.
///
/// For programs that run for long and want to know what came before something that
/// seldom happens. There is one at a time; [`start`](super::start()) may be called beside
/// it. Go: `trace.FlightRecorder`.
///
/// It takes some ten bytes of memory for each event: a program that switches its tasks
/// a hundred thousand times a second some three MB for each second.
/// `GOPARK_DEBUG=flightrecorder=N` starts one with the runtime, of N seconds, which
/// [writes on failure](FlightRecorder::write_on_failure) to the folder for temporary files.
///
/// ```
/// use std::time::Duration;
///
/// let recorder = gopark::trace::FlightRecorder::start(Duration::from_secs(5))?;
/// gopark::go(|| ()).join().unwrap();
/// let mut trace = Vec::new();
/// recorder.write_to(&mut trace)?;
/// assert!(trace.starts_with(b"go 1.26 trace"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "the recorder ends when it is dropped"]
pub struct FlightRecorder(());

impl FlightRecorder {
    /// Starts to record. What is older than `period` is forgotten, with some more time
    /// kept than that.
    ///
    /// # Errors
    /// [`AlreadyExists`](io::ErrorKind::AlreadyExists) if there is one;
    /// whatever the system says if it refuses a thread.
    pub fn start(period: Duration) -> io::Result<FlightRecorder> {
        let period = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX);
        join(|session| {
            if session.recorder.is_some() {
                let text = "there is a flight recorder already";
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
            }
            let generations = VecDeque::new();
            session.recorder = Some(Recorder { period, generations, failures: None });
            Ok(())
        })?;
        Ok(FlightRecorder(()))
    }

    /// Writes what is remembered, as a file for `go tool trace`, and goes on.
    ///
    /// # Errors
    /// What the writer says.
    pub fn write_to(&self, mut to: impl Write) -> io::Result<()> {
        let recorded = part(|session| session.recorder.as_ref().map(Recorder::copy));
        to.write_all(&recorded.flatten().unwrap_or_default())
    }

    /// From now on, as long as it records, it writes itself to a file in `folder` when
    /// something goes wrong, and says so on stderr:
    ///
    /// | file | when |
    /// |---|---|
    /// | `gopark-PID-panic.trace` | a task or a thread panics; also if that is caught |
    /// | `gopark-PID-leak.trace` | `leakcheck` reports something, or finds it |
    /// | `gopark-PID-deadlock.trace` | all tasks are asleep, and the program ends |
    ///
    /// Only the first failure of each kind is written. For panics a hook is installed
    /// ([`std::panic::set_hook`]), behind the one that is there; whoever sets another one
    /// afterwards takes its place.
    ///
    /// ```
    /// use gopark::trace::FlightRecorder;
    ///
    /// let folder = std::env::temp_dir();
    /// let recorder = FlightRecorder::start(std::time::Duration::from_secs(5))?;
    /// recorder.write_on_failure(&folder);
    /// assert!(gopark::go(|| panic!("out of flour")).join().is_err());
    /// let file = folder.join(format!("gopark-{}-panic.trace", std::process::id()));
    /// assert!(file.exists());
    /// # std::fs::remove_file(file)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn write_on_failure(&self, folder: impl AsRef<Path>) {
        let failures = Some((folder.as_ref().to_owned(), Vec::new()));
        part(|session| session.recorder.as_mut().map(|recorder| recorder.failures = failures));
        watch_panics();
    }

    /// It records until the end of the process.
    pub(super) fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for FlightRecorder {
    fn drop(&mut self) {
        part(|session| session.recorder = None).expect("it records until here");
    }
}

/// What can go wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    Panic,
    Leak,
    Deadlock,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Failure::Panic => "panic",
            Failure::Leak => "leak",
            Failure::Deadlock => "deadlock",
        })
    }
}

/// Writes what is recorded, if that is wanted and it is the first failure of this kind.
/// What is to be said of it, in one line.
///
/// Outside of sections. Waits a second at most for whoever writes a trace.
pub(crate) fn write(failure: Failure) -> Option<String> {
    if !tapes::is_on() {
        return None;
    }
    let taken = part_soon(|session| session.recorder.as_mut()?.take(failure));
    let (path, bytes) = taken.flatten()?;
    let path = path.display();
    Some(match std::fs::write(path.to_string(), bytes) {
        Ok(()) => format!(
            "gopark: what came before the {failure} is in {path}; see it by `go tool trace`"
        ),
        Err(error) => {
            format!("gopark: what came before the {failure} cannot be written to {path}: {error}")
        }
    })
}

fn watch_panics() {
    static ONCE: Once = Once::new();
    // Hooks cannot be changed by whoever panics.
    if std::thread::panicking() {
        return;
    }
    ONCE.call_once(|| {
        let former = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            former(info);
            // In a section nothing may be waited for, and the process is about to end.
            if section::is_outside()
                && let Some(line) = stack::ensure(NEEDED, 1 << 20, || write(Failure::Panic))
            {
                eprintln!("{line}");
            }
        }));
    });
}
