//! A batch of tasks is started one after another; each leaves a mark and ends.
//!
//! may has no part in it: each of its stacks takes two mappings as soon as it
//! is spawned, and a batch runs into `vm.max_map_count`.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use gopark::sync::WaitGroup;
use tokio::sync::Notify;

use crate::workload::{Answer, Body, Case, Family, Row, Runtime, Sizes, identity};

pub(super) const FAMILY: Family = Family {
    name: "spawn",
    about: "start a batch of tasks and wait until all have finished",
    cases: &[Case {
        name: "spawn",
        procs: 2,
        sizes: Sizes { full: 1_000_000, quick: 300_000, warm: 30_000 },
        units: identity,
        want: identity,
        bodies: &[
            (Runtime::Gopark, Body::Plain(gopark)),
            (Runtime::Go, Body::InGo),
            (Runtime::Tokio, Body::Future(tokio)),
        ],
        rows: &[Row::ns_per_unit("spawn")],
    }],
};

/// A mark for every task. Lives for ever, so that tasks share it without
/// counting references, as Go's do.
struct Marks(&'static [AtomicU8]);

impl Marks {
    fn new(size: u64) -> Marks {
        let marks: Vec<_> = (0..size).map(|_| AtomicU8::new(0)).collect();
        Marks(marks.leak())
    }

    fn count(&self) -> u64 {
        self.0.iter().map(|mark| u64::from(mark.load(Ordering::Relaxed))).sum()
    }
}

fn gopark(size: u64) -> u64 {
    let marks = Marks::new(size);
    let all: &'static WaitGroup = Box::leak(Box::new(WaitGroup::new()));
    all.add(size as usize);
    for mark in marks.0 {
        gopark::go(move || {
            mark.store(1, Ordering::Relaxed);
            all.done();
        });
    }
    all.wait();
    marks.count()
}

fn tokio(size: u64) -> Answer {
    Box::pin(async move {
        let marks = Marks::new(size);
        let left: &'static AtomicU64 = Box::leak(Box::new(AtomicU64::new(size)));
        let done: &'static Notify = Box::leak(Box::new(Notify::new()));
        let tasks = marks.0;
        // Not from a worker: its own queue overflows at once, and tokio is
        // faster when the batch comes from outside.
        let spawner = tokio::task::spawn_blocking(move || {
            for mark in tasks {
                tokio::spawn(async move {
                    mark.store(1, Ordering::Relaxed);
                    if left.fetch_sub(1, Ordering::AcqRel) == 1 {
                        done.notify_one();
                    }
                });
            }
        });
        done.notified().await;
        spawner.await.expect("the spawner returns");
        marks.count()
    })
}
