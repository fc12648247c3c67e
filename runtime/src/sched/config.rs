//! How many processors there are and in which mode the tasks run.

use super::SCHED;
use std::fmt;

/// More processors than any machine has.
const MOST: usize = 4096;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) maxprocs: u32,
    pub(crate) migrating: bool,
}

impl Settings {
    /// For a start at first use, where nobody can be given an error.
    pub(super) fn default_or_fatal() -> Settings {
        match Config::new().settings() {
            Ok(settings) => settings,
            Err(error) => crate::sys::fatal(format_args!("{error}")),
        }
    }
}

/// Starts the runtime with other settings than its defaults.
///
/// Without it the runtime starts itself when it is first used.
///
/// ```
/// gopark::runtime::Config::new().maxprocs(2).start()?;
/// assert_eq!(gopark::maxprocs(), 2);
/// # Ok::<(), gopark::runtime::StartError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use = "settings take effect with start()"]
pub struct Config {
    maxprocs: Option<usize>,
    migrating: bool,
}

/// Why the runtime did not start.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum StartError {
    /// It runs already, and its settings cannot change any more. Call
    /// [`Config::start`] before anything else of this crate.
    AlreadyStarted,
    /// The number of processors is not between 1 and 4096.
    MaxProcs {
        /// What was asked for.
        value: String,
        /// Where: the builder's method or the environment variable.
        source: &'static str,
    },
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::AlreadyStarted => f.write_str(
                "the runtime runs already; call Config::start before the first task, channel or \
                 scope is used",
            ),
            StartError::MaxProcs { value, source } => write!(
                f,
                "{source} is {value:?}, but the number of processors must be between 1 and {MOST}"
            ),
        }
    }
}

impl std::error::Error for StartError {}

impl Config {
    /// The defaults.
    pub fn new() -> Config {
        Config::default()
    }

    /// How many tasks can run at the same time, between 1 and 4096. Overrides
    /// the environment variable `GOPARK_MAXPROCS`.
    pub fn maxprocs(mut self, n: usize) -> Config {
        self.maxprocs = Some(n);
        self
    }

    /// Lets started tasks move between threads, as Go's do: a task that is made
    /// ready runs on its waker's processor, and idle processors steal it.
    ///
    /// # Safety
    /// You promise for the whole process that no stack frame, after inlining,
    /// touches a thread-local on both sides of a park: no `LocalKey::with`
    /// whose closure parks, no value tied to its thread (an `Rc` that another
    /// copy on that thread shares, a lock guard of std) held while parking, and
    /// no library, std included, that does either. The compiler may keep the
    /// address of a thread-local in a frame even where the source does not.
    /// Nothing checks this promise, and breaking it is undefined behaviour.
    pub unsafe fn migrating(mut self) -> Config {
        self.migrating = true;
        self
    }

    /// Starts the runtime.
    ///
    /// # Errors
    /// [`StartError::AlreadyStarted`] if it runs, [`StartError::MaxProcs`] if
    /// the number of processors makes no sense.
    pub fn start(self) -> Result<(), StartError> {
        let settings = self.settings()?;
        if super::start(|| settings) { Ok(()) } else { Err(StartError::AlreadyStarted) }
    }

    fn settings(self) -> Result<Settings, StartError> {
        let maxprocs = match self.maxprocs {
            Some(n) => check(n, n.to_string(), "Config::maxprocs")?,
            None => match std::env::var_os("GOPARK_MAXPROCS") {
                Some(value) if !value.is_empty() => {
                    let text = value.to_string_lossy().into_owned();
                    check(text.trim().parse().unwrap_or(0), text, "GOPARK_MAXPROCS")?
                }
                _ => std::thread::available_parallelism().map_or(1, |n| n.get().min(MOST)) as u32,
            },
        };
        Ok(Settings { maxprocs, migrating: self.migrating })
    }
}

fn check(n: usize, value: String, source: &'static str) -> Result<u32, StartError> {
    if (1..=MOST).contains(&n) { Ok(n as u32) } else { Err(StartError::MaxProcs { value, source }) }
}

/// Whether tasks may move between threads after they have started.
///
/// ```
/// assert!(!gopark::runtime::is_migrating());
/// ```
pub fn is_migrating() -> bool {
    SCHED.migrating()
}
