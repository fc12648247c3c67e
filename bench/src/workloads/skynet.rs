//! A tree of tasks with ten children each and a million leaves sums the
//! numbers of its leaves over unbuffered channels. One row is the time of the
//! whole tree, one the most memory that the process had resident.
//!
//! tokio's channel holds one value, because it has no unbuffered one. may has no
//! part in it: the tasks alive at once are more stacks than the kernel lets it
//! map.

use crate::sample::Sample;
use crate::workload::{
    Answer, Body, Case, Divide, Family, Row, Runtime, Sizes, identity, sum_below,
};

pub(super) const FAMILY: Family = Family {
    name: "skynet",
    about: "a tree of tasks with a million leaves, and its peak memory",
    cases: &[Case {
        name: "skynet",
        procs: 2,
        sizes: Sizes { full: 1_000_000, quick: 1_000_000, warm: 10_000 },
        units: identity,
        want: sum_below,
        bodies: &[
            (Runtime::Gopark, Body::Plain(gopark)),
            (Runtime::Go, Body::InGo),
            (Runtime::Tokio, Body::Future(tokio)),
        ],
        rows: &[
            Row { name: "skynet", value: Sample::ELAPSED, divide: Divide::By(1e6), unit: "ms" },
            Row {
                name: "skynet_memory",
                value: Sample::PEAK,
                divide: Divide::By(1024.0),
                unit: "MiB",
            },
        ],
    }],
};

const WIDTH: u64 = 10;

/// First number and size of each child's part.
fn parts(first: u64, size: u64) -> impl Iterator<Item = (u64, u64)> {
    let share = size / WIDTH;
    (0..WIDTH).map(move |child| (first + child * share, share))
}

fn gopark(size: u64) -> u64 {
    let (sender, receiver) = gopark::chan::rendezvous();
    gopark::go(move || gopark_node(&sender, 0, size));
    receiver.recv().expect("the root sends")
}

fn gopark_node(result: &gopark::chan::Sender<u64>, first: u64, size: u64) {
    if size == 1 {
        return result.send(first).expect("the parent receives");
    }
    let (sender, receiver) = gopark::chan::rendezvous();
    for (first, share) in parts(first, size) {
        let sender = sender.clone();
        gopark::go(move || gopark_node(&sender, first, share));
    }
    let sum = (0..WIDTH).map(|_| receiver.recv().expect("a child sends")).sum();
    result.send(sum).expect("the parent receives");
}

fn tokio(size: u64) -> Answer {
    Box::pin(async move {
        let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
        tokio::spawn(tokio_node(sender, 0, size));
        receiver.recv().await.expect("the root sends")
    })
}

fn tokio_node(result: tokio::sync::mpsc::Sender<u64>, first: u64, size: u64) -> Answer {
    Box::pin(async move {
        let mut sum = first;
        if size > 1 {
            let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
            for (first, share) in parts(first, size) {
                tokio::spawn(tokio_node(sender.clone(), first, share));
            }
            sum = 0;
            for _ in 0..WIDTH {
                sum += receiver.recv().await.expect("a child sends");
            }
        }
        result.send(sum).await.expect("the parent receives");
        sum
    })
}
