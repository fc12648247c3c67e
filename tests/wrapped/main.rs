//! A test program with libtest's own `main`, checked when it ends.
//!
//! | module | promise |
//! |---|---|
//! | `codes` | which exit code, and what is said, in every row of the table |
//! | `owners` | what is left is listed with the test that left it |
//! | `threads` | OS threads, of which the same is said |
//! | `handlers` | the end itself: other handlers, forked children, tests that exit |
//!
//! The tests of `fixtures` are ignored: the others run them in a process of their
//! own, which is this program again. Those that are not leave nothing behind, or this
//! program would fail.

mod codes;
mod fixtures;
mod handlers;
#[path = "../left_threads.rs"]
mod left_threads;
#[path = "../no_alloc.rs"]
mod no_alloc;
mod owners;
#[path = "../leak/support.rs"]
#[expect(dead_code, unused_imports, unused_macros, reason = "not all of it is used here")]
mod support;
mod threads;

use leakcheck::{Filter, TestMain};
use std::env;
use support::Run;

#[global_allocator]
static ALLOCATOR: no_alloc::Checked = no_alloc::Checked;

leakcheck::verify_test_main!(settings());

/// Says which settings the program has, one word each.
const SETTINGS: &str = "WRAPPED";

fn settings() -> TestMain {
    let words = env::var(SETTINGS).unwrap_or_default();
    words.split_whitespace().fold(TestMain::new(), |main, word| match word {
        "run_on_failure" => main.run_on_failure(true),
        "hooks" => main
            .before_check(|code| eprintln!("before the check: {code}"))
            .cleanup(|code| eprintln!("cleanup: {code}")),
        "before_panics" => main.before_check(|_| panic!("before the check")),
        "cleanup_panics" => main.cleanup(|_| panic!("at the end")),
        "stops_the_server" => main.before_check(|_| fixtures::stop_the_server()),
        "no_threads" => main.threads(false),
        "ignores_the_thread" => main.filter(Filter::new().ignore_name("left-over")),
        "ignores_the_cache" => main.filter(Filter::new().ignore_name("cache")),
        other => panic!("no such setting: {other}"),
    })
}

/// Runs these fixtures, with these settings.
fn run(fixtures: &[&str], settings: &str) -> Run {
    run_with(fixtures, settings, &[])
}

/// The same, with more arguments of the program.
fn run_with(fixtures: &[&str], settings: &str, args: &[&str]) -> Run {
    Run::fixtures(fixtures, &[(SETTINGS, settings)], args)
}

impl Run {
    /// Asserts that the program said nothing about leaks.
    #[track_caller]
    fn is_silent(&self) -> &Run {
        self.hides(&["leakcheck"])
    }
}
