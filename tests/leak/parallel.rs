//! Of eight tests at once, half of them leaking, each is blamed for its own.
//!
//! `GOPARK_PARALLEL_RUNS=500 cargo test -p gopark-tests --test leak parallel`
//! repeats it as often as the promise says.

use crate::support::{NO_DEADLINE, Run};
use std::env;

/// What each leaking test leaves, and nothing else.
const LEAKS: [(usize, usize, &str); 4] = [
    (0, 1, "blocked in `chan receive`"),
    (2, 2, "blocked in `chan send`"),
    (4, 1, "blocked in `sync.Mutex.Lock`"),
    (6, 1, "blocked in `chan receive`"),
];

#[test]
fn every_leak_in_its_own_test_and_none_elsewhere() {
    let runs =
        env::var("GOPARK_PARALLEL_RUNS").map_or(5, |runs| runs.parse().expect("a number of runs"));
    for n in 1..=runs {
        let all = ["--ignored", "fixtures::parallel::", "--test-threads=8"];
        let run = Run::of(&all, &[NO_DEADLINE]);
        run.must_have_run(8);
        let wrong = examine(&run.text);
        assert!(wrong.is_empty(), "run {n} of {runs}: {wrong:?}\n{}", run.text);
    }
}

/// What is wrong with a run, by its output.
fn examine(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for n in 0..8 {
        let name = format!("fixtures::parallel::test_{n}");
        let leak = LEAKS.iter().find(|(test, ..)| *test == n);
        let result = if leak.is_some() { "FAILED" } else { "ok" };
        if !text.contains(&format!("test {name} ... {result}\n")) {
            wrong.push(format!("{name} is not {result}"));
        }
        let said = section(text, &name);
        let Some((_, count, what)) = leak else {
            if !said.is_empty() {
                wrong.push(format!("{name} has a report"));
            }
            continue;
        };
        let tasks = if *count == 1 { "task" } else { "tasks" };
        if !said.contains(&format!("leakcheck: {count} {tasks} leaked by test {name}\n")) {
            wrong.push(format!("{name} did not leak {count}"));
        }
        if !said.contains(&format!("[1] {count} {tasks} {what}")) || said.contains("[2]") {
            wrong.push(format!("{name} did not leak only what is {what}"));
        }
        if !said.contains("nothing can wake") {
            wrong.push(format!("{name} was not decided by proof"));
        }
    }
    wrong
}

/// What libtest captured of one failed test.
fn section<'a>(text: &'a str, name: &str) -> &'a str {
    let head = format!("---- {name} stdout ----");
    let Some(start) = text.find(&head) else { return "" };
    let rest = &text[start + head.len()..];
    let end = rest.find("\n---- ").or_else(|| rest.find("\nfailures:"));
    &rest[..end.unwrap_or(rest.len())]
}
