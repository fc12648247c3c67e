//! They stand in crates that forbid unsafe code, on any level, more than once.
#![forbid(unsafe_code)]

use gopark::{Builder, Scope, chan};
use leakcheck::{Filter, find, unused_ignores};
use std::time::{Duration, Instant};

leakcheck::defaults! { settle = "150ms", deadline = "60s", hang = "5s", threads = false }

leakcheck::ignore! { name = "metrics-*", label = "tier=cache", reason = "it stays" }

mod inner {
    use leakcheck::ignore;

    ignore! {
        created_by = "nobody::*",
        top_function = "none", any_function = "none", entry = "none", site = "none.rs",
        reason = "it never matches",
    }
}

fn main() {
    leakcheck::ignore! { name = "in a function", reason = "that never matches, too" }
    let scope = Scope::new("main");
    let _in = scope.enter();
    gopark::inspect::mark_harness_thread();
    let wait = || {
        let (tx, rx) = chan::rendezvous::<()>();
        std::mem::forget(tx);
        let _ = rx.recv();
    };
    Builder::new().name("metrics-1").label("tier", "cache").go(wait).unwrap();
    assert!(find(&Filter::new()).is_ok());
    let unused: Vec<_> = unused_ignores().iter().map(|it| it.reason()).collect();
    assert_eq!(unused, ["it never matches", "that never matches, too"]);

    // The crate's settle.
    gopark::go(wait);
    let start = Instant::now();
    find(&Filter::new()).expect_err("the task").reap();
    assert!(start.elapsed() >= Duration::from_millis(150));
    checked();
}

// An attribute that is not known is taken for one that makes a test.
#[leakcheck::verify_none(hang = "1s")]
#[rustfmt::skip]
fn checked() {
    let start = Instant::now();
    assert!(std::panic::catch_unwind(leaks).is_err());
    assert!(start.elapsed() >= Duration::from_millis(150));
}

#[leakcheck::verify_none]
#[rustfmt::skip]
fn leaks() {
    gopark::go(|| chan::never::<()>().recv());
}
