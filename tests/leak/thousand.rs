//! Of a thousand parallel tests a hundred leave something behind, and exactly those are
//! blamed, each for its own.
//!
//! `LEAKCHECK_THOUSAND_RUNS=50 cargo test -p gopark-tests --test leak thousand` repeats
//! it as often as the promise says.

use crate::fixtures::thousand::way;
use crate::support::Run;
use std::collections::HashMap;
use std::env;

const WAYS: [&str; 5] = [
    "blocked in `chan receive`",
    "blocked in `chan send`",
    "blocked in `sync.Mutex.Lock`",
    "blocked in `sync.WaitGroup.Wait`",
    "blocked in `select`",
];

#[test]
fn exactly_those_that_leak_are_blamed() {
    let runs = env::var("LEAKCHECK_THOUSAND_RUNS");
    let runs = runs.map_or(2, |runs| runs.parse().expect("a number of runs"));
    for n in 1..=runs {
        let all = ["--ignored", "fixtures::thousand::", "--test-threads=64"];
        let run = Run::of(&all, &[("LEAKCHECK_DEADLINE_MS", "2000")]);
        run.must_have_run(1000);
        let wrong = examine(&run.text);
        assert!(wrong.is_empty(), "run {n} of {runs}: {wrong:?}\n{}", run.text);
    }
}

fn name(number: u64) -> String {
    let (h, d, n) = (number / 100, number / 10 % 10, number % 10);
    format!("fixtures::thousand::h{h}::d{d}::n{n}")
}

/// What is wrong with a run, by its output.
fn examine(text: &str) -> Vec<String> {
    let results: HashMap<&str, &str> =
        text.lines().filter_map(|line| line.strip_prefix("test ")?.split_once(" ... ")).collect();
    let mut said: HashMap<&str, &str> = HashMap::new();
    for section in text.split("\n---- ").skip(1) {
        let (name, rest) = section.split_once(" stdout ----\n").expect("a head");
        said.insert(name, rest.split("\nfailures:").next().unwrap_or(rest));
    }
    let mut wrong = Vec::new();
    for number in 0..1000 {
        let name = name(number);
        let (result, said) = (results.get(&*name).copied(), said.get(&*name).copied());
        let Some(way) = way(number) else {
            if result != Some("ok") || said.is_some() {
                wrong.push(format!("{name} is {result:?}"));
            }
            continue;
        };
        let said = said.unwrap_or_default();
        let right = result == Some("FAILED")
            && said.contains(&format!("leakcheck: 1 task leaked by test {name}\n"))
            && said.contains(&format!("[1] 1 task {}", WAYS[way as usize]))
            && !said.contains("[2]");
        if !right {
            wrong.push(format!("{name} is {result:?} and says {said:?}"));
        }
    }
    wrong
}
