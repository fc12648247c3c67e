//! A small pipeline, and a trace of it.
//!
//! ```sh
//! cargo run --release -p gopark-examples --example trace_file trace.out [trace.json]
//! go tool trace trace.out
//! ```
//!
//! The second file, if it is asked for, is the same trace for <https://ui.perfetto.dev>.

use gopark::chan;
use gopark::sync::Mutex;
use gopark::trace::{self, Task};
use std::fs::File;
use std::io::{self, BufWriter};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

const USAGE: &str = "usage: trace_file FILE [JSON_FILE]";

fn main() -> ExitCode {
    let files: Vec<String> = std::env::args().skip(1).collect();
    let ([_] | [_, _]) = files.as_slice() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match write(&files) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("trace_file: {why}");
            ExitCode::FAILURE
        }
    }
}

fn write(files: &[String]) -> io::Result<()> {
    trace::start(BufWriter::new(File::create(&files[0])?))?;
    let sum = gopark::run(pipeline);
    let summary = trace::stop()?;
    println!("the sum of the squares is {sum}");
    println!("{}: {} events, {} lost", files[0], summary.events, summary.lost);
    if let Some(json) = files.get(1) {
        trace::to_chrome_json(&std::fs::read(&files[0])?, File::create(json)?)?;
    }
    Ok(())
}

/// A source, four workers and a sink.
fn pipeline() -> u64 {
    let work = Arc::new(Task::new("pipeline"));
    let (numbers, squares) = (chan::bounded::<u64>(4), chan::bounded::<u64>(4));
    let source = numbers.0;
    gopark::go(move || (1..=100).for_each(|n| source.send(n).expect("workers wait")));
    let served = Arc::new(Mutex::new(0));
    for name in ["north", "east", "south", "west"] {
        let (from, to) = (numbers.1.clone(), squares.0.clone());
        let (work, served) = (work.clone(), served.clone());
        let worker = move || {
            for n in from {
                let _squaring = work.region("square");
                gopark::sleep(Duration::from_micros(n));
                *served.lock() += 1;
                to.send(n * n).expect("somebody adds up");
            }
            work.log("worker", "is done");
        };
        gopark::Builder::new().name(name).go(worker).expect("a task");
    }
    drop((numbers.1, squares.0));
    let sum = squares.1.into_iter().sum();
    gopark::blocking(|| std::thread::sleep(Duration::from_millis(2)));
    sum
}
