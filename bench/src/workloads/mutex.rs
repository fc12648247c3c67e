//! Four tasks count with one lock; an operation is one time that it was taken.
//!
//! tokio's mutex is a future's: one that waits yields to the runtime, which is what
//! its users pay. May's blocks its coroutine. Threads would measure the kernel.

use std::sync::Arc;

use crate::workload::{Answer, Body, Case, Family, Row, Runtime, Sizes, identity};

pub(super) const FAMILY: Family = Family {
    name: "mutex",
    about: "four tasks that take one lock",
    cases: &[Case {
        name: "mutex_contended",
        procs: 2,
        sizes: Sizes { full: 20_000_000, quick: 4_000_000, warm: 100_000 },
        units: identity,
        want: identity,
        bodies: &[
            (Runtime::Gopark, Body::Plain(gopark)),
            (Runtime::Go, Body::InGo),
            (Runtime::Tokio, Body::Future(tokio)),
            (Runtime::May, Body::Plain(may)),
        ],
        rows: &[Row::ns_per_unit("mutex_contended")],
    }],
};

/// How many tasks there are.
const TASKS: u64 = 4;

/// How often the task takes the lock.
fn share(task: u64, size: u64) -> u64 {
    size / TASKS + u64::from(task < size % TASKS)
}

fn gopark(size: u64) -> u64 {
    let count = Arc::new(gopark::sync::Mutex::new(0));
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let count = count.clone();
            gopark::go(move || (0..share(task, size)).for_each(|_| *count.lock() += 1))
        })
        .collect();
    tasks.into_iter().for_each(|task| task.join().expect("a task returns"));
    *count.lock()
}

fn tokio(size: u64) -> Answer {
    Box::pin(async move {
        let count = Arc::new(tokio::sync::Mutex::new(0));
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                let count = count.clone();
                tokio::spawn(async move {
                    for _ in 0..share(task, size) {
                        *count.lock().await += 1;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("a task returns");
        }
        *count.lock().await
    })
}

fn may(size: u64) -> u64 {
    let count = Arc::new(may::sync::Mutex::new(0));
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let count = count.clone();
            may::go!(move || {
                for _ in 0..share(task, size) {
                    *count.lock().expect("nobody panics") += 1;
                }
            })
        })
        .collect();
    tasks.into_iter().for_each(|task| task.join().expect("a task returns"));
    *count.lock().expect("nobody panics")
}
