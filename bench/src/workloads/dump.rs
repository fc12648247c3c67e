//! What the tasks of a program do, while a hundred thousand of them wait on a channel:
//! as text, a block for each, and as a profile for `go tool pprof`. What others lose of
//! their speed meanwhile, and what a program loses that is dumped all the time, with its live
//! page open besides: what a browser asks for is asked for, without a browser, which would
//! want the same processors.
//!
//! A dump is made into memory, as a page is that somebody asks for. Go makes its text in
//! a buffer that it doubles until all fits, so it takes that several times; its profile
//! goes through its encoder. tokio and may know no such thing.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use gopark::chan::{self, Sender};
use gopark::inspect::{dump, task_profile};
use gopark::sync::WaitGroup;

use crate::contenders;
use crate::sample::Sample;
use crate::stats::Stats;
use crate::workload::{Body, Case, Divide, Family, Row, Runtime, Sizes, identity};

pub(super) const FAMILY: Family = Family {
    name: "dump",
    about: "dumps and profiles of a hundred thousand tasks, and what they cost others",
    cases: &[
        Case {
            name: "dump",
            procs: 2,
            sizes: Sizes { full: 100_000, quick: 100_000, warm: 1 },
            units: identity,
            want: identity,
            bodies: &[(Runtime::Gopark, Body::Measured(dumps)), (Runtime::Go, Body::InGo)],
            rows: &[ms("dump_debug2", DEBUG2), ms("dump_debug0", DEBUG0)],
        },
        Case {
            name: "dump_beside",
            procs: 2,
            sizes: Sizes { full: 100_000, quick: 20_000, warm: 1 },
            units: identity,
            want: identity,
            bodies: &[(Runtime::Gopark, Body::Measured(beside)), (Runtime::Go, Body::InGo)],
            rows: &[percent("dump_beside", LOST)],
        },
        Case {
            name: "dump_load",
            procs: 2,
            sizes: Sizes { full: 100, quick: 100, warm: 1 },
            units: identity,
            want: identity,
            bodies: &[(Runtime::Gopark, Body::Measured(load)), (Runtime::Go, Body::InGo)],
            rows: &[percent("dump_load", LOST)],
        },
        Case {
            name: "dump_page",
            procs: 2,
            sizes: Sizes { full: 100, quick: 100, warm: 1 },
            units: identity,
            want: identity,
            bodies: &[(Runtime::Gopark, Body::Measured(page))],
            rows: &[percent("dump_page", LOST)],
        },
    ],
};

const DEBUG2: &str = "debug2_ns";
const DEBUG0: &str = "debug0_ns";
const LOST: &str = "lost_permille";

const fn ms(name: &'static str, value: &'static str) -> Row {
    Row { name, value, divide: Divide::By(1e6), unit: "ms" }
}

const fn percent(name: &'static str, value: &'static str) -> Row {
    Row { name, value, divide: Divide::By(10.0), unit: "%" }
}

/// Of each kind; a first one comes before them.
const DUMPS: usize = 5;

fn dumps(_warm: u64, size: u64) -> Result<Sample, String> {
    contenders::gopark::as_first_task(move || {
        let crowd = Crowd::new(size)?;
        let text = || {
            let text = dump();
            let blocks = text.matches("\ngoroutine ").count() as u64 + 1;
            if blocks >= size { Ok(()) } else { Err(format!("{blocks} blocks of {size}")) }
        };
        let profile = || {
            let mut file = Vec::new();
            let done = task_profile().profile(&mut file);
            done.map_err(|why| format!("a profile: {why}"))
        };
        let sample = Sample::default().with(DEBUG2, time(text)?).with(DEBUG0, time(profile)?);
        crowd.end();
        Ok(sample)
    })
}

/// The median.
fn time(once: impl Fn() -> Result<(), String>) -> Result<f64, String> {
    once()?;
    let mut times = Vec::new();
    for _ in 0..DUMPS {
        let begun = Instant::now();
        once()?;
        times.push(begun.elapsed().as_nanos() as f64);
    }
    median(&times)
}

fn median(of: &[f64]) -> Result<f64, String> {
    Stats::of(of).map(|of| of.median).ok_or_else(|| "nothing was measured".to_owned())
}

/// Without dumps and with them in turns.
const TURNS: usize = 5;
const TURN: Duration = Duration::from_millis(400);

/// On a thread of its own, as those are that the runtime makes at a signal; the pair has
/// the processors.
fn beside(_warm: u64, size: u64) -> Result<Sample, String> {
    pairs_beside(1, size, Duration::ZERO, &no_look)
}

/// Between two dumps of a program that has all to do.
const OFTEN: Duration = Duration::from_millis(10);

fn load(_warm: u64, size: u64) -> Result<Sample, String> {
    pairs_beside(8, size, OFTEN, &no_look)
}

fn no_look() -> Result<(), String> {
    Ok(())
}

