//! What a check is told: a type for each way in, so that what one of them cannot
//! do does not compile.

use std::fmt;
use std::time::Duration;

use crate::Filter;
use crate::settings::{Stated, Timing, krate_of};

/// Something to be done once, before or after a check.
type Hook = Box<dyn FnOnce()>;

/// Settings of [`verify_none`](fn@crate::verify_none).
///
/// What it does not state is decided [elsewhere](crate#settings).
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
#[derive(Default)]
#[must_use = "options do nothing until they are given to `verify_none`"]
pub struct Options {
    pub(crate) name: Option<String>,
    pub(crate) filter: Filter,
    pub(crate) hooks: Hooks,
    stated: Stated,
    krate: Option<&'static str>,
    #[cfg(runtime)]
    pub(crate) sources: Vec<std::sync::Arc<dyn crate::source::Source>>,
}

/// What is done around a check.
#[derive(Default)]
pub(crate) struct Hooks {
    pub(crate) before: Option<Hook>,
    pub(crate) after: Option<Hook>,
}

impl Options {
    /// States nothing.
    pub const fn new() -> Options {
        Options {
            name: None,
            filter: Filter::new(),
            hooks: Hooks { before: None, after: None },
            stated: Stated::nothing(),
            krate: None,
            #[cfg(runtime)]
            sources: Vec::new(),
        }
    }

    /// What reports call the scope; else they take the thread's name, which in
    /// a test is the test's.
    pub fn name(mut self, name: impl Into<String>) -> Options {
        self.name = Some(name.into());
        self
    }

    /// How long everything must have stood still before it counts as leaked.
    /// Zero decides at once.
    pub const fn settle(mut self, settle: Duration) -> Options {
        self.stated.settle = Some(settle);
        self
    }

    /// How long a task that could still end is waited for. Time in which a task
    /// is ready to run and gets no processor is not counted, up to ten times
    /// the deadline.
    pub const fn deadline(mut self, deadline: Duration) -> Options {
        self.stated.deadline = Some(deadline);
        self
    }

    /// After how long a test's body that does not go on is reported. Zero: never.
    pub const fn hang(mut self, hang: Duration) -> Options {
        self.stated.hang = Some(hang);
        self
    }

    /// Whether OS threads that were started meanwhile and still run are leaks, too.
    pub const fn threads(mut self, threads: bool) -> Options {
        self.stated.threads = Some(threads);
        self
    }

    /// Whether the stack is kept on which each task is made, so that reports show it, also
    /// those of tasks that made a leaked one and have ended. Takes some microseconds for
    /// each task that is started, and half a kilobyte as long as it lives.
    ///
    /// ```
    /// use leakcheck::Options;
    ///
    /// let _guard = leakcheck::verify_none(Options::new().creation_stacks(true));
    /// ```
    pub const fn creation_stacks(mut self, on: bool) -> Options {
        self.stated.creation_stacks = Some(on);
        self
    }

    /// Which tasks are no leaks.
    pub fn filter(mut self, filter: Filter) -> Options {
        self.filter = filter;
        self
    }

    /// Asks this [source](crate::source) as well for what is left.
    #[cfg(runtime)]
    pub fn source(mut self, source: impl crate::source::Source + 'static) -> Options {
        self.sources.push(std::sync::Arc::new(source));
        self
    }

    /// Something to be done when the body is over, also by a panic, and before
    /// anything is looked at: what stops a server that the test started. It runs on
    /// the test's thread and in its scope.
    ///
    /// A panic in it fails the test, unless that fails already; the check is made all
    /// the same.
    ///
    /// ```
    /// use gopark::{chan, go};
    /// use leakcheck::Options;
    ///
    /// let (stop, stopped) = chan::rendezvous::<()>();
    /// let guard = leakcheck::verify_none(Options::new().before_check(|| drop(stop)));
    /// go(move || stopped.recv());
    /// drop(guard); // the task ends, as its channel is closed
    /// ```
    pub fn before_check(mut self, f: impl FnOnce() + 'static) -> Options {
        self.hooks.before = Some(Box::new(f));
        self
    }

