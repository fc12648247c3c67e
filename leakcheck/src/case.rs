//! A test under `#[verify_none]`: how its body ended and what the check found
//! decide together what the harness is told.
//!
//! | body | check | test | test with `#[should_panic]` |
//! |---|---|---|---|
//! | returns | clean | returns the same | returns: fails |
//! | returns | leak | report, then a panic | report, returns: fails |
//! | returns `Err` | leak | report, returns the `Err` | does not exist |
//! | panics | clean | the same panic | the same panic: passes if expected |
//! | panics | leak | report, the same panic | report, returns: fails |
//! | hangs, is unwound | – | report, a panic | report, returns: fails |
//!
//! What is to be done before and after the check may panic, too: that fails the test
//! where nothing above does.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::Options;
use crate::verify::{Outcome, Session, Subject, was_unwound};

/// A test that the attribute stands on.
pub struct Case {
    /// Its path, crate included.
    path: &'static str,
    options: Options,
}

impl Case {
    /// Describes a test.
    #[must_use]
    pub const fn new(path: &'static str, options: Options) -> Case {
        Case { path, options }
    }

    /// Runs the body in a scope of its own and checks that.
    fn check<T>(self, body: impl FnOnce() -> T) -> (std::thread::Result<T>, Outcome) {
        // The harness's name for the test has no crate in it.
        let name = self.path.split_once("::").map_or(self.path, |(_, name)| name);
        let options = self.options.of_crate(self.path);
        let session = Session::open(Subject::Test(name.to_owned()), options);
        // What the body may have left half done is not looked at again: the
        // panic goes on, or the test is over.
        let returned = catch_unwind(AssertUnwindSafe(body));
        let nothing = Outcome { headline: None, hangs: false, hooks: Ok(()) };
        (returned, session.map_or(nothing, Session::finish))
    }
}

/// Runs a test without `#[should_panic]`. `failed` tells whether the value that
/// the body returned makes the test fail.
///
/// # Panics
///
/// With the body's panic, or on a leak.
#[track_caller]
pub fn run<T>(case: Case, body: impl FnOnce() -> T, failed: impl FnOnce(&T) -> bool) -> T {
    let (returned, Outcome { headline, hangs, hooks }) = case.check(body);
    match (returned, headline, hooks) {
        // That unwind was ours, and says nothing.
        (Err(payload), Some(headline), _) if hangs && was_unwound(&*payload) => {
            panic!("{headline}")
        }
        (Err(payload), ..) => resume_unwind(payload),
        (Ok(value), ..) if failed(&value) => value,
        (Ok(_), Some(headline), _) => panic!("{headline}"),
        (Ok(_), None, Err(payload)) => resume_unwind(payload),
        (Ok(value), None, Ok(())) => value,
    }
}

/// Runs a test with `#[should_panic]`, where only a return makes it fail.
///
/// # Panics
///
/// With the body's panic, unless there is a leak.
pub fn run_should_panic(case: Case, body: impl FnOnce()) {
    let (returned, Outcome { headline, hooks, .. }) = case.check(body);
    let wrong = match (headline, hooks, &returned) {
        // By a guard's check inside of the body, which has said so.
        (None, Ok(()), Err(payload)) if was_unwound(&**payload) => {
            Some("leakcheck: the body hung (report above)".into())
        }
        (None, Ok(()), _) => None,
        (Some(headline), ..) => Some(headline),
        // Not the panic that the test is to end with, which is its body's.
        (None, Err(_), _) => {
            Some("leakcheck: what was to be done around the check panicked".into())
        }
    };
    if let Some(wrong) = wrong {
        eprintln!("{wrong}\nleakcheck: the test returns, so that #[should_panic] fails it");
    } else if let Err(payload) = returned {
        resume_unwind(payload);
    }
}

/// A returned value of any type, asked whether it is an `Err`. The attribute
/// asks at a place where the type is known and calls whichever `failed` needs
/// fewer references: for a `Result` that of [`IsResult`].
pub struct Returned<'a, T>(pub &'a T);

/// Implemented for results.
pub trait IsResult {
    /// Whether the value makes a test fail.
    fn failed(&self) -> bool;
}

/// Implemented for everything.
pub trait IsNoResult {
    /// Whether the value makes a test fail.
    fn failed(&self) -> bool;
}

impl<T, E> IsResult for Returned<'_, Result<T, E>> {
    fn failed(&self) -> bool {
        self.0.is_err()
    }
}

impl<T> IsNoResult for &Returned<'_, T> {
    fn failed(&self) -> bool {
        false
    }
}
