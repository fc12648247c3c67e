//! Many tasks sleep at the same time.
//!
//! Each of them is started, sleeps for a millisecond, and ends; the clock stops
//! when all have. With as many as there are, the first are awake before the last
//! are started: what is measured is the price of a timer, not the millisecond.
//! tokio's clock is a millisecond coarse and rounds up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::workload::{Answer, Body, Case, Family, Row, Runtime, Sizes, identity};

/// How long each task sleeps.
const NAP: Duration = Duration::from_millis(1);

pub(super) const FAMILY: Family = Family {
    name: "sleep",
    about: "200 k tasks sleep 1 ms",
    cases: &[Case {
        name: "sleep",
        procs: 2,
        sizes: Sizes { full: 200_000, quick: 200_000, warm: 200_000 },
        units: identity,
        want: identity,
        bodies: &[
            (Runtime::Gopark, Body::Plain(gopark)),
            (Runtime::Go, Body::InGo),
            (Runtime::Tokio, Body::Future(tokio)),
        ],
        rows: &[Row::ns_per_unit("sleep")],
    }],
};

fn gopark(size: u64) -> u64 {
    let woken = Arc::new(AtomicU64::new(0));
    let all = gopark::sync::WaitGroup::new();
    all.add(size as usize);
    for _ in 0..size {
        let (woken, all) = (woken.clone(), all.clone());
        gopark::go(move || {
            gopark::sleep(NAP);
            woken.fetch_add(1, Ordering::Relaxed);
            all.done();
        });
    }
    all.wait();
    woken.load(Ordering::Relaxed)
}

fn tokio(size: u64) -> Answer {
    Box::pin(async move {
        let tasks: Vec<_> = (0..size)
            .map(|_| {
                tokio::spawn(async {
                    tokio::time::sleep(NAP).await;
                    1
                })
            })
            .collect();
        let mut woken = 0;
        for task in tasks {
            woken += task.await.expect("the task returns");
        }
        woken
    })
}
