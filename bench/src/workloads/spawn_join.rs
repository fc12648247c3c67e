//! A task is started, its value awaited, and only then the next one started.
//!
//! may has no part in it: it took about 30 us for one task, all of it waking
//! its other worker.

use crate::workload::{Answer, Body, Case, Family, Row, Runtime, Sizes, identity, sum_below};

pub(super) const FAMILY: Family = Family {
    name: "spawn_join",
    about: "start a task, wait for its value, start the next",
    cases: &[Case {
        name: "spawn_join",
        procs: 2,
        sizes: Sizes { full: 1_000_000, quick: 200_000, warm: 20_000 },
        units: identity,
        want: sum_below,
        bodies: &[
            (Runtime::Gopark, Body::Plain(gopark)),
            (Runtime::Go, Body::InGo),
            (Runtime::Tokio, Body::Future(tokio)),
        ],
        rows: &[Row::ns_per_unit("spawn_join")],
    }],
};

fn gopark(size: u64) -> u64 {
    (0..size).map(|i| gopark::go(move || i).join().expect("the task returns")).sum()
}

fn tokio(size: u64) -> Answer {
    Box::pin(async move {
        let mut sum = 0;
        for i in 0..size {
            sum += tokio::spawn(async move { i }).await.expect("the task returns");
        }
        sum
    })
}
