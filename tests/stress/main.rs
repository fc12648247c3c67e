//! Everything at once, at random.
//!
//! Tasks and OS threads use all that there is (channels, selects, locks, conditions,
//! groups, scopes, contexts, timers, futures, sockets), one operation after the other,
//! as a seed says, while channels are closed and replaced, waits run out of time and
//! scopes are reaped with tasks inside. Of every value that was sent it is known in the
//! end what became of it; every lock knows who is inside; and leakcheck says that no
//! task is left.
//!
//! | file | what |
//! |---|---|
//! | `ledger` | numbered values: each is received once, given back, or dropped with its sender |
//! | `world` | what actors share, how it is closed, and what must hold afterwards |
//! | `round` | actors are started; they end, are reaped, or leak |
//! | `actor` | who does one operation after the other |
//! | `channels`, `locks`, `tasks`, `clocks` | the operations |
//!
//! # The whole of it
//!
//! A test run does some ten thousand operations in each configuration. Ten million:
//!
//! ```sh
//! GOPARK_OPS=10000000 GOPARK_TEST_LIMIT=3600 \
//!     cargo test --release -p gopark-tests --test stress -- --test-threads 1 --nocapture
//! ```
//!
//! `GOPARK_SEED` is the seed of the first round; the others count on from there. A
//! failure names the seed of its round. It says which operations there are and who does
//! them, not in which order: that is the scheduler's, and a round may have to be tried
//! several times.
//!
//! # Migrating mode
//!
//! No frame here touches a thread-local on both sides of a park.

mod actor;
mod channels;
#[path = "../it/child.rs"]
mod child;
mod clocks;
mod ledger;
mod locks;
#[path = "../no_alloc.rs"]
mod no_alloc;
mod round;
mod tasks;
mod world;

use child::{alone, here};
use gopark::inspect::Snapshot;
use gopark::runtime::{Config, is_migrating};
use std::env;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

#[global_allocator]
static ALLOCATOR: no_alloc::Checked = no_alloc::Checked;

/// The seed that each run tries, before one that nobody has chosen.
const ALWAYS: u64 = 1;
/// Operations of a configuration, unless `GOPARK_OPS` says otherwise.
const FEW: u64 = 100_000;

/// That of the round that runs.
static SEED: AtomicU64 = AtomicU64::new(0);

/// Says what is wrong and ends the process: whoever finds it may be anywhere.
#[track_caller]
fn fail(what: &str) -> ! {
    let at = std::panic::Location::caller();
    eprintln!(
        "{at}: {what}; GOPARK_SEED={} begins with this round\n{}",
        SEED.load(Ordering::Relaxed),
        Snapshot::all()
    );
    std::process::exit(101)
}

fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

fn all() {
    let ops = number("GOPARK_OPS").unwrap_or(FEW);
    match number("GOPARK_SEED") {
        Some(seed) => rounds(seed, ops),
        None => {
            rounds(ALWAYS, ops / 2);
            rounds(RandomState::new().hash_one(()) >> 16, ops / 2);
        }
    }
}

fn rounds(first: u64, ops: u64) {
    println!("GOPARK_SEED={first}");
    let mut seed = first;
    let mut sum = round::Outcome::default();
    while sum.ops < ops {
        SEED.store(seed, Ordering::Relaxed);
        sum.add(round::play(seed));
        seed += 1;
    }
    println!("{} rounds: {sum:?}", seed - first);
}

fn migrating(maxprocs: usize) {
    #[expect(unsafe_code, reason = "the promise of migrating mode")]
    // SAFETY: as said above.
    unsafe { Config::new().maxprocs(maxprocs).migrating() }.start().unwrap();
    assert!(is_migrating());
    all();
}

/// A leak check waits for tasks that can still end, however loaded the machine is.
const PATIENT: (&str, &str) = ("LEAKCHECK_DEADLINE_MS", "60000");

#[test]
fn on_one_processor() {
    alone(here!(), &[("GOPARK_MAXPROCS", "1"), PATIENT], all);
}

#[test]
fn on_two_processors() {
    alone(here!(), &[("GOPARK_MAXPROCS", "2"), PATIENT], all);
}

#[test]
fn on_eight_processors() {
    alone(here!(), &[("GOPARK_MAXPROCS", "8"), PATIENT], all);
}

#[test]
fn on_one_processor_in_migrating_mode() {
    alone(here!(), &[PATIENT], || migrating(1));
}

#[test]
fn on_two_processors_in_migrating_mode() {
    alone(here!(), &[PATIENT], || migrating(2));
}

#[test]
fn on_eight_processors_in_migrating_mode() {
    alone(here!(), &[PATIENT], || migrating(8));
}
