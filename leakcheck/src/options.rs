//! Settings of a check, and the environment's part in them.

use std::env;
use std::ffi::OsStr;
use std::sync::OnceLock;
use std::time::Duration;

use crate::Filter;

const SETTLE: Duration = Duration::from_millis(20);
const DEADLINE: Duration = Duration::from_secs(1);
const SETTLE_VAR: &str = "LEAKCHECK_SETTLE_MS";
const DEADLINE_VAR: &str = "LEAKCHECK_DEADLINE_MS";

/// Settings of [`verify_none`](fn@crate::verify_none).
///
/// ```
/// use leakcheck::{Filter, Options};
/// use std::time::Duration;
///
/// let options = Options::new()
///     .name("the whole shop")
///     .settle(Duration::ZERO)
///     .deadline(Duration::from_secs(5))
///     .filter(Filter::new().ignore_name("metrics"));
/// let _guard = leakcheck::verify_none(options);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub(crate) name: Option<String>,
    pub(crate) filter: Filter,
    settle: Option<Duration>,
    deadline: Option<Duration>,
}

impl Options {
    /// The defaults, with the environment's settings.
    #[must_use]
    pub const fn new() -> Options {
        Options { name: None, filter: Filter::new(), settle: None, deadline: None }
    }

    /// What reports call the scope; else they take the thread's name, which in
    /// a test is the test's.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Options {
        self.name = Some(name.into());
        self
    }

    /// How long everything must have stood still before it counts as leaked.
    /// Zero decides at once.
    #[must_use]
    pub const fn settle(mut self, settle: Duration) -> Options {
        self.settle = Some(settle);
        self
    }

    /// How long a task that could still end is waited for. Time in which a task
    /// is ready to run and gets no processor is not counted, up to ten times
    /// the deadline.
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Options {
        self.deadline = Some(deadline);
        self
    }

    /// Which tasks are no leaks.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Options {
        self.filter = filter;
        self
    }

    /// The times to use: this check's, else the environment's, else the defaults.
    pub(crate) fn timing(&self) -> Timing {
        let environment = Timing::from_env();
        Timing {
            settle: self.settle.unwrap_or(environment.settle),
            deadline: self.deadline.unwrap_or(environment.deadline),
        }
    }
}

/// How long a verdict may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timing {
    pub(crate) settle: Duration,
    pub(crate) deadline: Duration,
}

impl Timing {
    /// The environment's settings, read once. Panics when they are nonsense: a
    /// check that ran with other settings than asked for would prove nothing.
    pub(crate) fn from_env() -> Timing {
        static READ: OnceLock<Result<Timing, String>> = OnceLock::new();
        let read = READ.get_or_init(|| {
            Ok(Timing {
                settle: milliseconds(SETTLE_VAR, env::var_os(SETTLE_VAR).as_deref())?
                    .unwrap_or(SETTLE),
                deadline: milliseconds(DEADLINE_VAR, env::var_os(DEADLINE_VAR).as_deref())?
                    .unwrap_or(DEADLINE),
            })
        });
        match read {
            Ok(timing) => *timing,
            Err(message) => panic!("leakcheck: {message}"),
        }
    }
}

fn milliseconds(name: &str, value: Option<&OsStr>) -> Result<Option<Duration>, String> {
    let Some(value) = value else { return Ok(None) };
    match value.to_str().and_then(|text| text.parse().ok()) {
        Some(number) => Ok(Some(Duration::from_millis(number))),
        None => Err(format!(
            "{name} is `{}`, which is not a whole number of milliseconds (such as {name}=20)",
            value.to_string_lossy()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_read_strictly() {
        let read = |text: &str| milliseconds("X_MS", Some(OsStr::new(text)));
        assert_eq!(milliseconds("X_MS", None), Ok(None));
        assert_eq!(read("0"), Ok(Some(Duration::ZERO)));
        assert_eq!(read("250"), Ok(Some(Duration::from_millis(250))));
        for wrong in ["", "20ms", "-1", "1.5", " 20"] {
            let expected = format!(
                "X_MS is `{wrong}`, which is not a whole number of milliseconds (such as X_MS=20)"
            );
            assert_eq!(read(wrong), Err(expected));
        }
    }

    #[test]
    fn what_the_check_states_wins() {
        let timing = Options::new().settle(Duration::ZERO).timing();
        assert_eq!(timing.settle, Duration::ZERO);
        assert_eq!(timing.deadline, Timing::from_env().deadline);
    }
}
