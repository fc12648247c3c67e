//! OS threads are made and joined, by a program in which `leakcheck` wraps
//! `pthread_create`: outside of every scope, where nothing is told of them, and in the
//! scope of a check. One row is what the second takes longer.
//!
//! What the system does beside a thread takes much longer than the difference, and on a
//! busy machine varies by ten times of it. So the processor time of the whole process
//! counts, in which all work on both threads is and no waiting for each other, and small
//! batches of both sorts take turns: the figure is the median of the differences between
//! neighbours.

use std::thread;

use leakcheck::Options;

use crate::cpu;
use crate::sample::Sample;
use crate::stats::Stats;
use crate::workload::{Body, Case, Divide, Family, Row, Runtime, Sizes, identity};

pub(super) const FAMILY: Family = Family {
    name: "wrapped_thread",
    about: "what it costs that a thread belongs to the scope of a check",
    cases: &[Case {
        name: "wrapped_thread",
        procs: 2,
        sizes: Sizes { full: 1_000, quick: 300, warm: 20 },
        units: identity,
        want: identity,
        bodies: &[(Runtime::Gopark, Body::Measured(measure))],
        rows: &[row("thread_plain", PLAIN), row("thread_wrapped", MORE)],
    }],
};

const PLAIN: &str = "plain_ns";
const MORE: &str = "more_ns";

/// Threads of a batch, one after another.
const BATCH: u32 = 20;

const fn row(name: &'static str, value: &'static str) -> Row {
    Row { name, value, divide: Divide::By(1e3), unit: "us" }
}

fn measure(warm: u64, size: u64) -> Result<Sample, String> {
    pairs(warm)?;
    let (plain, more) = pairs(size)?;
    Ok(Sample::default().with(PLAIN, plain).with(MORE, more))
}

/// So many pairs of batches: the medians of what a thread takes outside of checks, and of
/// what it takes longer inside, in nanoseconds.
fn pairs(size: u64) -> Result<(f64, f64), String> {
    let mut plain = Vec::new();
    let mut more = Vec::new();
    for n in 0..size {
        // Who is first has the caches as the other's batch left them.
        let (one, other) = if n % 2 == 0 {
            let one = batch()?;
            (one, checked()?)
        } else {
            let other = checked()?;
            (batch()?, other)
        };
        plain.push(one);
        more.push(other - one);
    }
    let median = |times: &[f64]| Stats::of(times).map(|stats| stats.median);
    median(&plain).zip(median(&more)).ok_or_else(|| "no thread was asked for".to_owned())
}

/// A batch in a scope.
fn checked() -> Result<f64, String> {
    let check = leakcheck::verify_none(Options::new().name("threads"));
    let time = batch();
    drop(check);
    time
}

/// What one thread of a batch takes, in nanoseconds.
fn batch() -> Result<f64, String> {
    let start = cpu::time();
    for _ in 0..BATCH {
        thread::spawn(|| ()).join().map_err(|_| "a thread failed")?;
    }
    let time = cpu::time().saturating_sub(start);
    Ok(time.as_nanos() as f64 / f64::from(BATCH))
}
