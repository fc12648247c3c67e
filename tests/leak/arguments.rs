//! Arguments of the attribute that leave something out, and what is called around a
//! check. Settings that are nonsense.

use crate::support::Run;

const BODY: &str = "the body's own words";

/// What it says, in this order.
#[track_caller]
fn in_order(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let at = rest.find(part).unwrap_or_else(|| panic!("no {part:?} in its place:\n{text}"));
        rest = &rest[at + part.len()..];
    }
}

#[test]
fn every_kind_of_ignore() {
    for name in ["top_function", "any_function", "created_by", "label"] {
        let run = Run::fixture(&format!("arguments::{name}"));
        assert!(run.passed, "{name} should pass:\n{}", run.text);
    }
    let run = Run::fixture("arguments::none_of_them");
    assert!(!run.passed, "{}", run.text);
    run.shows(&["1 task leaked by test fixtures::arguments::none_of_them"]);
}

/// There may be a mistake in it.
#[test]
fn a_rule_for_nothing_is_told_of_beside_a_leak() {
    let run = Run::fixture("arguments::none_of_them");
    let idle = "leakcheck: a rule of this check has left nothing out: ";
    run.shows(&[
        &format!("{idle}ignore_any_function exact(\"leak::fixtures::arguments::none\")\n"),
        &format!("{idle}ignore_name exact(\"none\")\n"),
        // Behind the report, before what became of the task.
        "\n\nleakcheck: 1 task ended by unwinding",
    ]);
    run.hides(&["ignore_current", "left nothing out: current"]);
    let run = Run::fixture("arguments::of_use_and_leaks");
    assert!(!run.passed, "{}", run.text);
    run.hides(&["left nothing out"]);
}

#[test]
fn before_and_after_a_check() {
    let run = Run::fixture("arguments::hooks_leak");
    assert!(!run.passed, "{}", run.text);
    in_order(
        &run.text,
        &[
            "before: 1 alive in fixtures::arguments::hooks_leak",
            "leakcheck: 1 task leaked",
            "1 task ended by unwinding",
            "after: in root",
            "(report above)",
        ],
    );
    let run = Run::fixture("arguments::hooks_panic");
    assert!(!run.passed, "{}", run.text);
    in_order(&run.text, &[BODY, "before: 0 alive in fixtures", "after: in root"]);
    run.hides(&["leakcheck:"]);
    let run = Run::fixture("arguments::before_stops_a_server");
    assert!(run.passed, "{}", run.text);
    let run = Run::fixture("arguments::a_guard_with_hooks");
    in_order(&run.text, &[BODY, "before: 1 alive in guard", "1 task leaked", "after: in root"]);
}

#[test]
fn what_is_called_may_panic() {
    let run = Run::fixture("arguments::before_panics");
    assert!(!run.passed, "{}", run.text);
    in_order(&run.text, &["words of before", "after: in root"]);
    for name in ["after_panics", "a_guard_with_a_hook_that_panics"] {
        let run = Run::fixture(&format!("arguments::{name}"));
        assert!(!run.passed, "{}", run.text);
        run.shows(&["words of "]);
    }
    let run = Run::fixture("arguments::all_panic_and_leak");
    assert!(!run.passed, "{}", run.text);
    in_order(&run.text, &[BODY, "words of before", "leakcheck: 1 task leaked", "words of after"]);
    for name in ["should_panic_of_a_hook", "should_panic_and_a_hook_too"] {
        let run = Run::fixture(&format!("arguments::{name}"));
        assert!(!run.passed, "{}", run.text);
        run.shows(&["words of after", "the test returns, so that #[should_panic] fails it"]);
    }
}

#[test]
fn an_environment_of_nonsense_fails_every_check() {
    let wrong = [
        ("LEAKCHECK_SETTLE_MS", "20ms", "is `20ms`, which is not a whole number of milliseconds"),
        ("LEAKCHECK_DEADLINE_MS", "", "is ``, which is not a whole number of milliseconds"),
        ("LEAKCHECK_HANG_MS", "-1", "is `-1`, which is not a whole number of milliseconds"),
        ("LEAKCHECK_THREADS", "yes", "is `yes`, which is neither 0 nor 1"),
        ("LEAKCHECK_CREATION_STACKS", "2", "is `2`, which is neither 0 nor 1"),
        ("LEAKCHECK_WRAP_THREADS", "no", "is `no`, which is neither 0 nor 1"),
        ("LEAKCHECK_DEADLINE", "5", "is no setting; did you mean LEAKCHECK_DEADLINE_MS?"),
    ];
    for (name, value, says) in wrong {
        let run = Run::of(&["--exact", "attribute::above"], &[(name, value)]);
        run.must_have_run(1);
        assert!(!run.passed, "{name}={value} should fail:\n{}", run.text);
        run.shows(&[&format!("leakcheck: {name} {says}")]);
    }
}
