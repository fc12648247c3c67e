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

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::Options;
use crate::verify::{Findings, Session, Subject};

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
    fn check<T>(self, body: impl FnOnce() -> T) -> (std::thread::Result<T>, Option<Findings>) {
        // The harness's name for the test has no crate in it.
        let name = self.path.split_once("::").map_or(self.path, |(_, name)| name);
        let session = Session::open(Subject::Test(name.to_owned()), self.options);
        // What the body may have left half done is not looked at again: the
        // panic goes on, or the test is over.
        let outcome = catch_unwind(AssertUnwindSafe(body));
        (outcome, session.and_then(Session::close))
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
    let (outcome, findings) = case.check(body);
    let headline = findings.map(Findings::publish);
    match (outcome, headline) {
        (Err(payload), _) => resume_unwind(payload),
        (Ok(value), Some(headline)) if !failed(&value) => panic!("{headline}"),
        (Ok(value), _) => value,
    }
}

/// Runs a test with `#[should_panic]`, where only a return makes it fail.
///
/// # Panics
///
/// With the body's panic, unless there is a leak.
pub fn run_should_panic(case: Case, body: impl FnOnce()) {
    let (outcome, findings) = case.check(body);
    if let Some(findings) = findings {
        let headline = findings.publish();
        eprintln!("{headline}\nleakcheck: the test returns, so that #[should_panic] fails it");
    } else if let Err(payload) = outcome {
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
