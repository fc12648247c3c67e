//! Fibonacci numbers the wasteful way, with a task for every call: the whole
//! tree is spawned and joined. An operation is one task.
//!
//! may has no part in it: the tasks alive at once are more stacks than the
//! kernel lets it map.

use crate::workload::{Answer, Body, Case, Family, Row, Runtime, Sizes};

pub(super) const FAMILY: Family = Family {
    name: "fib",
    about: "fib(25) with a task for every call",
    cases: &[Case {
        name: "fib",
        procs: 2,
        sizes: Sizes { full: 25, quick: 25, warm: 20 },
        units: tasks,
        want: fibonacci,
        bodies: &[
            (
                Runtime::Gopark,
                Body::Plain(|n| gopark::go(move || gopark(n)).join().expect(RETURNS)),
            ),
            (Runtime::Go, Body::InGo),
            (
                Runtime::Tokio,
                Body::Future(|n| {
                    Box::pin(async move { tokio::spawn(tokio(n)).await.expect(RETURNS) })
                }),
            ),
        ],
        rows: &[Row::ns_per_unit("fib")],
    }],
};

const RETURNS: &str = "the task returns";

fn fibonacci(n: u64) -> u64 {
    (0..n).fold((0, 1), |(a, b), _| (b, a + b)).0
}

/// Calls that `fib(n)` makes, itself included.
fn tasks(n: u64) -> u64 {
    2 * fibonacci(n + 1) - 1
}

fn gopark(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let first = gopark::go(move || gopark(n - 1));
    let second = gopark::go(move || gopark(n - 2));
    first.join().expect(RETURNS) + second.join().expect(RETURNS)
}

fn tokio(n: u64) -> Answer {
    Box::pin(async move {
        if n < 2 {
            return n;
        }
        let first = tokio::spawn(tokio(n - 1));
        let second = tokio::spawn(tokio(n - 2));
        first.await.expect(RETURNS) + second.await.expect(RETURNS)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_tasks_is_that_of_the_calls() {
        fn calls(n: u64) -> u64 {
            if n < 2 { 1 } else { 1 + calls(n - 1) + calls(n - 2) }
        }
        for n in [0, 1, 2, 10, 15] {
            assert_eq!(tasks(n), calls(n), "fib({n})");
        }
    }
}
