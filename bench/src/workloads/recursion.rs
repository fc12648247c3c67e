//! One task after another recurses to a depth and returns; an operation is one
//! task, from its start to its join. A level takes [`FRAME`] bytes here and in
//! Go, zeroes most of them and leaves a mark; whether that is so is checked in
//! every process. Beside it, cold: the first such task of the process, whose
//! stack nobody has touched yet.
//!
//! The classes fit: depths 100 and 1000 (29 and 288 KB) in the default class,
//! 10 000 (2.9 MB) in the one of 8 MiB.
//!
//! tokio has no part in it, because recursion of futures goes to the heap, and
//! may has none, because its stacks have one size that is given at the start:
//! neither has a stack that grows.

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::contenders;
use crate::sample::Sample;
use crate::workload::{Body, Case, Divide, Family, Row, Runtime, Sizes, identity};

pub(super) const FAMILY: Family = Family {
    name: "recursion",
    about: "start a task that recurses with frames of 288 bytes, wait for it",
    cases: &[
        Case {
            name: "recursion_100",
            procs: 2,
            sizes: Sizes { full: 50_000, quick: 10_000, warm: 1_000 },
            units: identity,
            want: identity,
            bodies: &[
                (Runtime::Gopark, Body::Measured(|warm, size| measure(100, USUAL, warm, size))),
                (Runtime::Go, Body::InGo),
            ],
            rows: &[hot("recursion_100"), cold("recursion_100_cold")],
        },
        Case {
            name: "recursion_1000",
            procs: 2,
            sizes: Sizes { full: 5_000, quick: 1_000, warm: 200 },
            units: identity,
            want: identity,
            bodies: &[
                (Runtime::Gopark, Body::Measured(|warm, size| measure(1_000, USUAL, warm, size))),
                (Runtime::Go, Body::InGo),
            ],
            rows: &[hot("recursion_1000"), cold("recursion_1000_cold")],
        },
        Case {
            name: "recursion_10000",
            procs: 2,
            sizes: Sizes { full: 500, quick: 200, warm: 50 },
            units: identity,
            want: identity,
            bodies: &[
                (Runtime::Gopark, Body::Measured(|warm, size| measure(10_000, LARGE, warm, size))),
                (Runtime::Go, Body::InGo),
            ],
            rows: &[hot("recursion_10000"), cold("recursion_10000_cold")],
        },
    ],
};

/// The default class, which needs no word.
const USUAL: Option<usize> = None;
/// A class that 2.9 MB fit in.
const LARGE: Option<usize> = Some(8 << 20);

/// The time of the first task of the process.
const FIRST: &str = "first_ns";

const fn hot(name: &'static str) -> Row {
    Row { name, value: Sample::ELAPSED, divide: Divide::Units(1e3), unit: "us" }
}

const fn cold(name: &'static str) -> Row {
    Row { name, value: FIRST, divide: Divide::By(1e3), unit: "us" }
}

/// Bytes from one level to the next.
const FRAME: usize = 288;
/// What makes a level that large; Go needs another number for it.
const PAD: usize = 240;

/// Where the last level of the latest recursion was.
static BOTTOM: AtomicUsize = AtomicUsize::new(0);

/// Returns the depth, added up from a mark in each level.
#[inline(never)]
fn descend(depth: u64) -> u64 {
    let mut pad = [0_u8; PAD];
    // The compiler must believe that the array is needed, on both sides of the
    // call.
    let pad = black_box(&mut pad);
    let at = depth as usize % 128;
    pad[at] = 1;
    if depth == 1 {
        BOTTOM.store(pad.as_ptr().addr(), Ordering::Relaxed);
        return u64::from(pad[at]);
    }
    let below = descend(depth - 1);
    below + u64::from(pad[at])
}

fn measure(depth: u64, limit: Option<usize>, warm: u64, size: u64) -> Result<Sample, String> {
    contenders::gopark::as_first_task(move || {
        let first = pass(depth, limit, 1)?;
        check_frame(depth, limit)?;
        pass(depth, limit, warm)?;
        let elapsed = pass(depth, limit, size)?;
        let sample = Sample::default().with(FIRST, first.as_nanos() as f64);
        Ok(sample.with(Sample::ELAPSED, elapsed.as_nanos() as f64))
    })
}

fn pass(depth: u64, limit: Option<usize>, size: u64) -> Result<Duration, String> {
    let start = Instant::now();
    let sum: u64 = (0..size).map(|_| in_task(limit, move || descend(depth))).sum();
    let elapsed = start.elapsed();
    if sum == depth * size {
        Ok(elapsed)
    } else {
        Err(format!("{size} times to depth {depth}: {sum} levels were counted"))
    }
}

fn in_task<T: Send + 'static>(
    limit: Option<usize>,
    body: impl FnOnce() -> T + Send + 'static,
) -> T {
    let task = match limit {
        None => gopark::go(body),
        Some(bytes) => {
            gopark::Builder::new().stack_limit(bytes).go(body).expect("there is address space")
        }
    };
    task.join().expect("the task returns")
}

/// Whether a level is as large as it says here. In a debug build it is not.
fn check_frame(depth: u64, limit: Option<usize>) -> Result<(), String> {
    let bottom = |depth| {
        descend(depth);
        BOTTOM.load(Ordering::Relaxed)
    };
    let frame = in_task(limit, move || bottom(depth) - bottom(depth + 1));
    if cfg!(debug_assertions) || frame.abs_diff(FRAME) <= 16 {
        Ok(())
    } else {
        Err(format!("a level takes {frame} bytes, not {FRAME}: adjust PAD"))
    }
}
