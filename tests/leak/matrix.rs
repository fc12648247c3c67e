//! How a test ends, for every way its body and its check can end.

use crate::support::Run;

const REPORT: &str = "blocked in `chan receive`";
const BODY: &str = "the body's own words";
const REAPED: &str = "leakcheck: 1 task ended by unwinding, 0 abandoned";

fn leaked_by(name: &str) -> String {
    format!("leakcheck: 1 task leaked by test fixtures::{name}")
}

#[track_caller]
fn passes(name: &str) {
    let run = Run::fixture(name);
    assert!(run.passed, "{name} should pass:\n{}", run.text);
    run.hides(&["leakcheck:"]);
}

/// Fails, and says these, beside a report of one leak.
#[track_caller]
fn fails_with_report(name: &str, says: &[&str]) -> Run {
    let run = Run::fixture(name);
    assert!(!run.passed, "{name} should fail:\n{}", run.text);
    run.shows(&[REPORT, REAPED, &leaked_by(name)]).shows(says);
    run
}

/// Fails, and says these, without a word of leaks.
#[track_caller]
fn fails_without_report(name: &str, says: &[&str]) {
    let run = Run::fixture(name);
    assert!(!run.passed, "{name} should fail:\n{}", run.text);
    run.shows(says).hides(&["leakcheck:"]);
}

#[test]
fn plain() {
    passes("matrix::plain_returns");
    fails_with_report("matrix::plain_returns_leak", &["(report above)"]);
    fails_without_report("matrix::plain_panics", &[BODY]);
    fails_with_report("matrix::plain_panics_leak", &[BODY]).hides(&["(report above)"]);
}

#[test]
fn result() {
    passes("matrix::result_ok");
    fails_with_report("matrix::result_ok_leak", &["(report above)"]);
    fails_without_report("matrix::result_err", &["Error: \"the body's own words\""]);
    let run = fails_with_report("matrix::result_err_leak", &["Error: \"the body's own words\""]);
    run.hides(&["(report above)", "panicked"]);
    fails_with_report("matrix::result_panics_leak", &[BODY]).hides(&["(report above)"]);
}

const NOT_PANICKED: &str = "test did not panic as expected";

#[test]
fn should_panic() {
    passes("matrix::bare_panics");
    fails_with_report("matrix::bare_panics_leak", &[NOT_PANICKED, BODY]);
    fails_without_report("matrix::bare_returns", &[NOT_PANICKED]);
    fails_with_report("matrix::bare_returns_leak", &[NOT_PANICKED]);
}

#[test]
fn should_panic_expected() {
    passes("matrix::expected_panics");
    fails_with_report("matrix::expected_panics_leak", &[NOT_PANICKED, BODY]);
    fails_without_report(
        "matrix::expected_panics_otherwise",
        &["panic did not contain expected string", BODY, "other words"],
    );
    fails_with_report("matrix::expected_panics_otherwise_leak", &[NOT_PANICKED, BODY]);
    fails_with_report("matrix::expected_returns_leak", &[NOT_PANICKED]);
}

#[test]
fn panics_that_nobody_saw() {
    let run = Run::fixture("matrix::unseen_panic");
    assert!(!run.passed, "{}", run.text);
    run.shows(&[
        "leakcheck: 1 task that nobody joined panicked in test fixtures::matrix::unseen_panic",
        "= says:   a task's words",
        "= name:   grumbler",
        "tests/leak/fixtures/matrix.rs:",
        "(report above)",
    ]);

    let run = Run::fixture("matrix::unseen_panic_and_leak");
    assert!(!run.passed, "{}", run.text);
    run.shows(&[
        "1 task leaked and 1 task that nobody joined panicked in test",
        REPORT,
        "a task's words",
    ]);

    let run = Run::fixture("matrix::bare_unseen_panic");
    assert!(!run.passed, "{}", run.text);
    run.shows(&[NOT_PANICKED, "= says:   a task's words"]);

    for (name, says) in [
        ("unseen_panic_of_a_timer", "= says:   a timer's words"),
        ("unseen_panic_with_a_handle", "= says:   a task's words"),
    ] {
        let run = Run::fixture(&format!("matrix::{name}"));
        assert!(!run.passed, "{}", run.text);
        run.shows(&[says, "made here", "tests/leak/fixtures/matrix.rs:", "(report above)"]);
    }

    let run = Run::fixture("matrix::joined_panic");
    assert!(run.passed, "{}", run.text);
    run.hides(&["leakcheck:"]);
}

#[test]
fn guard() {
    passes("matrix::guard_returns");
    let run = Run::fixture("matrix::guard_returns_leak");
    assert!(!run.passed, "{}", run.text);
    run.shows(&[
        REPORT,
        REAPED,
        "leakcheck: 1 task leaked in scope `a guard's scope` (report above)",
    ]);
    let run = Run::fixture("matrix::guard_panics_leak");
    assert!(!run.passed, "{}", run.text);
    run.shows(&[REPORT, REAPED, BODY]).hides(&["(report above)", "aborting"]);
    let run = Run::fixture("matrix::guard_dropped_leak");
    assert!(!run.passed, "{}", run.text);
    run.shows(&[REPORT, "(report above)"]).hides(&["never reached"]);
}

#[test]
fn ignored_tests_stay_ignored() {
    let run = Run::of(&["fixtures::matrix"], &[]);
    assert!(run.passed, "{}", run.text);
    run.shows(&["plain_returns_leak ... ignored, run by matrix.rs", "ok. 0 passed; 0 failed;"]);
}

#[test]
fn nonsense_in_the_environment_is_an_error() {
    let one = ["--ignored", "--exact", "fixtures::matrix::plain_returns"];
    for (variable, value) in [("LEAKCHECK_SETTLE_MS", "20ms"), ("LEAKCHECK_DEADLINE_MS", "soon")] {
        let run = Run::of(&one, &[(variable, value)]);
        assert!(!run.passed, "{}", run.text);
        let says = format!(
            "leakcheck: {variable} is `{value}`, which is not a whole number of milliseconds"
        );
        run.shows(&[&says]);
    }
}
