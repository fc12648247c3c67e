//! What is left is listed with the test that left it, and once.

use crate::support::Run;
use crate::{SETTINGS, run, run_with};

#[test]
fn each_test_has_its_own() {
    for threads in ["--test-threads=1", "--test-threads=4"] {
        let run = run_with(&["leaves_two", "is_clean", "leaves_one"], "", &[threads]);
        run.ends_with(1).shows(&[
            "all tests passed, but these left something behind:\n    fixtures::leaves_one\n    \
             fixtures::leaves_two\n\nleakcheck: 1 task leaked by test fixtures::leaves_one\n",
            "\nleakcheck: 2 tasks leaked by test fixtures::leaves_two\n",
            "nothing can wake it",
        ]);
        run.shows(&[" (the test itself, ended)\n"]);
        run.hides(&["is_clean left", "belongs to no", "by test fixtures::is_clean"]);
    }
}

#[test]
fn what_comes_late_has_the_same_owner() {
    let run = run(&["leaves_one_that_a_timer_started"], "");
    run.ends_with(1).shows(&["1 task leaked by test fixtures::leaves_one_that_a_timer_started\n"]);
}

#[test]
fn what_has_no_owner_is_listed_as_such() {
    let run = run(&["leaves_one_of_no_test"], "");
    run.ends_with(1).shows(&[
        "something is left that belongs to none of them\n",
        "What belongs to no test:\nleakcheck: 1 task leaked\n",
    ]);
    run.hides(&["by test"]);
}

#[test]
fn a_scope_has_its_name() {
    let run = run(&["leaves_one_in_a_scope", "leaves_one"], "");
    run.ends_with(1).shows(&["1 task leaked in scope `my pool`", "by test fixtures::leaves_one\n"]);
}

#[test]
fn a_panic_that_nobody_saw_is_left_behind() {
    let run = run_with(&["leaves_a_panic", "opens_scopes"], "", &["--test-threads=1"]);
    run.ends_with(1).shows(&[
        "this one left something behind:\n    fixtures::leaves_a_panic\n",
        "1 task that nobody joined panicked in test fixtures::leaves_a_panic\n",
        "says:   nobody will see this",
    ]);
}

#[test]
fn what_was_verified_is_not_counted_twice() {
    let alone = run(&["is_verified_and_leaves_one"], "run_on_failure");
    alone.ends_with(101).hides(&["tests failed, and"]);
    let reports = |run: &Run| run.text.matches("leaves_one\n\n[1]").count();
    assert_eq!(reports(&alone), 1, "{}", alone.text);
    let fixtures = ["is_verified_and_leaves_one", "leaves_one", "is_verified_and_ignores_one"];
    let beside = run(&fixtures, "run_on_failure");
    beside.ends_with(101).shows(&["left something behind:\n    fixtures::leaves_one\n\n"]);
    assert_eq!(reports(&beside), 2, "{}", beside.text);
}

#[test]
fn what_could_not_be_ended_is_not_counted_twice() {
    let run = run(&["is_verified_and_leaves_one_for_good"], "run_on_failure");
    run.ends_with(101).shows(&["1 abandoned"]).hides(&["tests failed, and"]);
}

#[test]
fn what_was_left_out_stays_left_out() {
    run(&["is_verified_and_ignores_one"], "").ends_with(0).is_silent();
}

/// By the environment: what a program states is not known before its tests.
#[test]
fn creation_stacks_are_kept_if_asked_for() {
    let asked = [(SETTINGS, ""), ("LEAKCHECK_CREATION_STACKS", "1")];
    let run = Run::fixtures(&["leaves_one"], &asked, &[]);
    run.ends_with(1)
        .shows(&["= stack:  wrapped::fixtures::leave at tests/wrapped/fixtures/mod.rs:"]);
    let run = Run::fixtures(&["leaves_one"], &asked[..1], &[]);
    run.ends_with(1).hides(&["= stack:"]);
}
