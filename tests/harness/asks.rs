//! The command line, as `cargo test` and nextest use it.

use crate::SAYS_GOODBYE;
use crate::support::Run;

fn ask(args: &[&str]) -> Run {
    let run = Run::of(args, &[(SAYS_GOODBYE, "1")]);
    run.ends_with(0);
    run
}

#[leakcheck::test]
fn lists() {
    let all = ask(&["--list", "--format", "terse"]);
    all.shows(&["asks::lists: test\n", "fixtures::leaves_one: test\n"]).hides(&["goodbye"]);
    let ignored = ask(&["--list", "--format", "terse", "--ignored"]);
    ignored.shows(&["fixtures::leaves_one: test\n"]).hides(&["asks::lists", "goodbye"]);
    let some = ask(&["--list", "--format", "terse", "fixtures::returns"]);
    some.shows(&["fixtures::returns_fine: test\n"]).hides(&["fixtures::leaves_one", "asks"]);
}

#[leakcheck::test]
fn helps() {
    ask(&["--help"]).shows(&["--exact"]).hides(&["goodbye"]);
}

#[leakcheck::test]
fn filters() {
    let exact = ask(&["--exact", "fixtures::is_clean", "--nocapture", "--ignored"]);
    exact.shows(&["running 1 test\n", "1 passed"]);
    let skipped = ask(&["fixtures::is_", "--include-ignored", "--skip", "fixtures::is_clean"]);
    skipped.shows(&["running 0 tests\n"]);
}

#[leakcheck::test]
fn what_is_ignored_is_not_run() {
    ask(&["fixtures::"]).shows(&["0 passed; 0 failed; 15 ignored", "goodbye with 0"]);
}

#[leakcheck::test]
fn one_thread_will_do() {
    let names = ["--ignored", "fixtures::returns_fine", "--test-threads=1"];
    ask(&names).shows(&["1 passed"]);
    let args = ["--ignored", "fixtures::returns_fine"];
    for threads in ["0", "1", "3"] {
        Run::of(&args, &[("RUST_TEST_THREADS", threads)]).ends_with(0).shows(&["1 passed"]);
    }
}
