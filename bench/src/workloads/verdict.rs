//! The verifier finds leaks: tasks parked for ever in a send, one or ten
//! thousand. The figure is the time of the check beyond its settle time.

use std::time::{Duration, Instant};

use leakcheck::Filter;

use crate::sample::Sample;
use crate::workload::{Body, Case, Divide, Family, Row, Runtime, Sizes, identity};

pub(super) const FAMILY: Family = Family {
    name: "verdict",
    about: "a leak check that finds one leak, and one that finds 10 000",
    cases: &[
        Case {
            name: "verdict_1",
            procs: 2,
            sizes: Sizes { full: 1, quick: 1, warm: 1 },
            units: identity,
            want: identity,
            bodies: &[(Runtime::Gopark, Body::Measured(measure))],
            rows: &[row("verdict_1")],
        },
        Case {
            name: "verdict_10k",
            procs: 2,
            sizes: Sizes { full: 10_000, quick: 10_000, warm: 1 },
            units: identity,
            want: identity,
            bodies: &[(Runtime::Gopark, Body::Measured(measure))],
            rows: &[row("verdict_10k")],
        },
    ],
};

const BEYOND: &str = "beyond_settle_ns";

const fn row(name: &'static str) -> Row {
    Row { name, value: BEYOND, divide: Divide::By(1e6), unit: "ms" }
}

/// The verifier's default; `run` keeps the environment from changing it.
const SETTLE: Duration = Duration::from_millis(20);

fn measure(warm: u64, size: u64) -> Result<Sample, String> {
    check(warm)?;
    let elapsed = check(size)?;
    let beyond = elapsed.checked_sub(SETTLE).ok_or("the verdict came before the settle time")?;
    Ok(Sample::default().with(BEYOND, beyond.as_nanos() as f64))
}

/// Leaks so many tasks in a scope of their own and times the verdict.
fn check(size: u64) -> Result<Duration, String> {
    let scope = gopark::Scope::new("leaking");
    let entered = scope.enter();
    for _ in 0..size {
        gopark::go(|| {
            let (sender, receiver) = gopark::chan::rendezvous();
            let sent = sender.send(());
            drop(receiver);
            sent
        });
    }
    let start = Instant::now();
    let found = leakcheck::find(&Filter::new());
    let elapsed = start.elapsed();
    drop(entered);
    let leaks = found.err().ok_or("the leaks were not found")?;
    let found = leaks.len() as u64;
    let ended = leaks.reap().ended as u64;
    if (found, ended) == (size, size) {
        Ok(elapsed)
    } else {
        Err(format!("of {size} leaks {found} were found and {ended} ended"))
    }
}
