//! Three ways to leak a task, each found and named.
//!
//! Go forgets a channel or a lock that nobody else refers to. Rust ends them:
//! dropping the last receiver ends a send, dropping a guard unlocks. So each of
//! these leaks needs somebody who holds on to something and does nothing with it.

use gopark::sync::Mutex;
use gopark::{Scope, chan, go};
use leakcheck::{Filter, find};
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A sender that nobody receives from.
fn forgotten_receiver() {
    let (answers, inbox) = chan::rendezvous();
    go(move || answers.send(42)); // waits for ever
    mem::forget(inbox); // nobody will look into it, and it never closes
}

/// A loop that ignores its cancellation.
fn deaf_loop() {
    let cancelled = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&cancelled);
    go(move || {
        let _seen = seen; // forgot to look at it
        loop {
            gopark::sleep(Duration::from_secs(60));
        }
    });
    cancelled.store(true, Ordering::Relaxed); // nobody listens
}

/// A lock that is never released.
fn forgotten_unlock() {
    let lock = Arc::new(Mutex::new(0));
    mem::forget(lock.lock()); // the guard never drops
    go(move || {
        *lock.lock() += 1; // waits for ever
    });
}

fn main() {
    let leaks: [(&str, fn()); 3] = [
        ("a sender that nobody receives from", forgotten_receiver),
        ("a loop that ignores its cancellation", deaf_loop),
        ("a lock that is never released", forgotten_unlock),
    ];
    let mut found = 0;
    for (what, leak) in leaks {
        println!("=== {what}\n");
        // A scope of its own, so that no leak is blamed for another.
        let scope = Scope::new(what);
        let _in = scope.enter();
        leak();
        match find(&Filter::new()) {
            Ok(()) => println!("nothing found\n"),
            Err(leaks) => {
                println!("{leaks}");
                found += leaks.len();
                leaks.reap();
            }
        }
    }
    println!("found {found} of 3 leaks");
}
