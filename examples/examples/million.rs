//! A million tasks, all parked at once: what they cost, how long it takes, and
//! what is left of it when they have ended.
//!
//! ```sh
//! cargo run --release -p gopark-examples --example million [COUNT]
//! ```

use gopark::sync::WaitGroup;
use gopark::{Builder, JoinHandle, chan, inspect, stack};
use std::fmt;
use std::fs;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Of each task's stack.
const LIMIT: usize = 64 << 10;
/// What a task may cost, resident and in page tables.
const RESIDENT: u64 = 4_800;
const PAGE_TABLES: u64 = 300;
/// Mappings that there may be, however many tasks there are.
const MAPPINGS: u64 = 199;
/// What may stay when all is over: this, and so much for each task's record.
const REST: u64 = 16 << 20;
const RECORD: u64 = 256;
/// With fewer tasks, what the process costs by itself outweighs them.
const CROWD: u64 = 100_000;

fn main() -> ExitCode {
    let count = match count() {
        Ok(count) => count,
        Err(why) => {
            eprintln!("million: {why}\nusage: million [COUNT]");
            return ExitCode::from(2);
        }
    };
    let before = Memory::now();
    let figures = gopark::run(move || measure(count, &before));
    print!("{figures}");
    if figures.missed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn count() -> Result<u64, String> {
    let mut args = std::env::args().skip(1);
    let Some(arg) = args.next() else { return Ok(1_000_000) };
    if let Some(more) = args.next() {
        return Err(format!("one number is enough, what is {more:?}?"));
    }
    match arg.replace('_', "").parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err(format!("the number of tasks must be a number above 0, not {arg:?}")),
    }
}

/// Starts them, wakes them, lets them end.
fn measure(count: u64, before: &Memory) -> Figures {
    let (wake, waiting) = chan::rendezvous::<()>();
    let (end, ending) = chan::rendezvous::<()>();
    let parked = Arc::new(WaitGroup::new());
    let mut figures = Figures { count, rows: Vec::new(), groups: Vec::new(), missed: false };

    say(&format!("starting {} tasks", grouped(count)));
    parked.add(count as usize);
    let start = Instant::now();
    let tasks: Vec<JoinHandle<()>> = (0..count)
        .map(|_| {
            let (waiting, ending, parked) = (waiting.clone(), ending.clone(), parked.clone());
            let task = Builder::new().stack_limit(LIMIT).go(move || {
                parked.done();
                let _closed = waiting.recv();
                parked.done();
                let _closed = ending.recv();
            });
            task.unwrap_or_else(|why| panic!("a task could not be started: {why}"))
        })
        .collect();
    parked.wait();
    let spawned = start.elapsed();

    say("all are parked; reading the memory and counting by group");
    let crowd = Memory::now();
    let (groups, dumped) = loop {
        let start = Instant::now();
        let groups = inspect::groups();
        // The last of them said that they park, and may be about to.
        if groups[0].reason.is_some() && groups[0].count as u64 >= count {
            break (groups, start.elapsed());
        }
        gopark::yield_now();
    };
    let each = |with: u64, before: u64| with.saturating_sub(before).div_ceil(count);
    let resident = each(crowd.resident, before.resident);
    let tables = each(crowd.page_tables, before.page_tables);
    figures.row("resident memory of a task", resident, bytes, Some(RESIDENT));
    figures.row("page tables of a task", tables, bytes, Some(PAGE_TABLES));
    figures.row("both", resident + tables, bytes, None);
    figures.row("memory mappings of the process", crowd.mappings, grouped, Some(MAPPINGS));
    figures.time("start all, until they are parked", spawned);
    figures.time("dump of counts by group", dumped);
    figures.groups = groups.iter().map(ToString::to_string).collect();

    say("waking all of them");
    parked.add(count as usize);
    let start = Instant::now();
    wake.close();
    parked.wait();
    figures.time("wake all, until they are parked again", start.elapsed());

    say("letting all of them end");
    let start = Instant::now();
    end.close();
    for task in tasks {
        task.join().expect("the task returns");
    }
    figures.time("wake all, until they have ended", start.elapsed());

    let ended = Memory::now();
    let start = Instant::now();
    stack::scavenge();
    figures.time("scavenge pass", start.elapsed());
    let limit = before.resident + REST + RECORD * count;
    figures.row("resident at the start", before.resident, mebibytes, None);
    figures.row("resident with all of them", crowd.resident, mebibytes, None);
    figures.row("resident after their end", ended.resident, mebibytes, None);
    let after = Memory::now().resident;
    figures.row("resident after the scavenge pass", after, mebibytes, Some(limit));
    figures
}

