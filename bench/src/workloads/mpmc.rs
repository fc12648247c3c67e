//! Four senders and four receivers share one channel, with a buffer of 1024
//! and without; an operation is one value that gets through.
//!
//! tokio has no such channel, and may's is unbounded: another workload.

use crate::workload::{Body, Case, Family, Row, Runtime, Sizes, identity, sum_below};

pub(super) const FAMILY: Family = Family {
    name: "mpmc",
    about: "four senders and four receivers on one channel",
    cases: &[
        Case {
            name: "mpmc_buffered",
            procs: 2,
            sizes: Sizes { full: 5_000_000, quick: 1_000_000, warm: 50_000 },
            units: identity,
            want: sum_below,
            bodies: &[
                (Runtime::Gopark, Body::Plain(|size| gopark(size, gopark::chan::bounded(BUFFER)))),
                (Runtime::Go, Body::InGo),
                (Runtime::Crossbeam, Body::Plain(|size| threads(size, BUFFER))),
            ],
            rows: &[Row::ns_per_unit("mpmc_buffered")],
        },
        Case {
            name: "mpmc_rendezvous",
            procs: 2,
            sizes: Sizes { full: 1_000_000, quick: 200_000, warm: 20_000 },
            units: identity,
            want: sum_below,
            bodies: &[
                (Runtime::Gopark, Body::Plain(|size| gopark(size, gopark::chan::rendezvous()))),
                (Runtime::Go, Body::InGo),
                (Runtime::Crossbeam, Body::Plain(|size| threads(size, 0))),
            ],
            rows: &[Row::ns_per_unit("mpmc_rendezvous")],
        },
    ],
};

const BUFFER: usize = 1024;
/// Senders, and receivers.
const SIDES: u64 = 4;

/// The values below `size` that one of the senders sends.
fn share(side: u64, size: u64) -> impl Iterator<Item = u64> {
    (side..size).step_by(SIDES as usize)
}

fn gopark(
    size: u64,
    (sender, receiver): (gopark::chan::Sender<u64>, gopark::chan::Receiver<u64>),
) -> u64 {
    let receivers: Vec<_> = (0..SIDES)
        .map(|_| {
            let receiver = receiver.clone();
            gopark::go(move || receiver.into_iter().sum::<u64>())
        })
        .collect();
    let senders: Vec<_> = (0..SIDES)
        .map(|side| {
            let sender = sender.clone();
            gopark::go(move || {
                share(side, size).for_each(|value| sender.send(value).expect("it is open"));
            })
        })
        .collect();
    senders.into_iter().for_each(|task| task.join().expect("a sender returns"));
    sender.close();
    receivers.into_iter().map(|task| task.join().expect("a receiver returns")).sum()
}

fn threads(size: u64, capacity: usize) -> u64 {
    let (sender, receiver) = crossbeam_channel::bounded(capacity);
    let receivers: Vec<_> = (0..SIDES)
        .map(|_| {
            let receiver = receiver.clone();
            std::thread::spawn(move || receiver.into_iter().sum::<u64>())
        })
        .collect();
    let senders: Vec<_> = (0..SIDES)
        .map(|side| {
            let sender = sender.clone();
            std::thread::spawn(move || {
                share(side, size).for_each(|value| sender.send(value).expect("it is open"));
            })
        })
        .collect();
    senders.into_iter().for_each(|thread| thread.join().expect("a sender returns"));
    drop(sender);
    receivers.into_iter().map(|thread| thread.join().expect("a receiver returns")).sum()
}
