//! The ways in, where the runtime does not exist: nothing is checked, and that
//! is said once. The shape is that of `verify.rs`.

use std::any::Any;
use std::convert::Infallible;
use std::fmt;
use std::io::{self, Write};
use std::sync::Once;

use crate::{Options, Search};

/// Finds nothing: the runtime does not exist on this target.
///
/// # Errors
///
/// None.
pub fn find(_: impl Into<Search>) -> Result<(), Leaks> {
    say_unchecked();
    Ok(())
}

/// Returns a guard that does nothing: the runtime does not exist on this target.
pub fn verify_none(_: Options) -> Guard {
    say_unchecked();
    Guard(())
}

/// Does nothing when it is dropped.
#[must_use = "the check is made when the guard is dropped, which is at once if it is not bound to a name"]
#[derive(Debug)]
pub struct Guard(());

/// Does not exist on this target.
#[must_use = "leaked tasks should be reported"]
#[derive(Debug)]
pub struct Leaks(Infallible);

impl Leaks {
    /// How many tasks were found.
    #[expect(clippy::len_without_is_empty, reason = "there is no value of this type")]
    #[must_use]
    pub fn len(&self) -> usize {
        match self.0 {}
    }
}

impl fmt::Display for Leaks {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {}
    }
}

impl std::error::Error for Leaks {}

/// Whose tasks a report would be about.
pub(crate) enum Subject {
    Test(String),
}

/// Never opened.
pub(crate) struct Session(Infallible);

impl Session {
    pub(crate) fn open(_: Subject, _: Options) -> Option<Session> {
        say_unchecked();
        None
    }

    pub(crate) fn finish(self) -> Outcome {
        match self.0 {}
    }
}

/// Never made.
pub(crate) struct Outcome {
    pub(crate) headline: Option<String>,
    pub(crate) hangs: bool,
    pub(crate) hooks: Result<(), Box<dyn Any + Send>>,
}

/// Nobody is unwound.
pub(crate) fn was_unwound(_: &(dyn Any + Send)) -> bool {
    false
}

/// Says it once per process, past libtest's capture of `eprintln`.
pub(crate) fn say_unchecked() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // A test must not fail because standard error is closed.
        let _ = writeln!(
            io::stderr(),
            "leakcheck: the gopark runtime does not support this target; tests run unchecked"
        );
    });
}

#[cfg(test)]
mod tests {
    use crate::{Filter, Options};

    #[leakcheck::verify_none]
    #[test]
    fn a_test_runs() {
        crate::find(&Filter::new()).unwrap();
    }

    #[test]
    #[leakcheck::verify_none(deadline = "5s")]
    fn with_a_result() -> Result<(), String> {
        let _guard = crate::verify_none(Options::new());
        Ok(())
    }

    #[leakcheck::verify_none]
    #[test]
    #[should_panic(expected = "its own words")]
    fn with_a_panic() {
        panic!("its own words");
    }
}
