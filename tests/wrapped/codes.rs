//! Exit code × `run_on_failure` × leak × hooks, a test for each row.

use crate::support::Run;
use crate::{SETTINGS, run, run_with};

const LEFT: &str = "1 task leaked by test fixtures::leaves_one\n";

#[test]
fn clean_tests_end_with_0_in_silence() {
    run(&["is_clean", "uses_no_task"], "").ends_with(0).is_silent();
    run(&["uses_no_task"], "").ends_with(0).is_silent();
    run(&["is_clean"], "run_on_failure").ends_with(0).is_silent();
}

#[test]
fn a_leak_makes_it_1() {
    for settings in ["", "run_on_failure"] {
        let run = run(&["leaves_one"], settings);
        run.ends_with(1).shows(&[
            "test result: ok",
            LEFT,
            "all tests passed, but",
            "is 1 for that",
        ]);
    }
}

#[test]
fn tests_that_failed_keep_their_code_and_nobody_looks() {
    run(&["fails"], "").ends_with(101).is_silent();
    run(&["leaves_one_and_fails"], "").ends_with(101).is_silent();
    run(&["fails", "leaves_one"], "").ends_with(101).is_silent();
}

#[test]
fn unless_it_is_asked_for() {
    let run = run(&["fails", "leaves_one"], "run_on_failure");
    run.ends_with(101).shows(&[LEFT, "tests failed, and this one"]).hides(&["is 1 for that"]);
}

#[test]
fn tests_that_failed_and_left_nothing_are_met_with_silence() {
    run(&["fails"], "run_on_failure").ends_with(101).is_silent();
}

#[test]
fn hooks_are_told_the_code() {
    run(&["is_clean"], "hooks").ends_with(0).shows(&["before the check: 0\ncleanup: 0\n"]);
    run(&["leaves_one"], "hooks").ends_with(1).shows(&["before the check: 0\n", "cleanup: 1\n"]);
    let failed = run(&["fails"], "hooks");
    failed.ends_with(101).shows(&["before the check: 101\ncleanup: 101\n"]);
    let looked = run(&["leaves_one_and_fails"], "hooks run_on_failure");
    looked.ends_with(101).shows(&["before the check: 101\n", "cleanup: 101\n"]);
}

/// And the report stands between the two.
#[test]
fn hooks_come_before_and_after() {
    let run = run(&["leaves_one"], "hooks");
    let at = |what: &str| run.text.find(what).expect("said");
    assert!(at("before the check: ") < at(LEFT) && at(LEFT) < at("cleanup: "), "{}", run.text);
}

#[test]
fn a_panic_of_a_hook_makes_it_1() {
    run(&["is_clean"], "before_panics").ends_with(1).shows(&["before the check"]);
    run(&["is_clean"], "cleanup_panics").ends_with(1).shows(&["at the end"]);
    run(&["fails"], "cleanup_panics").ends_with(101);
    // The check is made all the same.
    run(&["leaves_one"], "before_panics").ends_with(1).shows(&[LEFT]);
}

#[test]
fn what_a_hook_stops_is_no_leak() {
    run(&["starts_a_server"], "").ends_with(1);
    run(&["starts_a_server"], "stops_the_server").ends_with(0).is_silent();
}

#[test]
fn lists_and_help_are_left_alone() {
    for args in [&["--list"][..], &["--list", "--format", "terse", "--ignored"], &["--help"]] {
        let run = Run::of(args, &[(SETTINGS, "hooks")]);
        run.ends_with(0).is_silent().hides(&["before the check", "cleanup:"]);
    }
}

/// As nextest starts it.
#[test]
fn one_test_a_process_is_the_same() {
    let args = &["--exact", "fixtures::leaves_one", "--nocapture", "--ignored"];
    let run = Run::of(args, &[]);
    run.must_have_run(1);
    run.ends_with(1).shows(&[LEFT]);
}

#[test]
fn nonsense_in_the_environment_is_no_check() {
    let args = &["--exact", "fixtures::uses_no_task", "--ignored"];
    let run = Run::of(args, &[("LEAKCHECK_SETTLE_MS", "soon")]);
    run.ends_with(1).shows(&["LEAKCHECK_SETTLE_MS is `soon`"]);
}

#[test]
fn what_ends_by_itself_is_waited_for() {
    run(&["leaves_one_that_ends_late"], "").ends_with(0).is_silent();
}

#[test]
fn but_not_for_ever() {
    let args = &["--exact", "fixtures::leaves_a_sleeper", "--ignored"];
    let run = Run::of(args, &[("LEAKCHECK_DEADLINE_MS", "50")]);
    run.ends_with(1).shows(&["by test fixtures::leaves_a_sleeper", "sleeping", "only in 59 min"]);
}

#[test]
fn daemons_and_what_is_filtered_may_stay() {
    run(&["leaves_a_daemon"], "").ends_with(0).is_silent();
    run(&["leaves_a_cache"], "").ends_with(1).shows(&["name:   cache"]);
    run(&["leaves_a_cache"], "ignores_the_cache").ends_with(0).is_silent();
}

/// The verdict of the many is the verdict of one.
#[test]
fn a_leak_beside_clean_tests_is_found() {
    let run = run_with(&["is_clean", "leaves_one", "uses_no_task"], "", &["--test-threads=3"]);
    run.ends_with(1).shows(&[LEFT]).hides(&["by test fixtures::is_clean"]);
}