/// What the kernel says of this process, in bytes.
struct Memory {
    resident: u64,
    page_tables: u64,
    mappings: u64,
}

impl Memory {
    fn now() -> Memory {
        let status = fs::read_to_string("/proc/self/status").expect("Linux");
        let kib = |name| {
            let mut lines = status.lines();
            let value = lines.find_map(|line| line.strip_prefix(name)).expect("a known line");
            let number = value.split_whitespace().next().and_then(|number| number.parse().ok());
            number.unwrap_or(0) * 1024
        };
        let maps = fs::read_to_string("/proc/self/maps").expect("Linux");
        Memory {
            resident: kib("VmRSS:"),
            page_tables: kib("VmPTE:"),
            mappings: maps.lines().count() as u64,
        }
    }
}

/// What was measured.
struct Figures {
    count: u64,
    /// Name, value, limit, and whether it is kept.
    rows: Vec<[String; 4]>,
    groups: Vec<String>,
    missed: bool,
}

impl Figures {
    fn row(&mut self, name: &str, value: u64, show: fn(u64) -> String, limit: Option<u64>) {
        let kept = limit.is_none_or(|limit| value <= limit);
        self.missed |= self.judged() && !kept;
        let verdict = match limit {
            Some(_) if !self.judged() => "not judged",
            Some(_) if kept => "kept",
            Some(_) => "MISSED",
            None => "",
        };
        let limit = limit.map(show).unwrap_or_default();
        self.rows.push([name.to_owned(), show(value), limit, verdict.to_owned()]);
    }

    fn time(&mut self, name: &str, time: Duration) {
        self.row(name, time.as_nanos() as u64, milliseconds, None);
    }

    /// Frames of a debug build are too large for a page.
    fn judged(&self) -> bool {
        self.count >= CROWD && !cfg!(debug_assertions)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let class = LIMIT >> 10;
        writeln!(f, "{} tasks, stacks of the {class} KiB class\n", grouped(self.count))?;
        writeln!(f, "{:40}{:>14}{:>14}", "", "measured", "limit")?;
        for [name, value, limit, verdict] in &self.rows {
            let line = format!("{name:40}{value:>14}{limit:>14}  {verdict}");
            writeln!(f, "{}", line.trim_end())?;
        }
        writeln!(f, "\nWhile all were parked:\n")?;
        for group in &self.groups {
            writeln!(f, "{group}")?;
        }
        match (self.missed, self.judged()) {
            (true, _) => writeln!(f, "\nA limit is MISSED."),
            (false, true) => writeln!(f, "\nAll limits are kept."),
            (false, false) => {
                let crowd = grouped(CROWD);
                writeln!(f, "\nThe limits hold from {crowd} tasks on, in a release build.")
            }
        }
    }
}

/// 1 000 000
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    groups.map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ")
}

fn bytes(number: u64) -> String {
    format!("{} B", grouped(number))
}

fn mebibytes(number: u64) -> String {
    format!("{:.1} MiB", number as f64 / f64::from(1 << 20))
}

fn milliseconds(nanoseconds: u64) -> String {
    let tenths = nanoseconds / 100_000;
    format!("{}.{} ms", grouped(tenths / 10), tenths % 10)
}

fn say(what: &str) {
    eprintln!("million: {what}");
}
