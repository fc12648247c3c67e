//! Three programs as `GOPARK_DEBUG=schedtrace=N` shows them: one that is well, one whose
//! tasks starve, and one whose tasks are blocked.
//!
//! ```sh
//! cargo run --release -p gopark-examples --example schedtrace healthy|starved|blocked
//! ```
//!
//! Starts itself once more with `schedtrace=100`, prints the lines of that, and says of
//! each whether it shows what the program was made for; three that do are enough.

use gopark::runtime::Config;
use gopark::{chan, sync};
use std::hint::black_box;
use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

const USAGE: &str = "usage: schedtrace healthy|starved|blocked";
/// Tells the process that is looked at what to be.
const BE: &str = "GOPARK_EXAMPLE_SCHEDTRACE";
/// Tasks compute until they call the runtime, so that the queues stand still.
const DEBUG: &str = "schedtrace=100,asyncpreemptoff=1,watchdog=0";

const PROCESSORS: usize = 8;
/// Ready tasks for each processor of the healthy program.
const SHARE: usize = 12;
/// Ready tasks at each processor of the starved program, and those that found no room.
const HEAP: usize = 64;
const REST: usize = 500;
/// Threads of the blocked program that do nothing, and its tasks: one of them may have begun
/// on the thread that goes on.
const RESTING: usize = 44;
const STUCK: usize = RESTING + 1;

struct Kind {
    name: &'static str,
    run: fn(),
    shows: fn(&Line) -> bool,
    /// What its lines say.
    says: &'static str,
}

const KINDS: [Kind; 3] = [
    Kind {
        name: "healthy",
        run: healthy,
        shows: Line::is_healthy,
        says: "every processor is busy, its queue is short, nothing waits in the global one, and \
               a thread stands by",
    },
    Kind {
        name: "starved",
        run: starved,
        shows: Line::is_starved,
        says: "every processor is busy, all queues are long, and nobody is free to help: more \
               to compute than processors",
    },
    Kind {
        name: "blocked",
        run: blocked,
        shows: Line::is_blocked,
        says: "processors are idle, queues are empty, and many threads do nothing: the tasks \
               wait for a lock or for somebody else",
    },
];

