//! What an execution trace takes of a program's speed: of a server with 64 connections, and
//! of a pool whose jobs compute for some twenty microseconds each. The trace goes to a file
//! in the folder for temporary ones.
//!
//! With a trace and without in turns, while the same connections and the same pool go on,
//! on 2 processors that have nothing else to do. Processor time is compared, of the whole
//! process: what the thread that writes the trace takes counts too.

use std::fs::File;
use std::hint::black_box;
use std::io::BufWriter;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use gopark::{chan, trace};

use super::echo;
use crate::contenders;
use crate::cpu;
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
            sizes: SIZES,
            units: identity,
            want: identity,
            bodies: &[(
                Runtime::Gopark,
                Body::Measured(|_, size| lost(size, echo::exchange_until)),
            )],
            rows: &[percent("trace_echo")],
        },
        Case {
            name: "trace_pool",
            procs: 2,
            sizes: SIZES,
            units: identity,
            want: identity,
            bodies: &[(Runtime::Gopark, Body::Measured(|_, size| lost(size, compute_until)))],
            rows: &[percent("trace_pool")],
        },
    ],
};

/// Comparisons.
const SIZES: Sizes = Sizes { full: 50, quick: 25, warm: 1 };

const LOST: &str = "lost_permille";

const fn percent(name: &'static str) -> Row {
    Row { name, value: LOST, divide: Divide::By(10.0), unit: "%" }
}

/// A trace is switched on and off in turns while the traffic goes on.
const TURN: Duration = Duration::from_millis(60);

/// What part of its processor time the traffic loses while there is a trace, in so many
/// comparisons, each with a turn before it and one after it. `traffic` goes on until it is
/// told to stop, and counts what it does.
fn lost(
    comparisons: u64,
    traffic: impl FnOnce(&Arc<AtomicBool>, &Arc<AtomicU64>) + Send + 'static,
) -> Result<Sample, String> {
    contenders::gopark::as_first_task(move || {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let traffic = gopark::go({
            let (stop, done) = (stop.clone(), done.clone());
            move || traffic(&stop, &done)
        });
        let parts = compare(comparisons, &done);
        stop.store(true, Ordering::Relaxed);
        traffic.join().map_err(|_| "the traffic has ended early")?;
        let part = Stats::of(&parts?).ok_or("nothing was compared")?.median;
        Ok(Sample::default().with(LOST, 1000.0 * part))
    })
}

fn compare(comparisons: u64, done: &AtomicU64) -> Result<Vec<f64>, String> {
    let price = || {
        let (taken, before) = (cpu::time(), done.load(Ordering::Relaxed));
        gopark::sleep(TURN);
        let count = done.load(Ordering::Relaxed) - before;
        (cpu::time() - taken).as_secs_f64() / count as f64
    };
    // The first ones are there to be warm.
    let (mut parts, mut before, mut left) = (Vec::new(), price(), comparisons + 1);
    for _ in 0..3 * comparisons {
        let path = begin()?;
        let with = price();
        let whole = end(&path)?;
        let after = price();
        // With gaps it has cost less than it should.
        if whole {
            parts.push(1.0 - f64::midpoint(before, after) / with);
            left -= 1;
        }
        if left == 0 {
            break;
        }
        before = after;
    }
    parts.drain(..parts.len().min(1));
    Ok(parts)
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

/// Jobs that 8 workers take from a channel and whose results they send to another.
fn compute_until(stop: &Arc<AtomicBool>, count: &Arc<AtomicU64>) {
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
    let stop = stop.clone();
    gopark::go(move || {
        let more = |_: &u64| !stop.load(Ordering::Relaxed);
        (0..).take_while(more).for_each(|job| jobs.send(job).expect("somebody works"));
    });
    done.into_iter().for_each(|_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
}

/// Some twenty microseconds.
fn compute(job: u64) -> u64 {
    (0..20_000).fold(job, |sum, n| black_box(sum.rotate_left(5) ^ n))
}