/// A turn has one look: the page looks once a second, and every half at most.
fn page(_warm: u64, size: u64) -> Result<Sample, String> {
    let endpoint = gopark::debug::serve("127.0.0.1:0").map_err(|why| format!("{why}"))?;
    let address = endpoint.local_addr();
    pairs_beside(8, size, OFTEN, &|| look(address).map_err(|why| format!("a look: {why}")))
}

/// What the page asks for with a group and a task of it opened.
fn look(address: SocketAddr) -> std::io::Result<()> {
    let state = get(address, "/debug/live.json?minutes=10")?;
    let group = state["groups"][0]["key"].as_str().unwrap_or_default().to_owned();
    let tasks = get(address, &format!("/debug/tasks.json?frames=0&limit=201&group={group}"))?;
    get(address, &format!("/debug/task.json?id={}", tasks[0]["id"])).map(drop)
}

fn get(address: SocketAddr, path: &str) -> std::io::Result<Value> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let body = answer.strip_prefix("HTTP/1.1 200 OK\r\n").and_then(|it| it.split_once("\r\n\r\n"));
    let Some((_, body)) = body else { return Err(std::io::Error::other(answer)) };
    Ok(serde_json::from_str(body)?)
}

/// What so many pairs lose while a crowd is dumped again and again, and somebody has a look
/// in each turn.
fn pairs_beside(
    count: usize,
    crowd: u64,
    pause: Duration,
    look: &(dyn Fn() -> Result<(), String> + Sync),
) -> Result<Sample, String> {
    let crowd = Crowd::new(crowd)?;
    let (trips, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let start = |_| {
        let (trips, stop) = (trips.clone(), stop.clone());
        gopark::go(move || ping_pong(&trips, &stop))
    };
    let pairs: Vec<_> = (0..count).map(start).collect();
    let dumps = || {
        drop(dump());
        pause
    };
    let lost = lost(&trips, TURN, dumps, look)?;
    stop.store(true, Ordering::Relaxed);
    for pair in pairs {
        pair.join().map_err(|_| "a pair ended early")?;
    }
    crowd.end();
    Ok(Sample::default().with(LOST, 1000.0 * lost))
}

/// What is lost of a speed by calls of `often`, each of which says how long it is to the
/// next, and one of `once` beside them: the median of several comparisons, as a part.
fn lost(
    done: &AtomicU64,
    turn: Duration,
    often: impl Fn() -> Duration,
    once: &(dyn Fn() -> Result<(), String> + Sync),
) -> Result<f64, String> {
    let speed = |during: &dyn Fn(Instant)| {
        let (begun, before) = (Instant::now(), done.load(Ordering::Relaxed));
        during(begun);
        (done.load(Ordering::Relaxed) - before) as f64 / begun.elapsed().as_secs_f64()
    };
    let alone = || speed(&|_| gopark::sleep(turn));
    let disturbed = || {
        std::thread::scope(|threads| {
            let once = threads.spawn(once);
            let speed = speed(&|begun| {
                while begun.elapsed() < turn {
                    gopark::sleep(often());
                }
            });
            once.join().unwrap_or_else(|_| Err("it has panicked".to_owned())).map(|()| speed)
        })
    };
    alone();
    disturbed()?;
    let mut parts = Vec::new();
    for _ in 0..TURNS {
        let (before, beside, after) = (alone(), disturbed()?, alone());
        parts.push(1.0 - 2.0 * beside / (before + after));
    }
    median(&parts)
}

/// Round trips, until it is told to stop.
fn ping_pong(trips: &AtomicU64, stop: &AtomicBool) {
    let (there, inbox) = chan::rendezvous::<u64>();
    let (reply, back) = chan::rendezvous();
    let echo = gopark::go(move || {
        for value in inbox {
            reply.send(value).expect("the first task receives");
        }
    });
    while !stop.load(Ordering::Relaxed) {
        let n = trips.fetch_add(1, Ordering::Relaxed);
        there.send(n).expect("the echo receives");
        assert_eq!(back.recv(), Ok(n));
    }
    there.close();
    echo.join().expect("the echo returns");
}

/// Tasks that wait on a channel.
struct Crowd {
    gate: Sender<()>,
    ended: Arc<WaitGroup>,
}

impl Crowd {
    fn new(size: u64) -> Result<Crowd, String> {
        let (gate, waiting) = chan::rendezvous::<()>();
        let (started, ended) = (Arc::new(WaitGroup::new()), Arc::new(WaitGroup::new()));
        started.add(size as usize);
        ended.add(size as usize);
        for _ in 0..size {
            let (waiting, started, ended) = (waiting.clone(), started.clone(), ended.clone());
            let task = gopark::Builder::new().stack_limit(64 << 10).go(move || {
                started.done();
                drop(started);
                assert!(waiting.recv().is_err(), "nobody sends");
                ended.done();
            });
            task.map_err(|why| format!("starting a task: {why}"))?;
        }
        started.wait();
        Ok(Crowd { gate, ended })
    }

    fn end(self) {
        self.gate.close();
        self.ended.wait();
    }
}
