//! The ways in: [`find`] and [`verify_none`]. The attribute's is in `case`.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

use gopark::inspect::{keep_ancestors, mark_harness_thread};
use gopark::{Entered, Scope};

use crate::options::Hooks;
use crate::report::Report;
use crate::settings::Timing;
use crate::{Filter, Options, Search, reap, scope, test_main};

pub use crate::report::Leaks;
pub(crate) use crate::report::Subject;

/// Looks for tasks that are still alive in the current scope.
///
/// Blocks the calling thread until the verdict: at once when nothing is alive,
/// after `settle` when all that is alive is blocked for good, else at the
/// `deadline` at the latest. It ends nothing; [`Leaks::reap`] does.
///
/// In a test, call it where [`verify_none`](fn@verify_none) holds: that tells
/// the runtime that the main thread is the test harness's. Else the main thread
/// counts as one that may still wake the tasks, and the verdict takes until the
/// deadline.
///
/// It takes a [`Filter`], or a [`Search`] with times of its own.
///
/// ```
/// use leakcheck::{Filter, find};
///
/// gopark::go(|| 1 + 1).join().unwrap();
/// assert!(find(&Filter::new()).is_ok());
/// ```
///
/// # Errors
///
/// The tasks that were found, as [`Leaks`].
///
/// # Panics
///
/// When the [settings](crate#settings) of the environment or of crates are nonsense.
pub fn find(search: impl Into<Search>) -> Result<(), Leaks> {
    let search = search.into();
    let timing = search.timing();
    let scope = Scope::current();
    match scope::check(&scope, &search.filter, timing) {
        None => Ok(()),
        Some(remains) => {
            let subject = match scope.id().get() {
                0 => Subject::Root,
                _ => Subject::Scope(scope.name()),
            };
            Err(Leaks::new(Report::new(subject, Some(remains), Vec::new()), scope))
        }
    }
}

/// Opens a scope and checks it when the guard is dropped.
///
/// A leak prints the report on standard error and panics. When the thread is
/// panicking already, the report is printed and the first panic goes on. Either
/// way the tasks of the scope are ended afterwards by unwinding them.
///
/// In a test, [`#[verify_none]`](macro@crate::verify_none) does the same and
/// knows more of the test: a guard can neither keep a returned `Err` nor make a
/// test with `#[should_panic]` fail.
///
/// ```
/// use leakcheck::Options;
///
/// let guard = leakcheck::verify_none(Options::new());
/// gopark::go(|| 1 + 1);
/// drop(guard); // waits for the task
/// ```
///
/// # Panics
///
/// When the guard is dropped, if tasks are left, or if a task of the scope
/// panicked and nobody joined it. At once, if the [settings](crate#settings) of the
/// environment or of crates are nonsense.
pub fn verify_none(options: Options) -> Guard {
    let subject = match (&options.name, thread::current().name()) {
        (Some(name), _) => Subject::Scope(name.clone()),
        // libtest names a test's thread after it; with one thread it uses main's.
        (None, Some(name)) if name != "main" => Subject::Test(name.to_owned()),
        (None, _) => Subject::Scope("verify_none".to_owned()),
    };
    Guard { session: Session::open(subject, options) }
}

/// Checks its scope when it is dropped; made by [`verify_none`].
#[must_use = "the check is made when the guard is dropped, which is at once if it is not bound to a name"]
pub struct Guard {
    session: Option<Session>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let Some(session) = self.session.take() else { return };
        let outcome = session.finish();
        if thread::panicking() {
            return;
        }
        if let Some(headline) = outcome.headline {
            panic!("{headline}");
        }
        if let Err(payload) = outcome.hooks {
            resume_unwind(payload);
        }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("scope", &self.session.as_ref().map(|it| &it.scope)).finish()
    }
}

/// A scope that this thread is in, to be checked when it is left.
pub(crate) struct Session {
    scope: Scope,
    entered: Entered,
    subject: Subject,
    filter: Filter,
    timing: Timing,
    hooks: Hooks,
}

/// How a check ended, with everything printed, ended and called that is to be.
pub(crate) struct Outcome {
    /// A message for the panic that may follow; `None` if there is nothing to say.
    pub(crate) headline: Option<String>,
    /// The first panic of what was to be done before and after the check.
    pub(crate) hooks: Result<(), Box<dyn Any + Send>>,
}

impl Session {
    /// Opens and enters a scope. `None` where there is no runtime.
    pub(crate) fn open(subject: Subject, options: Options) -> Option<Session> {
        let timing = options.timing();
        // Until this is done, other tests' checks take this thread for one that
        // might wake their tasks.
        mark_harness_thread();
        // Who made a task is asked when that has ended.
        keep_ancestors();
        let scope = Scope::new(subject.name());
        let entered = scope.enter();
        let Options { filter, hooks, .. } = options;
        Some(Session { scope, entered, subject, filter, timing, hooks })
    }

    /// Leaves the scope, checks it, and says what there is to say.
    pub(crate) fn finish(mut self) -> Outcome {
        // Whatever these have left half done, nobody here looks at it again.
        let call = |hook: Option<Box<dyn FnOnce()>>| {
            hook.map_or(Ok(()), |hook| catch_unwind(AssertUnwindSafe(hook)))
        };
        let before = call(self.hooks.before.take());
        let after = self.hooks.after.take();
        let headline = self.close().map(Findings::publish);
        let after = call(after);
        Outcome { headline, hooks: before.and(after) }
    }

    /// Leaves the scope and checks it. `None` if there is nothing to say.
    fn close(self) -> Option<Findings> {
        let Session { scope, entered, subject, filter, timing, .. } = self;
        drop(entered);
        let remains = scope::check(&scope, &filter, timing);
        let panics = scope.take_panics();
        test_main::settled(&scope);
        if remains.is_none() && panics.is_empty() {
            return None;
        }
        Some(Findings { report: Report::new(subject, remains, panics), scope })
    }
}

/// What a check has to say.
struct Findings {
    report: Report,
    scope: Scope,
}

impl Findings {
    /// Prints the report, then ends the tasks of the scope: in this order, so
    /// that nothing that happens in a destructor can take the report away.
    /// Returns a message for the panic that may follow.
    ///
    /// `eprintln` and not a handle of standard error, because libtest captures
    /// only that, and only on the test's own thread.
    fn publish(self) -> String {
        let Findings { report, scope } = self;
        let headline = format!("leakcheck: {} (report above)", report.headline());
        eprintln!("{report}");
        if !report.tasks().is_empty() {
            eprintln!("{}\n", reap::line(&reap::reap(&scope)));
        }
        headline
    }
}
