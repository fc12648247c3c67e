//! A test program with `harness = false`, whose tests are `#[leakcheck::test]`s.
//!
//! | module | promise |
//! |---|---|
//! | `ends` | every way a test can end, with and without a leak |
//! | `asks` | what is understood on the command line |
//!
//! The tests of `fixtures` are ignored: the others run them in a process of their
//! own, which is this program again.

mod asks;
mod ends;
mod fixtures;
#[path = "../no_alloc.rs"]
mod no_alloc;
#[path = "../leak/support.rs"]
#[expect(dead_code, unused_imports, unused_macros, reason = "not all of it is used here")]
mod support;

use leakcheck::TestMain;
use std::env;
use support::Run;

#[global_allocator]
static ALLOCATOR: no_alloc::Checked = no_alloc::Checked;

/// Set to make the end of the program say something.
const SAYS_GOODBYE: &str = "SAYS_GOODBYE";

leakcheck::test_main!(TestMain::new().cleanup(|code| {
    if env::var_os(SAYS_GOODBYE).is_some() {
        eprintln!("goodbye with {code}");
    }
}));

/// Runs these fixtures.
fn run(names: &[&str]) -> Run {
    Run::fixtures(names, &[(SAYS_GOODBYE, "1")], &[])
}
