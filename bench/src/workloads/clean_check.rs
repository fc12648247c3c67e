//! The verifier finds nothing. Measured with no other task in the process, and beside
//! ten thousand that are parked outside the scope.
//!
//! - The check alone: the scope's one task has ended.
//! - All that a test under `#[verify_none]` pays for it: a scope is opened and entered,
//!   its body watched, the scope checked and left. That body is empty.
//!
//! A figure is the median of many checks in one process.

use std::thread;
use std::time::{Duration, Instant};

use gopark::sync::WaitGroup;
use leakcheck::Filter;

use crate::sample::Sample;
use crate::stats::Stats;
use crate::workload::{Body, Case, Divide, Family, Row, Runtime, Sizes, identity};

pub(super) const FAMILY: Family = Family {
    name: "clean_check",
    about: "a leak check that finds nothing, alone and beside 10 000 tasks",
    cases: &[Case {
        name: "clean_check",
        procs: 2,
        sizes: Sizes { full: 2_000, quick: 500, warm: 50 },
        units: identity,
        want: identity,
        bodies: &[(Runtime::Gopark, Body::Measured(measure))],
        rows: &[
            row("clean_check", ALONE),
            row("clean_check_beside_10k", BESIDE),
            row("clean_test", TEST),
            row("clean_test_beside_10k", TEST_BESIDE),
            row("clean_test_first", FIRST),
        ],
    }],
};

const ALONE: &str = "alone_ns";
const BESIDE: &str = "beside_ns";
const TEST: &str = "test_ns";
const TEST_BESIDE: &str = "test_beside_ns";
const FIRST: &str = "first_ns";

const fn row(name: &'static str, value: &'static str) -> Row {
    Row { name, value, divide: Divide::By(1e3), unit: "us" }
}

/// Tasks outside the scope.
const OUTSIDE: usize = 10_000;

fn measure(warm: u64, size: u64) -> Result<Sample, String> {
    checks(warm)?;
    let alone = checks(size)?;
    tests(warm)?;
    let test = tests(size)?;
    firsts(warm)?;
    let first = firsts(size)?;
    let crowd = Crowd::parked();
    checks(warm)?;
    let beside = checks(size)?;
    let test_beside = tests(size)?;
    crowd.end()?;
    let sample = Sample::default().with(ALONE, alone).with(BESIDE, beside);
    Ok(sample.with(TEST, test).with(TEST_BESIDE, test_beside).with(FIRST, first))
}

/// A test; the attribute takes it for one as another attribute stands above.
#[inline(never)]
#[leakcheck::verify_none]
fn passes() {}

/// So many calls are timed together: the clock takes as long as a part of one.
const TOGETHER: u32 = 20;

/// The median of so many tests, in nanoseconds.
fn tests(size: u64) -> Result<f64, String> {
    let time = || {
        let start = Instant::now();
        (0..TOGETHER).for_each(|_| passes());
        start.elapsed().as_nanos() as f64 / f64::from(TOGETHER)
    };
    let times: Vec<_> = (0..size).map(|_| time()).collect();
    Ok(Stats::of(&times).ok_or("no test was asked for")?.median)
}

/// The same, each the first on a thread of its own, as the harness runs them.
fn firsts(size: u64) -> Result<f64, String> {
    let time = || {
        let start = Instant::now();
        passes();
        start.elapsed().as_nanos() as f64
    };
    let times: Result<Vec<_>, _> = (0..size).map(|_| thread::spawn(time).join()).collect();
    let times = times.map_err(|_| "a test failed")?;
    Ok(Stats::of(&times).ok_or("no test was asked for")?.median)
}

/// The median of so many checks, in nanoseconds.
fn checks(size: u64) -> Result<f64, String> {
    let times: Result<Vec<_>, _> = (0..size).map(|_| check()).collect();
    let times: Vec<_> = times?.iter().map(|time| time.as_nanos() as f64).collect();
    Ok(Stats::of(&times).ok_or("no check was asked for")?.median)
}

/// What a test does: a scope, a task that ends, a check.
fn check() -> Result<Duration, String> {
    let scope = gopark::Scope::new("clean");
    let entered = scope.enter();
    gopark::go(|| ()).join().map_err(|why| format!("the task failed: {why:?}"))?;
    let start = Instant::now();
    let found = leakcheck::find(&Filter::new());
    let elapsed = start.elapsed();
    drop(entered);
    match found {
        Ok(()) => Ok(elapsed),
        Err(leaks) => Err(format!("a clean scope has leaks: {leaks}")),
    }
}

/// Tasks of no scope that wait until they are told to end.
struct Crowd {
    gate: gopark::chan::Sender<()>,
    tasks: Vec<gopark::JoinHandle<()>>,
}

impl Crowd {
    fn parked() -> Crowd {
        let (gate, waiting) = gopark::chan::rendezvous::<()>();
        let started: &'static WaitGroup = Box::leak(Box::new(WaitGroup::new()));
        started.add(OUTSIDE);
        let tasks = (0..OUTSIDE).map(|_| {
            let waiting = waiting.clone();
            gopark::go(move || {
                started.done();
                assert!(waiting.recv().is_err(), "nobody sends");
            })
        });
        let tasks = tasks.collect();
        started.wait();
        Crowd { gate, tasks }
    }

    /// Lets them end and makes sure that all of them were alive.
    fn end(self) -> Result<(), String> {
        let alive = self.tasks.iter().filter(|task| !task.is_finished()).count();
        self.gate.close();
        let ended = self.tasks.into_iter().filter_map(|task| task.join().ok()).count();
        match (alive, ended) {
            (OUTSIDE, OUTSIDE) => Ok(()),
            _ => Err(format!("of {OUTSIDE} tasks outside, {alive} lived and {ended} ended well")),
        }
    }
}
