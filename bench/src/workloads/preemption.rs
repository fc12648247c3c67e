//! Tasks that compute without a call of the runtime, and what others get beside
//! them: how late a sleeper wakes beside one; what their being suspended costs them;
//! and what two of them keep while two hundred others block in system calls that
//! nobody declares.
//!
//! Futures cannot be suspended, nor can the coroutines of may: only Go takes part.

use std::hint::black_box;
use std::io::{Read, Write, pipe};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use crate::contenders::gopark::{start, start_sliced};
use crate::sample::Sample;
use crate::stats::Stats;
use crate::workload::{Body, Case, Divide, Family, Mode, Row, Runtime, Sizes, identity};

pub(super) const FAMILY: Family = Family {
    name: "preemption",
    about: "sleepers and blocking calls beside busy loops, and what that costs the loops",
    cases: &[
        Case {
            name: "wake_delay",
            procs: 1,
            sizes: NAPS,
            units: identity,
            want: identity,
            bodies: &[(Runtime::Gopark, Body::Itself(wake_10ms)), (Runtime::Go, Body::InGo)],
            rows: &[ms("wake_delay_mean", MEAN), ms("wake_delay_worst", WORST)],
        },
        Case {
            name: "wake_delay_1ms",
            procs: 1,
            sizes: NAPS,
            units: identity,
            want: identity,
            bodies: &[(Runtime::Gopark, Body::Itself(wake_1ms)), (Runtime::Go, Body::InGo)],
            rows: &[ms("wake_delay_1ms_mean", MEAN), ms("wake_delay_1ms_worst", WORST)],
        },
        Case {
            name: "preempted_compute",
            procs: 2,
            sizes: Sizes { full: 5, quick: 2, warm: 1 },
            units: identity,
            want: identity,
            bodies: &[(Runtime::Gopark, Body::Itself(pairs))],
            rows: &[percent("preempted_compute", COST), percent("preempted_sharing", SHARING)],
        },
        Case {
            name: "undeclared_reads",
            procs: 2,
            sizes: Sizes { full: 2_000, quick: 1_000, warm: 100 },
            units: identity,
            want: identity,
            bodies: &[(Runtime::Gopark, Body::Measured(undeclared))],
            rows: &[percent("undeclared_reads", LOST)],
        },
    ],
};

const NAPS: Sizes = Sizes { full: 60, quick: 10, warm: 2 };

const MEAN: &str = "mean_ns";
const WORST: &str = "worst_ns";
const COST: &str = "cost";
const SHARING: &str = "sharing";
const LOST: &str = "lost";

const fn ms(name: &'static str, value: &'static str) -> Row {
    Row { name, value, divide: Divide::By(1e6), unit: "ms" }
}

const fn percent(name: &'static str, value: &'static str) -> Row {
    Row { name, value, divide: Divide::By(0.01), unit: "%" }
}

/// How long the sleeper means to sleep.
const NAP: Duration = Duration::from_millis(5);

/// The default, which is Go's.
fn wake_10ms(mode: Mode, warm: u64, size: u64) -> Result<Sample, String> {
    start(mode, 1)?;
    wake(warm, size)
}

fn wake_1ms(mode: Mode, warm: u64, size: u64) -> Result<Sample, String> {
    start_sliced(mode, 1, Duration::from_millis(1))?;
    wake(warm, size)
}

fn wake(warm: u64, size: u64) -> Result<Sample, String> {
    let (tell, told) = mpsc::channel();
    gopark::go(move || {
        let _ = tell.send(());
        let mut turns = 0_u64;
        loop {
            turns = black_box(turns + 1);
        }
    });
    told.recv().map_err(|_| "the loop did not start")?;
    let sleeper = gopark::go(move || {
        let nap = |_| {
            let begun = Instant::now();
            gopark::sleep(NAP);
            begun.elapsed().saturating_sub(NAP).as_nanos() as f64
        };
        (0..warm).for_each(|n| _ = nap(n));
        (0..size).map(nap).collect::<Vec<_>>()
    });
    let late = sleeper.join().map_err(|_| "the sleeper ended early")?;
    let mean = late.iter().sum::<f64>() / late.len() as f64;
    let worst = late.iter().copied().fold(0.0, f64::max);
    Ok(Sample::default().with(MEAN, mean).with(WORST, worst))
}

/// Names a process that takes one time of a pair.
const ONE_TIME: &str = "GOPARK_BENCH_ONE_TIME";
/// Turns of each of the tasks that compute.
const WORK: u64 = 200_000_000;

/// The same program with tasks suspended and without, in processes that take turns.
/// How much more the first needs, as parts: the medians of the pairs.
fn pairs(mode: Mode, _warm: u64, size: u64) -> Result<Sample, String> {
    if std::env::var_os(ONE_TIME).is_some() {
        start(mode, 2)?;
        return one_time();
    }
    let (mut costs, mut sharing) = (Vec::new(), Vec::new());
    for round in 0..size {
        let (with, without);
        if round % 2 == 0 {
            with = again("asyncpreemptoff=0")?;
            without = again("asyncpreemptoff=1")?;
        } else {
            without = again("asyncpreemptoff=1")?;
            with = again("asyncpreemptoff=0")?;
        }
        let more = |value| Ok::<_, String>(with.get(value)? / without.get(value)? - 1.0);
        costs.push(more(COST)?);
        sharing.push(more(SHARING)?);
    }
    let median = |of: &[f64]| Stats::of(of).map(|of| of.median).ok_or("no pair was asked for");
    Ok(Sample::default().with(COST, median(&costs)?).with(SHARING, median(&sharing)?))
}

