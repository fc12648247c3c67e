//! Two tasks on one processor take turns; an operation is one yield.

use crate::workload::{Answer, Body, Case, Family, Row, Runtime, Sizes};

pub(super) const FAMILY: Family = Family {
    name: "yield",
    about: "two tasks on one processor yield to each other",
    cases: &[Case {
        name: "yield",
        procs: 1,
        sizes: Sizes { full: 2_000_000, quick: 500_000, warm: 50_000 },
        units: both,
        want: both,
        bodies: &[
            (Runtime::Gopark, Body::Plain(gopark)),
            (Runtime::Go, Body::InGo),
            (Runtime::Tokio, Body::Future(tokio)),
            (Runtime::May, Body::Plain(may)),
        ],
        rows: &[Row::ns_per_unit("yield")],
    }],
};

/// The size is what each of the two does.
fn both(size: u64) -> u64 {
    2 * size
}

fn gopark(size: u64) -> u64 {
    let side = move || {
        let mut count = 0;
        for _ in 0..size {
            gopark::yield_now();
            count += 1;
        }
        count
    };
    let sides = [gopark::go(side), gopark::go(side)];
    sides.into_iter().map(|side| side.join().expect("the task returns")).sum()
}

fn tokio(size: u64) -> Answer {
    Box::pin(async move {
        let sides = [tokio::spawn(tokio_side(size)), tokio::spawn(tokio_side(size))];
        let mut sum = 0;
        for side in sides {
            sum += side.await.expect("the task returns");
        }
        sum
    })
}

async fn tokio_side(size: u64) -> u64 {
    let mut count = 0;
    for _ in 0..size {
        tokio::task::yield_now().await;
        count += 1;
    }
    count
}

fn may(size: u64) -> u64 {
    let side = move || {
        let mut count = 0;
        for _ in 0..size {
            may::coroutine::yield_now();
            count += 1;
        }
        count
    };
    let sides = [may::go!(side), may::go!(side)];
    sides.into_iter().map(|side| side.join().expect("the coroutine returns")).sum()
}
