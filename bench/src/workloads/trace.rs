//! What an execution trace takes of a program's speed: of a server with 64 connections, and
//! of a pool whose jobs compute for some twenty microseconds each. The trace goes to a file
//! in the folder for temporary ones.
//!
//! With a trace and without in turns, in one process, on 2 processors that have nothing
//! else to do: what the thread that writes the trace takes counts too.

use std::fs::File;
use std::hint::black_box;
use std::io::BufWriter;
use std::path::PathBuf;
use std::time::Instant;

use gopark::{chan, trace};

use super::echo;
use crate::contenders;
use crate::sample::Sample;
use crate::stats::Stats;
use crate::workload::{Body, Case, Divide, Family, Row, Runtime, Sizes, identity};

pub(super) const FAMILY: Family = Family {
    name: "trace",
    about: "what an execution trace takes of a server's speed and of a pool's",
    cases: &[
        Case {
            name: "trace_echo",
            procs: 2,
            sizes: Sizes { full: 64 * 400, quick: 64 * 250, warm: 64 },
            units: identity,
            want: identity,
            bodies: &[(Runtime::Gopark, Body::Measured(|_, size| lost(move || served(size))))],
            rows: &[percent("trace_echo")],
        },
        Case {
            name: "trace_pool",
            procs: 2,
            sizes: Sizes { full: 10_000, quick: 5_000, warm: 64 },
            units: identity,
            want: identity,
            bodies: &[(Runtime::Gopark, Body::Measured(|_, size| lost(move || computed(size))))],
            rows: &[percent("trace_pool")],
        },
    ],
};

const LOST: &str = "lost_permille";

const fn percent(name: &'static str) -> Row {
    Row { name, value: LOST, divide: Divide::By(10.0), unit: "%" }
}

/// Comparisons of a pass with a trace with those before and after it; one comes before them.
const TURNS: usize = 7;

/// What part of the speed of `pass` is lost, which says whether all was done.
fn lost(pass: impl Fn() -> bool + Send + 'static) -> Result<Sample, String> {
    contenders::gopark::as_first_task(move || {
        let time = || {
            let begun = Instant::now();
            if pass() { Ok(begun.elapsed().as_nanos() as f64) } else { Err("not all was done") }
        };
        let mut parts = Vec::new();
        for turn in 0..3 * TURNS {
            let before = time()?;
            let path = begin()?;
            let with = time()?;
            // With gaps it has cost less than it should.
            if end(&path)? && turn > 0 {
                let without = f64::midpoint(before, time()?);
                parts.push(1.0 - without / with);
            }
            if parts.len() == TURNS {
                break;
            }
        }
        let part = Stats::of(&parts).ok_or("no trace without gaps")?.median;
        Ok(Sample::default().with(LOST, 1000.0 * part))
    })
}

fn begin() -> Result<PathBuf, String> {
    let path = std::env::temp_dir().join(format!("gopark-bench-{}.trace", std::process::id()));
    let file = File::create(&path).and_then(|file| trace::start(BufWriter::new(file)));
    file.map(|()| path).map_err(|why| format!("a trace: {why}"))
}

/// Whether all is in it.
fn end(path: &PathBuf) -> Result<bool, String> {
    let ended = trace::stop().map_err(|why| format!("the trace: {why}"))?;
    std::fs::remove_file(path).map_err(|why| format!("the trace's file: {why}"))?;
    Ok(ended.lost == 0)
}

fn served(size: u64) -> bool {
    echo::gopark(size, 0) == size
}

/// Jobs that 8 workers take from a channel and whose results they send to another.
fn computed(size: u64) -> bool {
    let (jobs, todo) = chan::bounded::<u64>(64);
    let (results, done) = chan::bounded::<u64>(64);
    for _ in 0..8 {
        let (todo, results) = (todo.clone(), results.clone());
        gopark::go(move || {
            for job in todo {
                results.send(compute(job)).expect("somebody counts");
            }
        });
    }
    drop((todo, results));
    gopark::go(move || (0..size).for_each(|job| jobs.send(job).expect("somebody works")));
    done.into_iter().count() as u64 == size
}

/// Some twenty microseconds.
fn compute(job: u64) -> u64 {
    (0..20_000).fold(job, |sum, n| black_box(sum.rotate_left(5) ^ n))
}
