//! The whole test program, checked when it ends: [`verify_test_main!`](crate::verify_test_main).
//!
//! libtest's `main` takes no hook, so the macro puts itself around it: a function
//! that runs before `main` registers a handler for the end of the process (C's
//! `on_exit`, which is told the exit code, by `gopark`). What then happens:
//!
//! 1. Asked for a list or for help, nothing happens.
//! 2. The check runs on a thread of its own, as the thread-locals of the one that
//!    ends the process are gone: it could neither park nor use most of `std`. All other
//!    threads are still there, and what tasks are alive goes on running.
//! 3. It waits as any check does (`end.rs`): at once when nothing is alive, else for
//!    `settle`, at most for `deadline`.
//! 4. A leak makes the exit code 1, unless it says already that tests failed.
//!
//! | exit code | `run_on_failure` | left behind | exit code then | said |
//! |---|---|---|---|---|
//! | 0 | any | nothing | 0 | nothing |
//! | 0 | any | something | 1 | the report |
//! | not 0 | no | not looked at | the same | nothing |
//! | not 0 | yes | nothing | the same | nothing |
//! | not 0 | yes | something | the same | the report |
//!
//! Whatever the row, `before_check` is told the code before and `cleanup` the code
//! after, each once; a panic of theirs counts as something left behind. The process
//! ends by a second `exit`, not by `_exit`, so that the other handlers run: those
//! that write coverage data, and the user's own. `gopark` argues that this is sound.
//!
//! # Whose is a task?
//!
//! As long as a scope is open, parallel tests cannot be told apart by looking at the
//! end; so they are told apart at the beginning. libtest runs each test on a thread of
//! its own and names it after the test, with one test thread and under nextest, too.
//! From before `main` on, a thread with such a name is in a scope of that name when
//! the runtime first hears of it, and the tasks that it starts inherit that. So does
//! whatever these start, timers and `after_func` included. What was started elsewhere,
//! by a thread of another name for example, belongs to no test and is listed as such.
//!
//! A thread that a test makes belongs to it in the same way, and is no test whatever its
//! name: the runtime is told of its birth. Threads that are made inside of a `Once`, such
//! as the pool of a `LazyLock`, belong to nobody and are no leaks: nothing could end them.
//!
//! Tests that have checked themselves (`#[verify_none]`, a guard) are not looked at
//! again: what they found is reported and ended already, what they left out was to be
//! left out. Except for their threads: a check that was not told whether to look at
//! them has not, and the end does.

#[cfg(runtime)]
mod end;
#[cfg(not(runtime))]
#[path = "unchecked.rs"]
mod end;
#[cfg(runtime)]
mod threads;

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

#[cfg(runtime)]
use crate::settings::krate_of;
use crate::{Filter, Options};

#[cfg(runtime)]
use crate::sys::untold;
#[cfg(feature = "harness")]
pub(crate) use end::follow_the_tests;
#[cfg(runtime)]
pub(crate) use end::settled;

/// Something to be done once, which is told the exit code.
type Hook = Box<dyn FnOnce(i32)>;

/// Settings of [`verify_test_main!`](crate::verify_test_main).
///
/// ```no_run,standalone_crate
/// use leakcheck::{Filter, TestMain};
/// use std::time::Duration;
///
/// leakcheck::verify_test_main!(
///     TestMain::new()
///         .deadline(Duration::from_secs(5))
///         .filter(Filter::new().ignore_name("metrics"))
///         .cleanup(|code| eprintln!("the tests end with {code}"))
/// );
/// # fn main() {}
/// ```
#[derive(Default)]
#[must_use = "settings do nothing until they are given to `verify_test_main!`"]
pub struct TestMain {
    pub(crate) options: Options,
    run_on_failure: bool,
    before: Option<Hook>,
    cleanup: Option<Hook>,
}

impl TestMain {
    /// States nothing: see [settings](crate#settings).
    pub fn new() -> TestMain {
        TestMain::default()
    }

    /// As [`Options::settle`].
    pub fn settle(self, settle: Duration) -> TestMain {
        TestMain { options: self.options.settle(settle), ..self }
    }