fn main() -> ExitCode {
    let kind = |name: &str| KINDS.iter().find(|kind| kind.name == name);
    if let Some(kind) = std::env::var(BE).ok().and_then(|name| kind(&name)) {
        // Whoever looks ends this process.
        (kind.run)();
        loop {
            std::thread::park();
        }
    }
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.as_slice() {
        [name] if kind(name).is_some() => look_at(kind(name).expect("found above")),
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn look_at(kind: &Kind) -> ExitCode {
    let mut program = Command::new(std::env::current_exe().expect("the path of this program"))
        .env(BE, kind.name)
        .env("GOPARK_DEBUG", DEBUG)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("this program starts");
    let stderr = BufReader::new(program.stderr.take().expect("a pipe was asked for"));
    let mut shown = 0;
    for line in stderr.lines() {
        let line = line.expect("text");
        let is = Line::read(&line).is_some_and(|line| (kind.shows)(&line));
        shown += usize::from(is);
        println!("{line}{}", if is { "   <- this is it" } else { "" });
        if shown == 3 {
            break;
        }
    }
    program.kill().expect("a child can be killed");
    program.wait().expect("the status of a child");
    if shown < 3 {
        eprintln!("schedtrace: the program has ended too early");
        return ExitCode::FAILURE;
    }
    println!("{}: {}", kind.name, kind.says);
    ExitCode::SUCCESS
}

/// A line as far as it is judged.
struct Line {
    maxprocs: usize,
    idleprocs: usize,
    threads: usize,
    spinning: usize,
    idlethreads: usize,
    runqueue: usize,
    queues: Vec<usize>,
}

impl Line {
    fn read(text: &str) -> Option<Line> {
        let value = |name: &str| -> Option<usize> {
            let (_, rest) = text.split_once(&format!(" {name}="))?;
            rest.split(' ').next()?.parse().ok()
        };
        let (_, lengths) = text.split_once(" [ ")?;
        let lengths = lengths.split(" ]").next()?;
        Some(Line {
            maxprocs: value("gomaxprocs")?,
            idleprocs: value("idleprocs")?,
            threads: value("threads")?,
            spinning: value("spinningthreads")?,
            idlethreads: value("idlethreads")?,
            runqueue: value("runqueue")?,
            queues: lengths.split(' ').map(|n| n.parse().ok()).collect::<Option<_>>()?,
        })
    }

    fn is_healthy(&self) -> bool {
        self.idleprocs == 0
            && self.runqueue == 0
            && self.threads > self.maxprocs
            && self.idlethreads + self.spinning > 0
            && self.queues.iter().all(|length| (8..=15).contains(length))
    }

    fn is_starved(&self) -> bool {
        self.idleprocs == 0
            && self.spinning == 0
            && self.runqueue >= REST
            && self.queues.iter().all(|length| *length >= 50)
    }

    fn is_blocked(&self) -> bool {
        self.idleprocs == self.maxprocs - 1
            && self.spinning == 0
            && self.runqueue == 0
            && self.idlethreads >= RESTING
            && self.threads > self.idlethreads
            && self.queues.iter().sum::<usize>() == 1
    }
}

fn start(processors: usize) {
    Config::new().maxprocs(processors).start().expect("the first start");
}

fn compute() {
    for n in 0..10_000_u64 {
        black_box(n);
    }
}

/// One task for each processor, which calls this when all of them run.
fn on_each_processor(f: fn()) {
    let running = Arc::new(AtomicUsize::new(0));
    for _ in 0..PROCESSORS {
        let running = running.clone();
        gopark::go(move || {
            running.fetch_add(1, Ordering::SeqCst);
            // Nobody leaves, so each has a processor.
            while running.load(Ordering::SeqCst) < PROCESSORS {
                std::hint::spin_loop();
            }
            f();
        });
    }
}

/// Each processor has some tasks, and each task lets the others go first now and then.
fn healthy() {
    start(PROCESSORS);
    on_each_processor(|| {
        for _ in 0..=SHARE {
            gopark::go(|| {
                loop {
                    compute();
                    gopark::yield_now();
                }
            });
        }
    });
}

/// Each processor has a task that computes for ever, and makes others before.
fn starved() {
    static BUSY: AtomicUsize = AtomicUsize::new(0);
    start(PROCESSORS);
    on_each_processor(|| {
        // None of them runs before all are there.
        gopark::no_park(|| {
            for _ in 0..HEAP {
                gopark::go(compute);
            }
        });
        BUSY.fetch_add(1, Ordering::SeqCst);
        loop {
            compute();
        }
    });
    while BUSY.load(Ordering::SeqCst) < PROCESSORS {
        std::thread::yield_now();
    }
    // Made by a thread that has no processor, they go where all processors look.
    for _ in 0..REST {
        gopark::go(compute);
    }
}

/// A call that blocks in the kernel takes a thread, and many at a time take many. Then
/// all wait for a lock, and the threads for them. Two others share a thread.
fn blocked() {
    // With one processor two tasks that are made one after the other start on one thread.
    start(1);
    let (tell, told) = chan::bounded(1);
    gopark::go(move || {
        let turns = || {
            loop {
                compute();
                gopark::yield_now();
            }
        };
        gopark::go(move || {
            tell.send(()).expect("main waits");
            turns();
        });
        turns();
    });
    told.recv().expect("the second one runs");
    gopark::set_maxprocs(PROCESSORS);
    let lock = Arc::new(sync::Mutex::new(()));
    let all = Arc::new(Barrier::new(STUCK));
    std::mem::forget(lock.lock());
    for _ in 0..STUCK {
        let (lock, all) = (lock.clone(), all.clone());
        gopark::go(move || {
            gopark::blocking(|| all.wait());
            drop(lock.lock());
        });
    }
}