/// One process of a pair.
fn again(setting: &str) -> Result<Sample, String> {
    let this = std::env::current_exe().map_err(|why| format!("this program: {why}"))?;
    let mut command = Command::new(this);
    command.args(std::env::args_os().skip(1)).env(ONE_TIME, "").env("GOPARK_DEBUG", setting);
    let done = command.output().map_err(|why| format!("starting a process: {why}"))?;
    Sample::find(&String::from_utf8_lossy(&done.stdout))
}

/// How long two tasks take on two processors; and how much is computed, all threads
/// of the runtime included, when four share them, so that somebody waits all the time.
/// (The time of those four would show their end as well, where tasks that have shared
/// fairly leave a processor idle for a slice.)
fn one_time() -> Result<Sample, String> {
    let begun = Instant::now();
    together(2)?;
    let elapsed = begun.elapsed().as_nanos() as f64;
    let before = computed()?;
    together(4)?;
    Ok(Sample::default().with(COST, elapsed).with(SHARING, computed()? - before))
}

fn together(count: u64) -> Result<(), String> {
    let tasks: Vec<_> = (0..count).map(|n| gopark::go(move || compute(n, WORK))).collect();
    tasks
        .into_iter()
        .try_for_each(|task| task.join().map(drop).map_err(|_| "a task ended early".to_owned()))
}

/// What the threads of this process have computed, in nanoseconds.
fn computed() -> Result<f64, String> {
    let threads = std::fs::read_dir("/proc/self/task").map_err(|why| why.to_string())?;
    let of = |thread: std::io::Result<std::fs::DirEntry>| {
        let path = thread.ok()?.path().join("schedstat");
        // Time on a CPU, time waiting for one, turns.
        std::fs::read_to_string(path).ok()?.split(' ').next()?.parse::<f64>().ok()
    };
    Ok(threads.filter_map(of).sum())
}

fn compute(seed: u64, turns: u64) -> u64 {
    (0..turns)
        .fold(seed, |x, n| black_box(x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(n)))
}

/// Tasks that block, for how long, and how often.
const BLOCKING: u64 = 200;
const BLOCKED: Duration = Duration::from_millis(50);
const EVERY: Duration = Duration::from_secs(1);

/// What two tasks that compute on two processors lose of their speed while the
/// others read from pipes, as a part.
fn undeclared(warm: u64, size: u64) -> Result<Sample, String> {
    let turns: Arc<[AtomicU64; 2]> = Arc::default();
    for n in 0..2 {
        let turns = turns.clone();
        gopark::go(move || {
            let mut x = n as u64;
            loop {
                x = compute(x, 1000);
                turns[n].fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let speed = |ms: u64| {
        let all = || turns.iter().map(|n| n.load(Ordering::Relaxed)).sum::<u64>();
        let (begun, before) = (Instant::now(), all());
        std::thread::sleep(Duration::from_millis(ms));
        (all() - before) as f64 / begun.elapsed().as_secs_f64()
    };
    // Each has a processor, and its worker.
    while turns.iter().any(|n| n.load(Ordering::Relaxed) == 0) {
        std::thread::yield_now();
    }
    speed(warm);
    let alone = speed(size);
    let reads = crowd()?;
    // All have read for the first time, each on a thread of its own.
    while reads.load(Ordering::Relaxed) < BLOCKING {
        std::thread::sleep(Duration::from_millis(1));
    }
    let before = reads.load(Ordering::Relaxed);
    let beside = speed(size);
    let read = reads.load(Ordering::Relaxed) - before;
    let due = BLOCKING * size / EVERY.as_millis() as u64;
    if read * 2 < due {
        return Err(format!("only {read} reads of {due} took place"));
    }
    Ok(Sample::default().with(LOST, 1.0 - beside / alone))
}

/// Starts the tasks that block. How often one of them has read.
fn crowd() -> Result<Arc<AtomicU64>, String> {
    let reads = Arc::new(AtomicU64::new(0));
    let (ask, asked) = mpsc::channel::<(Instant, usize)>();
    let mut writers = Vec::new();
    for n in 0..BLOCKING {
        let (mut reader, writer) = pipe().map_err(|why| format!("a pipe: {why}"))?;
        writers.push(writer);
        let (ask, reads) = (ask.clone(), reads.clone());
        gopark::go(move || {
            loop {
                let wanted = (Instant::now() + BLOCKED, n as usize);
                if ask.send(wanted).is_err() || reader.read_exact(&mut [0]).is_err() {
                    return;
                }
                // The first of them are spread over the second.
                let first = reads.fetch_add(1, Ordering::Relaxed) < BLOCKING;
                let phase = if first { EVERY * n as u32 / BLOCKING as u32 } else { EVERY };
                gopark::sleep(phase.saturating_sub(BLOCKED));
            }
        });
    }
    // They ask in the order in which they are to be answered.
    std::thread::spawn(move || {
        for (due, n) in asked {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if writers[n].write_all(b"x").is_err() {
                return;
            }
        }
    });
    Ok(reads)
}
