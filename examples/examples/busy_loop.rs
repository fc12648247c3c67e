//! A task that computes without end, and one that sleeps beside it: how late the
//! sleeper wakes.
//!
//! ```sh
//! cargo run --release -p gopark-examples --example busy_loop [PROCESSORS [SLICE_MS [NAPS]]]
//! ```
//!
//! Nothing in the loop calls the runtime. When it has had its slice it is suspended
//! all the same, by a signal to its thread, and the sleeper gets the processor.

use gopark::runtime::Config;
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::{Duration, Instant};

const USAGE: &str = "usage: busy_loop [PROCESSORS [SLICE_MS [NAPS]]]";

/// How long the sleeper means to sleep.
const NAP: Duration = Duration::from_millis(5);

fn main() -> ExitCode {
    match numbers().and_then(|[processors, slice, naps]| {
        let slice = Duration::from_millis(slice);
        let config = Config::new().maxprocs(processors as usize).slice(slice);
        config.start().map_err(|why| why.to_string())?;
        Ok(naps)
    }) {
        Ok(naps) => {
            measure(naps);
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("busy_loop: {why}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// Processors, milliseconds of a slice, naps.
fn numbers() -> Result<[u64; 3], String> {
    let mut numbers = [1, 10, 100];
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let Some(more) = args.get(3) {
        return Err(format!("three numbers are enough, what is {more:?}?"));
    }
    for (number, arg) in numbers.iter_mut().zip(&args) {
        *number = arg
            .parse()
            .ok()
            .filter(|number| *number > 0)
            .ok_or_else(|| format!("{arg:?} is no number above 0"))?;
    }
    Ok(numbers)
}

fn measure(naps: u64) {
    let processors = gopark::maxprocs();
    println!(
        "{processors} busy loops on {processors} processors, and a task that sleeps {naps} times\n"
    );
    let (tell, told) = mpsc::channel();
    for _ in 0..processors {
        let tell = tell.clone();
        gopark::go(move || {
            tell.send(()).expect("main waits");
            let mut turns = 0_u64;
            loop {
                turns = black_box(turns + 1);
            }
        });
    }
    // All of them have started, so the sleeper has a thread of its own.
    (0..processors).for_each(|_| told.recv().expect("a loop tells"));
    let sleeper = gopark::go(move || {
        let nap = |_| {
            let begun = Instant::now();
            gopark::sleep(NAP);
            begun.elapsed().saturating_sub(NAP)
        };
        (0..naps).map(nap).collect::<Vec<_>>()
    });
    let late = sleeper.join().expect("it only sleeps");
    let mean = late.iter().sum::<Duration>() / late.len() as u32;
    let worst = late.iter().max().expect("a nap");
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    // The loops go on until the process ends, which does not wait for them.
    println!("woke late by {:.2} ms on the mean, {:.2} ms at worst", ms(mean), ms(*worst));
}
