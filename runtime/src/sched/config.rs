//! What a program can say before the runtime starts.

use super::processors::MOST as MOST_PROCESSORS;
use super::settings::Settings;
use super::{SCHED, debug};
use std::fmt;
use std::time::Duration;

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
    pub(super) maxprocs: Option<usize>,
    pub(super) migrating: bool,
    pub(super) stack_limit: Option<usize>,
    pub(super) slice: Option<Duration>,
    pub(super) max_threads: Option<usize>,
    pub(super) no_watchdog: bool,
}

/// Why the runtime did not start.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum StartError {
    /// It runs already, and its settings cannot change any more. Call
    /// [`Config::start`] before anything else of this crate.
    AlreadyStarted,
    /// The number of processors is not between 1 and 1024.
    MaxProcs {
        /// What was asked for.
        value: String,
        /// Where: the builder's method or the environment variable.
        source: &'static str,
    },
    /// The size of a stack is no size, or more than 1 GiB.
    StackLimit {
        /// What was asked for.
        value: String,
        /// Where: the builder's method or the environment variable.
        source: &'static str,
    },
    /// The length of a slice is no time, or not between a millisecond and a second.
    Slice {
        /// What was asked for.
        value: String,
        /// Where: the builder's method or the environment variable.
        source: &'static str,
    },
    /// The most worker threads that there may be are none.
    MaxThreads,
    /// The environment variable `GOPARK_DEBUG` has something that it cannot have.
    Debug {
        /// The part between two commas.
        setting: String,
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
                "{source} is {value:?}, but the number of processors must be between 1 and \
                 {MOST_PROCESSORS}"
            ),
            StartError::StackLimit { value, source } => write!(
                f,
                "{source} is {value:?}, but the size of a stack is a number of bytes such as 512K, \
                 1M or 64M, at most 1G"
            ),
            StartError::Slice { value, source } => write!(
                f,
                "{source} is {value:?}, but a slice is between 1ms and 1s, such as 1500us, 10ms \
                 or 1s"
            ),
            StartError::MaxThreads => {
                f.write_str("Config::max_threads is 0, but the runtime needs a thread")
            }
            StartError::Debug { setting } => {
                write!(f, "GOPARK_DEBUG has {setting:?}, which is none of\n{}", debug::List)
            }
        }
    }
}

impl std::error::Error for StartError {}

impl Config {
    /// The defaults.
    pub fn new() -> Config {
        Config::default()
    }

    /// How many tasks can run at the same time, between 1 and 1024. Overrides
    /// the environment variable `GOPARK_MAXPROCS`;
    /// [`set_maxprocs`](crate::set_maxprocs) changes it later.
    pub fn maxprocs(mut self, n: usize) -> Config {
        self.maxprocs = Some(n);
        self
    }

    /// How many bytes of stack a task can use that does not say it itself, at
    /// most 1 GiB; rounded up to the next of
    /// [`stack::CLASSES`](crate::stack::CLASSES). Default: 512 KiB, and 1 MiB
    /// with debug assertions.
    ///
    /// The environment variable `GOPARK_STACK` overrides this, so that a program
    /// that overflows is mended without touching its code.
    ///
    /// A larger stack costs address space, and memory only for what a task uses.
    ///
    /// ```
    /// gopark::runtime::Config::new().stack_limit(5 << 20).start()?;
    /// assert_eq!(gopark::stack::default_limit(), 8 << 20);
    /// # Ok::<(), gopark::runtime::StartError>(())
    /// ```
    pub fn stack_limit(mut self, bytes: usize) -> Config {
        self.stack_limit = Some(bytes);
        self
    }

    /// How long a task may keep a processor that others wait for, before it is
    /// preempted: between a millisecond and a second; default 10 ms, as in Go.
    /// Overrides the environment variable `GOPARK_SLICE`.
    ///
    /// A shorter slice makes others wait less behind a task that computes, and
    /// interrupts it more often: each time costs it some microseconds.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// gopark::runtime::Config::new().slice(Duration::from_millis(1)).start()?;
    /// # Ok::<(), gopark::runtime::StartError>(())
    /// ```
    pub fn slice(mut self, slice: Duration) -> Config {
        self.slice = Some(slice);
        self
    }

    /// How many worker threads there may be at the same time; default 10 000. Go:
    /// `debug.SetMaxThreads`.
    ///
    /// Each processor that is in use takes one, and so does each task that blocks its
    /// thread, is suspended, or has a [thread of its own](crate::Builder::own_thread);
    /// one more is ready for the next of them. When one more would be needed the
    /// process ends with a message, as in Go, except that `Builder::go` returns
    /// an error for a thread of its own. Workers that are idle for five seconds end,
    /// but for one, and but for those that [bound](crate#bound-tasks) tasks live on.
    ///
    /// ```
    /// gopark::runtime::Config::new().max_threads(100).start()?;
    /// # Ok::<(), gopark::runtime::StartError>(())
    /// ```
    pub fn max_threads(mut self, n: usize) -> Config {
        self.max_threads = Some(n);
        self
    }

    /// Whether a task is reported on stderr that does not give way and holds others up
    /// for more than a second which are [bound](crate#bound-tasks) to its thread;
    /// default `true`. Each is reported once. In migrating mode nobody is
    /// bound. `GOPARK_DEBUG=watchdog=0` overrides this.
    ///
    /// ```
    /// gopark::runtime::Config::new().watchdog(false).start()?;
    /// # Ok::<(), gopark::runtime::StartError>(())
    /// ```
    pub fn watchdog(mut self, on: bool) -> Config {
        self.no_watchdog = !on;
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
    /// What [gives way](crate#giving-way) when it need not park counts as a park.
    /// Nothing checks this promise, and breaking it is undefined behaviour.
    pub unsafe fn migrating(mut self) -> Config {
        self.migrating = true;
        self
    }

    /// Starts the runtime.
    ///
    /// # Errors
    /// [`StartError::AlreadyStarted`] if it runs; the others if a setting, made
    /// here or in the environment, makes no sense.
    pub fn start(self) -> Result<(), StartError> {
        let settings = Settings::of(self)?;
        if super::start::start(|| settings) { Ok(()) } else { Err(StartError::AlreadyStarted) }
    }
}

/// Whether tasks may move between threads after they have started.
///
/// ```
/// assert!(!gopark::runtime::is_migrating());
/// ```
pub fn is_migrating() -> bool {
    SCHED.migrating()
}
