//! Async tests of tokio: what is counted, and what is said of it.

use crate::support::Run;

fn run(name: &str) -> Run {
    Run::fixture(&format!("tokio::{name}"))
}

#[track_caller]
fn fails(name: &str) -> Run {
    let run = run(name);
    assert!(!run.passed, "{name} passed:\n{}", run.text);
    run
}

#[track_caller]
fn passes(name: &str) {
    let run = run(name);
    assert!(run.passed, "{name} failed:\n{}", run.text);
}

#[test]
fn tasks_that_are_alive_at_the_end_are_counted() {
    fails("leaves_two_tasks").shows(&[
        "leakcheck: 2 tokio tasks leaked by test fixtures::tokio::leaves_two_tasks\n",
        "[1] 2 tokio tasks alive when the body had ended\n",
        "tokio does not tell",
    ]);
    fails("leaves_one_in_a_pool").shows(&["leakcheck: 1 tokio task leaked by test"]);
    fails("renamed::leaves_a_task").shows(&["leakcheck: 1 tokio task leaked by test"]);
}

#[test]
fn tasks_that_end_in_time_are_waited_for() {
    passes("ends_in_time");
    passes("ends_in_time_in_a_pool");
}

#[test]
fn the_body_keeps_its_outcome() {
    fails("returns_an_error")
        .shows(&["Error: \"its own error\"", "leakcheck: 1 tokio task leaked"])
        .hides(&["report above"]);
    passes("panics_as_it_should");
}

#[test]
fn tasks_of_gopark_too() {
    fails("leaves_a_task_of_gopark").shows(&["leakcheck: 1 task leaked by test", "nothing can"]);
    fails("a_worker_leaves_a_task_of_gopark").shows(&["leakcheck: 1 task leaked by test"]);
}

#[test]
fn a_runtime_that_is_not_dropped() {
    fails("leaves_a_runtime").shows(&[
        "leakcheck: 2 tokio threads leaked by test",
        "why:    its `Runtime` was not dropped",
        "made here, by leak::fixtures::tokio::runtime\n",
    ]);
    passes("drops_a_runtime");
}

#[test]
fn a_closure_that_blocks_for_ever() {
    fails("leaves_a_blocking_closure").shows(&[
        "leakcheck: 1 tokio thread leaked by test",
        "[1] 1 tokio thread blocked in `futex`\n",
    ]);
}