    /// As [`Options::deadline`].
    pub fn deadline(self, deadline: Duration) -> TestMain {
        TestMain { options: self.options.deadline(deadline), ..self }
    }

    /// Which tasks are no leaks.
    pub fn filter(self, filter: Filter) -> TestMain {
        TestMain { options: self.options.filter(filter), ..self }
    }

    /// Whether to look, too, when tests failed. The exit code stays the tests'. By
    /// default a run that failed is not looked at: a test that panics rarely tidies up.
    pub fn run_on_failure(self, on: bool) -> TestMain {
        TestMain { run_on_failure: on, ..self }
    }

    /// Whether OS threads that are left are leaks, too. They are by default, where it can
    /// be known who made them: not under a sanitizer, and not in a static executable.
    ///
    /// Threads of known pools (rayon's, libtest's; tokio's without the feature `tokio`),
    /// and those that were made inside of a `Once`, as by a `LazyLock`, are no leaks.
    pub fn threads(self, on: bool) -> TestMain {
        TestMain { options: self.options.threads(on), ..self }
    }

    /// Something to be done when the tests are over and before anything is looked at:
    /// what stops a server that they share. It is told the exit code of the tests.
    ///
    /// It runs on a thread of its own, on which `std::process::exit` waits for ever:
    /// the process is ending already. A panic in it makes the exit code 1 if that was 0.
    pub fn before_check(self, f: impl FnOnce(i32) + 'static) -> TestMain {
        TestMain { before: Some(Box::new(f)), ..self }
    }

    /// Something to be done at the end, whether or not there were leaks (goleak:
    /// `Cleanup`). It is told the exit code that the process ends with.
    ///
    /// It runs where [`before_check`](Self::before_check) does, with the same limits: it
    /// need not, and cannot, end the process.
    pub fn cleanup(self, f: impl FnOnce(i32) + 'static) -> TestMain {
        TestMain { cleanup: Some(Box::new(f)), ..self }
    }

    /// The settings are written in the crate that this path begins with.
    #[doc(hidden)]
    pub fn __in_crate(self, path: &'static str) -> TestMain {
        TestMain { options: self.options.of_crate(path), ..self }
    }

    /// Does everything that is to be done at the end; the exit code then.
    pub(crate) fn finish(mut self, code: i32) -> i32 {
        let mut code = code;
        // Whatever these have left half done, nobody here looks at it again.
        let before = call(self.before.take(), code);
        let cleanup = self.cleanup.take();
        if (code == 0 || self.run_on_failure) && end::is_left(&self, code) {
            code = failed(code);
        }
        if !before {
            code = failed(code);
        }
        if !call(cleanup, code) {
            code = failed(code);
        }
        crate::filter::print_unused_ignores();
        code
    }

    /// Whether threads are leaks.
    pub(crate) fn reports_threads(&self) -> bool {
        self.options.reports_threads(true)
    }
}

impl fmt::Debug for TestMain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestMain")
            .field("options", &self.options)
            .field("run_on_failure", &self.run_on_failure)
            .field("before_check", &self.before.is_some())
            .field("cleanup", &self.cleanup.is_some())
            .finish()
    }
}

/// False if it panicked.
fn call(hook: Option<Hook>, code: i32) -> bool {
    hook.is_none_or(|hook| catch_unwind(AssertUnwindSafe(|| hook(code))).is_ok())
}

/// The exit code of a run that fails, whatever it was.
fn failed(code: i32) -> i32 {
    if code == 0 { 1 } else { code }
}

