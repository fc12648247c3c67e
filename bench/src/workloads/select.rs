//! One task selects over three unbuffered channels, each with a sender of its own;
//! an operation is one value that gets through.
//!
//! tokio has no unbuffered channel; its three hold a value each. may selects over
//! coroutines that it makes for each select: another workload.

use crate::workload::{Answer, Body, Case, Family, Row, Runtime, Sizes, identity, sum_below};

pub(super) const FAMILY: Family = Family {
    name: "select",
    about: "a select over three unbuffered channels, each with a sender",
    cases: &[
        Case {
            name: "select_1p",
            procs: 1,
            sizes: SIZES,
            units: identity,
            want: sum_below,
            bodies: &[
                (Runtime::Gopark, Body::Plain(gopark)),
                (Runtime::Go, Body::InGo),
                (Runtime::Tokio, Body::Future(tokio)),
            ],
            rows: &[Row::ns_per_unit("select_1p")],
        },
        Case {
            name: "select_2p",
            procs: 2,
            sizes: SIZES,
            units: identity,
            want: sum_below,
            bodies: &[
                (Runtime::Gopark, Body::Plain(gopark)),
                (Runtime::Go, Body::InGo),
                (Runtime::Tokio, Body::Future(tokio)),
                (Runtime::Crossbeam, Body::Plain(threads)),
            ],
            rows: &[Row::ns_per_unit("select_2p")],
        },
    ],
};

const SIZES: Sizes = Sizes { full: 1_000_000, quick: 100_000, warm: 10_000 };

/// The values below `size` that one of the senders sends.
fn share(side: u64, size: u64) -> impl Iterator<Item = u64> {
    (side..size).step_by(3)
}

fn gopark(size: u64) -> u64 {
    let [a, b, c] = [0, 1, 2].map(|side| {
        let (sender, receiver) = gopark::chan::rendezvous();
        gopark::go(move || {
            share(side, size).for_each(|value| sender.send(value).expect("it is open"));
            // Nobody looks at a channel that is closed.
            std::mem::forget(sender);
        });
        receiver
    });
    let mut sum = 0;
    for _ in 0..size {
        sum += gopark::select! {
            recv(a) -> value => value,
            recv(b) -> value => value,
            recv(c) -> value => value,
        }
        .expect("it is open");
    }
    sum
}

fn tokio(size: u64) -> Answer {
    Box::pin(async move {
        let [mut a, mut b, mut c] = [0, 1, 2].map(|side| {
            let (sender, receiver) = tokio::sync::mpsc::channel(1);
            tokio::spawn(async move {
                for value in share(side, size) {
                    sender.send(value).await.expect("it is open");
                }
                std::mem::forget(sender);
            });
            receiver
        });
        let mut sum = 0;
        for _ in 0..size {
            let value = tokio::select! {
                value = a.recv() => value,
                value = b.recv() => value,
                value = c.recv() => value,
            };
            sum += value.expect("it is open");
        }
        sum
    })
}

fn threads(size: u64) -> u64 {
    let [a, b, c] = [0, 1, 2].map(|side| {
        let (sender, receiver) = crossbeam_channel::bounded(0);
        std::thread::spawn(move || {
            share(side, size).for_each(|value| sender.send(value).expect("it is open"));
            std::mem::forget(sender);
        });
        receiver
    });
    let mut sum = 0;
    for _ in 0..size {
        sum += crossbeam_channel::select! {
            recv(a) -> value => value,
            recv(b) -> value => value,
            recv(c) -> value => value,
        }
        .expect("it is open");
    }
    sum
}
