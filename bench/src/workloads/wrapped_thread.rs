//! An OS thread is made and joined, by a program in which `leakcheck` wraps
//! `pthread_create`: outside of every scope, where nothing is told of it, and in the
//! scope of a check. The row is what the second takes longer.
//!
//! Both are the median of many threads, which take turns, as what the system does
//! beside them takes longer than the difference.

use std::thread;
use std::time::Instant;

use leakcheck::Options;

use crate::sample::Sample;
use crate::stats::Stats;
use crate::workload::{Body, Case, Divide, Family, Row, Runtime, Sizes, identity};

pub(super) const FAMILY: Family = Family {
    name: "wrapped_thread",
    about: "what it costs that a thread belongs to the scope of a check",
    cases: &[Case {
        name: "wrapped_thread",
        procs: 2,
        sizes: Sizes { full: 20_000, quick: 4_000, warm: 200 },
        units: identity,
        want: identity,
        bodies: &[(Runtime::Gopark, Body::Measured(measure))],
        rows: &[row("thread_plain", PLAIN), row("thread_wrapped", MORE)],
    }],
};

const PLAIN: &str = "plain_ns";
const MORE: &str = "more_ns";

const fn row(name: &'static str, value: &'static str) -> Row {
    Row { name, value, divide: Divide::By(1e3), unit: "us" }
}

fn measure(warm: u64, size: u64) -> Result<Sample, String> {
    pairs(warm)?;
    let (plain, wrapped) = pairs(size)?;
    Ok(Sample::default().with(PLAIN, plain).with(MORE, wrapped - plain))
}

/// The medians of so many threads of each sort, in nanoseconds.
fn pairs(size: u64) -> Result<(f64, f64), String> {
    let mut plain = Vec::new();
    let mut wrapped = Vec::new();
    for _ in 0..size {
        plain.push(one()?);
        let check = leakcheck::verify_none(Options::new().name("threads"));
        wrapped.push(one()?);
        drop(check);
    }
    let median = |times: &[f64]| Stats::of(times).map(|stats| stats.median);
    median(&plain).zip(median(&wrapped)).ok_or_else(|| "no thread was asked for".to_owned())
}

/// One thread, in nanoseconds.
fn one() -> Result<f64, String> {
    let start = Instant::now();
    thread::spawn(|| ()).join().map_err(|_| "the thread failed")?;
    Ok(start.elapsed().as_nanos() as f64)
}
