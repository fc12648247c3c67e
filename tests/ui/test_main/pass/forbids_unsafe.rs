//! A crate that has no unsafe code can have the wrapped main.
#![forbid(unsafe_code)]
#![deny(warnings, missing_docs)]

use leakcheck::TestMain;

leakcheck::verify_test_main!(settings());

/// A name that the macro does not take for its own.
fn settings() -> TestMain {
    TestMain::new().run_on_failure(true)
}

fn main() {}
