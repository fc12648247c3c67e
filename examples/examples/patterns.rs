//! Go's patterns of concurrency, one function each; none of them leaves a task behind.
//!
//! ```sh
//! cargo run -p gopark-examples --example patterns
//! ```

use gopark::chan::{Receiver, TrySendError, bounded, rendezvous};
use gopark::context::Context;
use gopark::sync::WaitGroup;
use gopark::time::Ticker;
use gopark::{Scope, go, select};
use leakcheck::{Filter, find};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Some workers share one queue. Closing the queue ends them, and the last of them
/// closes the answers.
fn worker_pool() {
    let (jobs, queue) = bounded(8);
    let (answers, results) = rendezvous();
    for _ in 0..3 {
        let (queue, answers) = (queue.clone(), answers.clone());
        go(move || {
            for n in queue {
                answers.send(n * n).expect("main waits for all answers");
            }
        });
    }
    drop((queue, answers));
    go(move || (1..=10_u64).for_each(|n| jobs.send(n).expect("a worker takes it")));
    println!("the squares of 1 to 10 add up to {}", results.iter().sum::<u64>());
}

/// A channel that nobody sends to: closing it tells everybody at once.
fn done_channel() {
    let (stop, done) = rendezvous::<()>();
    let (numbers, inbox) = rendezvous();
    let counter = go(move || {
        for n in 0.. {
            select! {
                send(numbers, n) -> sent => sent.expect("main receives"),
                recv(done) -> _ => return n,
            }
        }
        unreachable!("there are enough numbers")
    });
    for n in 0..3 {
        assert_eq!(inbox.recv(), Ok(n));
    }
    drop(stop);
    println!("stopped at {}", counter.join().expect("it only counts"));
}

/// Who must not wait sends if there is room, and drops what there is no room for.
fn try_send() {
    let (events, log) = bounded(2);
    let mut dropped = 0;
    for event in 0..5 {
        match events.try_send(event) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => dropped += 1,
            Err(TrySendError::Closed(_)) => unreachable!("the log is open"),
        }
    }
    println!("kept {:?}, dropped {dropped}", log.try_iter().collect::<Vec<i32>>());
}

/// To cancel a context cancels those below it, and not those beside it.
fn cancellation_tree() {
    let (server, stop_server) = Context::background().with_cancel();
    let (request, stop_request) = server.with_cancel();
    let (other, _stop_other) = server.with_cancel();
    let query = {
        let (query, stop) = request.with_timeout(Duration::from_secs(60));
        go(move || {
            let _stop = stop;
            query.wait()
        })
    };
    stop_request.cancel();
    println!("query: {}", query.join().expect("it only waits"));
    println!("other request: {:?}", other.err());
    stop_server.cancel();
    println!("other request: {}", other.wait());
}

/// Stages joined by channels. Each ends when the one before it does, or when nobody
/// wants its results.
fn pipeline() {
    fn stage<A, B>(from: Receiver<A>, mut f: impl FnMut(A) -> B + Send + 'static) -> Receiver<B>
    where
        A: Send + 'static,
        B: Send + 'static,
    {
        let (tx, rx) = rendezvous();
        go(move || {
            for a in from {
                if tx.send(f(a)).is_err() {
                    break;
                }
            }
        });
        rx
    }
    let (tx, numbers) = rendezvous();
    go(move || {
        for n in 1.. {
            if tx.send(n).is_err() {
                break;
            }
        }
    });
    let texts = stage(stage(numbers, |n: u32| n * n), |n| format!("<{n}>"));
    println!("{}", texts.iter().take(4).collect::<String>());
}

/// Several sources into one channel, which closes when the last of them ends.
fn fan_in() {
    fn source(name: &'static str) -> Receiver<String> {
        let (tx, rx) = rendezvous();
        go(move || (1..=2).try_for_each(|n| tx.send(format!("{name}{n}"))));
        rx
    }
    let (all, merged) = rendezvous();
    let forwarders = WaitGroup::new();
    for source in [source("a"), source("b"), source("c")] {
        let all = all.clone();
        forwarders.go(move || source.iter().try_for_each(|value| all.send(value)));
    }
    drop(all);
    let mut values: Vec<String> = merged.iter().collect();
    forwarders.wait();
    values.sort();
    println!("{}", values.join(" "));
}

/// One request for each tick, so many at once at the beginning.
fn rate_limiter() {
    const PERIOD: Duration = Duration::from_millis(5);
    let start = Instant::now();
    let (refill, tokens) = bounded(2);
    while refill.try_send(()).is_ok() {}
    let ticks = go(move || {
        let ticker = Ticker::new(PERIOD);
        for _ in ticker.receiver() {
            // A token that there is no room for is lost, unless nobody wants any more.
            if let Err(TrySendError::Closed(())) = refill.try_send(()) {
                break;
            }
        }
    });
    for _ in 0..5 {
        tokens.recv().expect("it is refilled");
    }
    // Two at once, three after a tick each.
    println!("5 requests, no faster than allowed: {}", start.elapsed() >= 3 * PERIOD);
    drop(tokens);
    ticks.join().expect("it only ticks");
}

fn main() -> ExitCode {
    let patterns: [(&str, fn()); 7] = [
        ("worker pool", worker_pool),
        ("done channel", done_channel),
        ("try-send", try_send),
        ("cancellation tree", cancellation_tree),
        ("pipeline", pipeline),
        ("fan-in", fan_in),
        ("rate limiter", rate_limiter),
    ];
    let mut clean = 0;
    for (name, pattern) in patterns {
        println!("=== {name}");
        let scope = Scope::new(name);
        let _in = scope.enter();
        pattern();
        match find(&Filter::new()) {
            Ok(()) => clean += 1,
            Err(leaks) => println!("{leaks}"),
        }
    }
    println!("=== {clean} of {} left nothing behind", patterns.len());
    if clean == patterns.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