    /// Something to be done when the verdict is known, whatever it is: after the
    /// report, and after what leaked was ended (goleak: `Cleanup`). It runs on the
    /// test's thread, in the scope that was there before; what it starts is not looked
    /// at.
    ///
    /// A panic in it fails the test, unless that fails already.
    pub fn cleanup(mut self, f: impl FnOnce() + 'static) -> Options {
        self.hooks.after = Some(Box::new(f));
        self
    }

    /// The check is one of the crate that this path begins with.
    pub(crate) fn of_crate(mut self, path: &'static str) -> Options {
        self.krate = Some(krate_of(path));
        self
    }

    /// The times to use.
    pub(crate) fn timing(&self) -> Timing {
        self.stated.timing(self.krate)
    }

    /// Whether OS threads are reported, if nobody states it `by_default`.
    pub(crate) fn reports_threads(&self, by_default: bool) -> bool {
        self.stated.in_force(self.krate).threads.unwrap_or(by_default)
    }

    /// Whether anybody states it.
    pub(crate) fn states_threads(&self) -> bool {
        self.stated.in_force(self.krate).threads.is_some()
    }

    /// Whether creation stacks are kept.
    pub(crate) fn keeps_creation_stacks(&self) -> bool {
        self.stated.in_force(self.krate).creation_stacks.unwrap_or(false)
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("name", &self.name)
            .field("filter", &self.filter)
            .field("before_check", &self.hooks.before.is_some())
            .field("cleanup", &self.hooks.after.is_some())
            .field("stated", &self.stated)
            .finish()
    }
}

/// Settings of [`find`](crate::find): a [`Filter`], and how long it may take.
///
/// `find` does not end a test, so it has none of the rest: what there is to do
/// before and after it stands before and after it.
///
/// ```
/// use leakcheck::{Filter, Search, find};
/// use std::time::Duration;
///
/// let patient = Search::new()
///     .deadline(Duration::from_secs(5))
///     .filter(Filter::new().ignore_name("metrics"));
/// assert!(find(patient).is_ok());
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "a search does nothing until it is given to `find`"]
pub struct Search {
    pub(crate) filter: Filter,
    stated: Stated,
}

impl Search {
    /// States nothing.
    pub const fn new() -> Search {
        Search { filter: Filter::new(), stated: Stated::nothing() }
    }

    /// As [`Options::settle`].
    pub const fn settle(mut self, settle: Duration) -> Search {
        self.stated.settle = Some(settle);
        self
    }

    /// As [`Options::deadline`].
    pub const fn deadline(mut self, deadline: Duration) -> Search {
        self.stated.deadline = Some(deadline);
        self
    }

    /// Which tasks are no leaks.
    pub fn filter(mut self, filter: Filter) -> Search {
        self.filter = filter;
        self
    }

    /// The times to use.
    pub(crate) fn timing(&self) -> Timing {
        self.stated.timing(None)
    }
}

impl From<&Filter> for Search {
    fn from(filter: &Filter) -> Search {
        Search::new().filter(filter.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_check_states_wins() {
        let options = Options::new().settle(Duration::ZERO).threads(true).creation_stacks(true);
        assert_eq!(options.timing().settle, Duration::ZERO);
        assert_eq!(options.timing().deadline, Options::new().timing().deadline);
        assert!(options.reports_threads(false) && options.keeps_creation_stacks());
        assert!(!Options::new().threads(false).reports_threads(true));
        let search = Search::new().deadline(Duration::from_secs(7));
        assert_eq!(search.timing().deadline, Duration::from_secs(7));
    }

    #[test]
    fn a_filter_is_a_search() {
        let filter = Filter::new().ignore_name("a");
        let shown = format!("{:?}", Search::from(&filter).filter);
        assert_eq!(shown, format!("{filter:?}"));
    }
}
