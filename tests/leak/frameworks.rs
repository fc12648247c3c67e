//! Above and below the attributes of other crates: `#[rstest]`, `#[test_log::test]`,
//! `#[tokio::test]`, and in a body of proptest's. Where only one order can work, the
//! other does not compile (`tests/ui/verify_none/`).

use crate::support::Run;

/// Each leaky one and its clean twin, as the harness names them, and how many tasks are
/// left.
const TESTS: [(&str, &str, usize); 10] = [
    ("rstest_above::cases::case_2_leaky", "rstest_above::cases::case_1_clean", 1),
    ("rstest_above::values::leak_2_true", "rstest_above::values::leak_1_false", 1),
    ("rstest_above::in_tokio::case_2_leaky", "rstest_above::in_tokio::case_1_clean", 1),
    ("rstest_below::leaky", "rstest_below::clean", 1),
    ("test_log_above::leaky", "test_log_above::clean", 1),
    ("test_log_below::leaky", "test_log_below::clean", 1),
    ("test_log_below::leaky_in_tokio", "test_log_below::clean_in_tokio", 1),
    // One for each case that proptest tries.
    ("proptest_body::above_leaky", "proptest_body::above_clean", 8),
    ("proptest_body::below_leaky", "proptest_body::below_clean", 8),
    ("proptest_body::below_leaky", "proptest_body::above_clean", 8),
];

#[test]
fn the_right_verdict_in_every_order() {
    let run = Run::of(&["--ignored", "fixtures::frameworks::"], &[]);
    run.must_have_run(18);
    for (leaky, clean, count) in TESTS {
        let (leaky, clean) =
            (format!("fixtures::frameworks::{leaky}"), format!("fixtures::frameworks::{clean}"));
        let tasks = if count == 1 { "task" } else { "tasks" };
        run.shows(&[
            &format!("test {leaky} ... FAILED\n"),
            &format!("test {clean} ... ok\n"),
            &format!("leakcheck: {count} {tasks} leaked by test {leaky}\n"),
        ]);
        run.hides(&[&format!("by test {clean}")]);
    }
}