/// Checks the whole test program when it ends. One line in a test file, or in a
/// crate with unit tests behind `#[cfg(test)]`; the tests stay as they are:
///
/// ```no_run,standalone_crate
/// leakcheck::verify_test_main!();
///
/// #[test]
/// fn sells() {
///     gopark::go(|| "sold").join().unwrap();
/// }
/// # fn main() {}
/// ```
///
/// When all tests passed and something is left, the report is printed and the program
/// ends with exit code 1. It lists what is left test by test, and names the tests: they
/// passed and leaked all the same. What belongs to no test is listed as such. When
/// tests failed nothing is looked at, unless [`TestMain::run_on_failure`] says so, and
/// the exit code stays what it was. Lists and help are left alone.
///
/// Settings are a [`TestMain`], which is made when the tests are over:
/// `verify_test_main!(TestMain::new().run_on_failure(true))`.
///
/// Tests may carry [`#[verify_none]`](macro@crate::verify_none) all the same: those are
/// checked by themselves and not looked at again. Go: goleak's `VerifyTestMain`.
///
/// It works where C's library has `on_exit`, as glibc does; elsewhere it says that
/// nothing is checked. A program that contains it twice aborts before `main`; examples
/// in documentation, which share one program, need ```` ```standalone_crate ````.
#[macro_export]
macro_rules! verify_test_main {
    () => {
        $crate::verify_test_main!($crate::TestMain::new());
    };
    ($options:expr $(,)?) => {
        const _: () = {
            // Names that `$options` does not mean.
            extern "C" fn __leakcheck_before_main() {
                $crate::__private::wrap_main(::core::module_path!(), || {
                    let settings: $crate::TestMain = $options;
                    settings.__in_crate(::core::module_path!())
                });
            }
            // The list of functions that run before `main`.
            #[used]
            #[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
            static __LEAKCHECK_BEFORE_MAIN: extern "C" fn() = __leakcheck_before_main;
        };
    };
}

/// Makes the settings when they are needed.
static SETTINGS: OnceLock<fn() -> TestMain> = OnceLock::new();

/// The module that the macro was called in.
static MODULE: OnceLock<&'static str> = OnceLock::new();

/// Whether the stacks are kept on which tasks are made that no check asks about.
#[cfg(runtime)]
fn keeps_creation_stacks() -> bool {
    crate::settings::keeps_creation_stacks(MODULE.get().map(|module| krate_of(module)))
}

/// What the macro's expansion calls before `main`.
///
/// # Panics
///
/// When it is called twice.
pub fn wrap_main(module: &'static str, settings: fn() -> TestMain) {
    let first = SETTINGS.set(settings).is_ok() && MODULE.set(module).is_ok();
    assert!(first, "leakcheck: `verify_test_main!` stands in this program twice");
    if !only_asks(env::args_os().skip(1)) {
        end::expect_the_end();
    }
}

/// Whether the program is started for what it prints, and runs no tests.
fn only_asks<A: AsRef<OsStr>>(mut args: impl Iterator<Item = A>) -> bool {
    args.any(|arg| ["--list", "--help", "-h"].iter().any(|flag| arg.as_ref() == *flag))
}

/// The end of the process, on the thread that ends it.
fn at_exit(code: i32) -> i32 {
    let Some(settings) = SETTINGS.get() else { return code };
    // The name is none that a test could have.
    let check = thread::Builder::new().name("leakcheck: the end".into());
    match untold(|| check.spawn(move || settings().finish(code))) {
        // A panic has been printed; a check that was not made proves nothing.
        Ok(check) => check.join().unwrap_or_else(|_| failed(code)),
        Err(error) => {
            eprintln!("leakcheck: no thread for the check at the end: {error}");
            failed(code)
        }
    }
}

/// There is nobody to tell.
#[cfg(not(runtime))]
fn untold<R>(make: impl FnOnce() -> R) -> R {
    make()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_help_run_no_tests() {
        assert!(only_asks(["--list", "--format", "terse"].iter()));
        assert!(only_asks(["some::test", "--help"].iter()));
        assert!(only_asks(["-h"].iter()));
        assert!(!only_asks(["--exact", "some::test", "--nocapture"].iter()));
        assert!(!only_asks(["list"].iter()));
    }

    #[test]
    fn a_failed_run_keeps_its_code() {
        assert_eq!([0, 1, 3, 101].map(failed), [1, 1, 3, 101]);
    }

    #[test]
    fn threads_are_leaks_unless_it_is_said_otherwise() {
        assert!(TestMain::new().reports_threads());
        assert!(!TestMain::new().threads(false).reports_threads());
    }
}
