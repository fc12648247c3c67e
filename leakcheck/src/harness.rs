//! A test harness that knows of checks: [`test_main!`](crate::test_main!), for test
//! files with `harness = false`.
//!
//! `#[leakcheck::test]` puts each test into a list (`inventory`); `libtest-mimic`
//! understands the command line and prints what libtest would, so that `cargo test`
//! and nextest work as ever. A test runs on a thread of its own that is named after
//! it, as libtest's do. What it prints is not captured: std lets only libtest do that.

use std::any::Any;
use std::env;
use std::process::{ExitCode, Termination};
use std::thread;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::TestMain;
use crate::test_main::follow_the_tests;

/// A test that `#[leakcheck::test]` stands on.
pub struct Registered {
    /// Its path, crate included.
    pub path: &'static str,
    /// It is run only when ignored tests are asked for.
    pub ignore: bool,
    /// How it is to end.
    pub should_panic: ShouldPanic,
    /// Runs it, checked.
    pub run: fn() -> Result<(), Failed>,
}

/// How a test is to end.
#[derive(Debug, Clone, Copy)]
pub enum ShouldPanic {
    /// By returning.
    No,
    /// By a panic.
    Yes,
    /// By a panic whose message contains this.
    Saying(&'static str),
}

inventory::collect!(Registered);

/// Whether what a test returned makes it fail.
///
/// # Errors
///
/// If it does.
pub fn ended(returned: impl Termination) -> Result<(), Failed> {
    // An `Err` is printed by this.
    match returned.report() {
        code if code == ExitCode::SUCCESS => Ok(()),
        _ => Err("the test returned what a program would fail with".into()),
    }
}

/// What [`test_main!`](crate::test_main!) makes of `main`.
#[must_use]
pub fn test_main(settings: Option<fn() -> TestMain>) -> ExitCode {
    let mut args = Arguments::from_args();
    if args.test_threads.is_none() {
        args.test_threads = env::var("RUST_TEST_THREADS").ok().and_then(|it| it.parse().ok());
        args.test_threads = args.test_threads.filter(|threads| *threads > 0);
    }
    if settings.is_some() {
        follow_the_tests();
    }
    let mut tests: Vec<&'static Registered> = inventory::iter::<Registered>.into_iter().collect();
    tests.sort_by_key(|test| test.path);
    let trials = tests.into_iter().map(Registered::trial).collect();
    let failed = libtest_mimic::run(&args, trials).has_failed();
    let mut code = if failed { 101 } else { 0 };
    if let Some(settings) = settings
        && !args.list
    {
        code = settings().finish(code);
    }
    // Both codes fit.
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

impl Registered {
    /// As the harness prints it: without the crate.
    fn name(&self) -> &'static str {
        self.path.split_once("::").map_or(self.path, |(_, name)| name)
    }

    fn trial(&'static self) -> Trial {
        Trial::test(self.name(), || self.judge()).with_ignored_flag(self.ignore)
    }

    /// Runs the test on a thread of its own.
    fn judge(&'static self) -> Result<(), Failed> {
        // This thread only waits.
        #[cfg(runtime)]
        gopark::inspect::mark_harness_thread();
        let thread = thread::Builder::new().name(self.name().to_owned()).spawn(self.run)?;
        let ended = thread.join();
        match (self.should_panic, ended) {
            (ShouldPanic::No, Ok(ended)) => ended,
            (ShouldPanic::No, Err(panic)) => Err(says(&*panic).into()),
            (_, Ok(_)) => Err("the test did not panic as it should".into()),
            (ShouldPanic::Yes, Err(_)) => Ok(()),
            (ShouldPanic::Saying(text), Err(panic)) if says(&*panic).contains(text) => Ok(()),
            (ShouldPanic::Saying(text), Err(panic)) => {
                let says = says(&*panic);
                Err(format!("the panic should say {text:?}, but says {says:?}").into())
            }
        }
    }
}

/// What a panic says, if that is text.
fn says(panic: &(dyn Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("something that is no text")
}

/// The `main` of a test file with `harness = false`, whose tests are functions with
/// [`#[leakcheck::test]`](macro@crate::test), in this file or in modules of it. Needs
/// the feature `harness`.
///
/// ```toml
/// [[test]]
/// name = "shop"
/// harness = false
/// ```
///
/// ```no_run
/// #[leakcheck::test]
/// fn sells() {
///     gopark::go(|| "sold").join().unwrap();
/// }
///
/// leakcheck::test_main!();
/// ```
///
/// It understands what libtest's understands: filters, `--exact`, `--skip`, `--list`,
/// `--ignored`, `--include-ignored`, `--test-threads`, and what nextest asks. Output
/// is never captured, so `--nocapture` changes nothing.
///
/// With a [`TestMain`], as in `test_main!(TestMain::new())`, the whole
/// program is checked when the tests are over, too, as by
/// [`verify_test_main!`](crate::verify_test_main): for what none of the tests has
/// started.
#[macro_export]
macro_rules! test_main {
    () => {
        fn main() -> ::std::process::ExitCode {
            $crate::__private::test_main(::core::option::Option::None)
        }
    };
    ($options:expr $(,)?) => {
        fn main() -> ::std::process::ExitCode {
            $crate::__private::test_main(::core::option::Option::Some(|| $options))
        }
    };
}
