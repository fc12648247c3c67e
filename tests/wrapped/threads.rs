//! OS threads that are left: they are leaks here, and listed with the test that made
//! them.

use crate::support::Run;
use crate::{SETTINGS, run, run_with};

const LEFT: &str = "1 thread leaked by test fixtures::threads::leaves_one\n";

fn fixture(name: &str) -> String {
    format!("threads::{name}")
}

fn run_one(name: &str, settings: &str) -> Run {
    run(&[&fixture(name)], settings)
}

#[test]
fn one_is_a_leak_of_the_test_that_made_it() {
    let run = run_one("leaves_one", "");
    run.ends_with(1).shows(&[
        "all tests passed, but this one left something behind:\n    fixtures::threads::leaves_one\n",
        LEFT,
        "[1] 1 thread blocked in `futex`\n",
        "made here, by wrapped::left_threads::wait_for_ever\n",
        "= name:   left-over\n",
    ]);
}

#[test]
fn one_that_has_not_begun_to_run_is_alive() {
    let run = run_one("leaves_one_that_has_not_begun", "");
    run.ends_with(1).shows(&[
        "1 thread leaked by test fixtures::threads::leaves_one_that_has_not_begun\n",
        "[1] 1 thread about to begin\n",
    ]);
}

#[test]
fn each_test_has_its_own() {
    let names = ["leaves_one", "leaves_one_by_a_task", "joins_its_own", "leaves_a_task_too"];
    let names = names.map(fixture);
    let names = names.each_ref().map(String::as_str);
    for threads in ["--test-threads=1", "--test-threads=4"] {
        let run = run_with(&names, "", &[threads]);
        run.ends_with(1).shows(&[
            LEFT,
            "1 thread leaked by test fixtures::threads::leaves_one_by_a_task\n",
            "1 task and 1 thread leaked by test fixtures::threads::leaves_a_task_too\n",
        ]);
        run.hides(&["joins_its_own left", "by test fixtures::threads::joins", "belongs to no"]);
    }
}

#[test]
fn one_that_ends_by_itself_is_waited_for() {
    run_one("leaves_one_that_ends_late", "").ends_with(0).is_silent();
}

#[test]
fn unless_it_is_said_otherwise() {
    run_one("leaves_one", "no_threads").ends_with(0).is_silent();
    run_one("leaves_one", "ignores_the_thread").ends_with(0).is_silent();
    let args = &["--exact", "fixtures::threads::leaves_one", "--ignored"];
    Run::of(args, &[("LEAKCHECK_THREADS", "0")]).ends_with(0).is_silent();
    // Nobody knows who made it.
    Run::of(args, &[("LEAKCHECK_WRAP_THREADS", "0")]).ends_with(0).is_silent();
}

#[test]
fn those_that_serve_the_whole_program_are_none() {
    run_one("starts_pools", "").ends_with(0).is_silent();
    let names = [fixture("starts_pools"), fixture("leaves_one")];
    let run = run_with(&names.each_ref().map(String::as_str), "", &["--test-threads=1"]);
    run.ends_with(1).shows(&[LEFT]);
}

#[test]
fn a_thread_is_no_test_whatever_its_name() {
    let run = run_one("a_thread_named_like_a_test_leaves_a_task", "");
    run.ends_with(1).shows(&[
        "1 task leaked by test fixtures::threads::a_thread_named_like_a_test_leaves_a_task\n",
    ]);
    run.hides(&["by test helper"]);
    let run = run_one("a_pool_named_like_a_test_leaves_a_task", "");
    run.ends_with(1).shows(&["belongs to none of them", "belongs to no test:\nleakcheck: 1 task"]);
    run.hides(&["by test"]);
}

/// Where the check of the test was not told whether to look at threads, the end does.
#[test]
fn checked_tests_have_their_threads_looked_at() {
    let run = |name| run_one(name, "");
    run("is_verified_and_leaves_one").ends_with(1).shows(&[
        "this one left something behind:\n    fixtures::threads::is_verified_and_leaves_one\n",
        "1 thread leaked by test fixtures::threads::is_verified_and_leaves_one\n",
    ]);
    run("is_verified_and_may_leave_one").ends_with(0).is_silent();
    run("is_verified_and_ignores_one").ends_with(0).is_silent();
    let strict = run("is_verified_strictly_and_leaves_one");
    strict.ends_with(101);
    assert_eq!(strict.text.matches("leaves_one\n\n[1]").count(), 1, "{}", strict.text);
}

#[test]
fn machines_are_told() {
    let path = std::env::temp_dir().join(format!("leakcheck-{}.jsonl", std::process::id()));
    let variables = [
        ("LEAKCHECK_JSON", path.to_str().expect("text")),
        ("LEAKCHECK_GITHUB", "always"),
        (SETTINGS, ""),
    ];
    let args = &["--exact", "--ignored", "fixtures::threads::leaves_one", "fixtures::leaves_one"];
    let run = Run::of(args, &variables);
    let lines = std::fs::read_to_string(&path).expect("a file of reports");
    std::fs::remove_file(&path).expect("it is there");
    run.ends_with(1).shows(&[
        "::error file=",
        ",title=1 thread leaked by test fixtures%3A%3Athreads%3A%3Aleaves_one::1 thread blocked in ",
    ]);
    assert_eq!(lines.lines().count(), 2, "{lines}");
    for part in [
        r#""headline":"1 task leaked by test fixtures::leaves_one""#,
        r#""headline":"1 thread leaked by test fixtures::threads::leaves_one""#,
        r#""items":[{"kind":"thread","id":""#,
        r#""name":"left-over","what":"blocked in `futex`""#,
    ] {
        assert!(lines.contains(part), "{part}\n{lines}");
    }
}
