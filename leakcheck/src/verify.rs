//! The ways in: [`find`] and [`verify_none`]. The attribute's is in `case`.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use gopark::inspect::{is_reaping, keep_ancestors, mark_harness_thread};
use gopark::{Entered, Scope};

use crate::options::Hooks;
use crate::report::{Report, record_leak};
use crate::source::Opened;
use crate::watcher::{self, Hang, Ward};
use crate::{Filter, Options, Search, reap, scope, sys, test_main};

pub use crate::report::Leaks;
pub(crate) use crate::report::Subject;

/// Looks for tasks that are still alive in the current scope.
///
/// Blocks the calling thread until the verdict: at once when nothing is alive,
/// after `settle` when all that is alive is blocked for good, else at the
/// `deadline` at the latest. It ends nothing; [`Leaks::reap`] does.
///
/// A [flight recorder](gopark::trace::FlightRecorder) that writes on failure does so when
/// something was found.
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
            record_leak();
            let report = Report::new(subject, Some(remains), Vec::new());
            Err(Leaks::new(report.filtered_by(&search.filter), scope, search.filter))
        }
    }
}

/// Opens a scope and checks it when the guard is dropped.
///
/// A leak prints the report on standard error and panics. When the thread is
/// panicking already, the report is printed and the first panic goes on. Either
/// way the leaked tasks are ended afterwards by unwinding them.
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
    ward: Arc<Ward>,
    hooks: Hooks,
    sources: Opened,
    /// Somebody stated whether threads are leaks.
    threads_stated: bool,
}

/// How a check ended, with everything printed, ended and called that is to be.
pub(crate) struct Outcome {
    /// A message for the panic that may follow; `None` if there is nothing to say.
    pub(crate) headline: Option<String>,
    /// Whether the body was unwound by the check.
    pub(crate) hangs: bool,
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
        if options.keeps_creation_stacks() {
            scope.keep_creation_stacks();
        }
        // Also has threads told of, so that they belong to the scope.
        sys::wrapped();
        let sources = Opened::new(&options.sources, options.reports_threads(false), &scope);
        let threads_stated = options.states_threads();
        #[cfg(feature = "tokio")]
        crate::source::tokio::begin(timing.deadline);
        let entered = scope.enter();
        let Options { filter, hooks, .. } = options;
        let ward = watcher::watch(scope.clone(), subject, filter, timing);
        Some(Session { scope, entered, ward, hooks, sources, threads_stated })
    }

    /// Leaves the scope, checks it, and says what there is to say.
    pub(crate) fn finish(mut self) -> Outcome {
        // First of all: what follows is not the body, and must not be unwound.
        let hang = self.ward.dismiss();
        // Whatever these have left half done, nobody here looks at it again.
        let call = |hook: Option<Box<dyn FnOnce()>>| {
            hook.map_or(Ok(()), |hook| catch_unwind(AssertUnwindSafe(hook)))
        };
        let before = call(self.hooks.before.take());
        let after = self.hooks.after.take();
        let findings = self.close(hang);
        let hangs = matches!(findings, Some(Findings::Hang(_)));
        let headline = findings.map(Findings::publish);
        let after = call(after);
        Outcome { headline, hangs, hooks: before.and(after) }
    }

    /// Leaves the scope and checks it. `None` if there is nothing to say.
    fn close(self, hang: Option<Hang>) -> Option<Findings> {
        let Session { scope, entered, ward, mut sources, threads_stated, .. } = self;
        drop(entered);
        let settled = || test_main::settled(&scope, &ward.subject, &ward.filter, threads_stated);
        if let Some(hang) = hang {
            settled();
            return Some(Findings::Hang(hang));
        }
        let start = Instant::now();
        let remains = scope::check(&scope, &ward.filter, ward.timing);
        let found = sources.check(&scope, &ward.filter, ward.timing, start.elapsed());
        let panics = scope.take_panics();
        settled();
        if remains.is_none() && panics.is_empty() && found.is_none() {
            return None;
        }
        let report = Report::new(ward.subject.clone(), remains, panics).and(found);
        let report = report.filtered_by(&ward.filter);
        let filter = ward.filter.clone();
        Some(Findings::Left { report: Box::new(report), scope, filter, sources })
    }
}

/// What a check has to say.
enum Findings {
    /// The body is over, and left this.
    Left { report: Box<Report>, scope: Scope, filter: Filter, sources: Opened },
    /// The body was found to hang, and was unwound.
    Hang(Hang),
}

impl Findings {
    /// Prints the report, then ends the tasks of the scope: in this order, so
    /// that nothing that happens in a destructor can take the report away.
    /// Returns a message for the panic that may follow.
    ///
    fn publish(self) -> String {
        match self {
            Findings::Left { report, scope, filter, mut sources } => {
                report.publish();
                if !report.tasks().is_empty() {
                    eprintln!("{}\n", reap::line(&reap::reap(&scope, &filter)));
                }
                sources.end();
                headline(&report)
            }
            Findings::Hang(hang) => {
                // The body has done so itself if it was unwound.
                hang.say();
                let headline = headline(hang.report());
                let tasks = hang.report().tasks().len();
                if let Some(reaped) = hang.reaped()
                    && tasks > 0
                {
                    eprintln!("{}\n", reap::line(&reaped));
                }
                headline
            }
        }
    }
}

fn headline(report: &Report) -> String {
    format!("leakcheck: {} (report above)", report.headline())
}

/// Whether a body was unwound because it, or what it is part of, was found to hang.
pub(crate) fn was_unwound(payload: &(dyn Any + Send)) -> bool {
    is_reaping(payload)
}
