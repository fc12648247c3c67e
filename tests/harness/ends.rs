//! Every way a test can end.

use crate::run;

const REPORT: &str = "leakcheck: 1 task leaked by test fixtures::";

#[leakcheck::test]
fn a_clean_test_passes() {
    run(&["is_clean"]).ends_with(0).shows(&["test fixtures::is_clean", "1 passed"]);
    run(&["returns_fine"]).ends_with(0).shows(&["1 passed"]).hides(&["leakcheck"]);
}

#[leakcheck::test]
fn a_leak_fails_it() {
    let run = run(&["leaves_one"]);
    run.ends_with(101).shows(&[
        "leakcheck: 1 task leaked by test fixtures::leaves_one\n",
        "nothing can wake it",
        "1 task leaked by test fixtures::leaves_one (report above)",
        "1 failed",
    ]);
}

#[leakcheck::test]
fn a_failure_keeps_its_words() {
    run(&["fails"]).ends_with(101).shows(&["in its own words"]).hides(&["leakcheck:"]);
    run(&["fails_and_leaves_one"]).ends_with(101).shows(&["in its own words", REPORT]);
    run(&["returns_an_error"]).ends_with(101).shows(&["no luck"]).hides(&["leakcheck:"]);
    run(&["returns_an_error_and_leaves_one"]).ends_with(101).shows(&["no luck", REPORT]);
    run(&["returns_a_code"]).ends_with(101).shows(&["what a program would fail with"]);
}

#[leakcheck::test]
fn a_panic_that_should_be() {
    run(&["panics_as_it_should"]).ends_with(0);
    run(&["says_what_it_should"]).ends_with(0);
    run(&["does_not_panic"]).ends_with(101).shows(&["did not panic as it should"]);
    let other = run(&["says_something_else"]);
    other.ends_with(101).shows(&[r#"should say "sold out", but says "out of order""#]);
}

#[leakcheck::test]
fn a_leak_beside_a_panic_that_should_be() {
    let run = run(&["panics_as_it_should_and_leaves_one"]);
    run.ends_with(101).shows(&[REPORT, "did not panic as it should"]);
}

/// And it is not looked at again at the end.
#[leakcheck::test]
fn what_may_stay_stays() {
    run(&["leaves_one_that_may_stay"]).ends_with(0).hides(&["leakcheck:"]);
}

#[leakcheck::test]
fn the_end_is_looked_at_if_it_is_asked_for() {
    let run = run(&["leaves_one_of_no_test"]);
    run.ends_with(1).shows(&["1 passed", "What belongs to no test:", "goodbye with 1"]);
}

#[leakcheck::test]
fn the_end_is_told_the_code() {
    run(&["is_clean"]).ends_with(0).shows(&["goodbye with 0"]);
    run(&["fails"]).ends_with(101).shows(&["goodbye with 101"]);
}
