//! Events of a scope.

use super::go_in;
use crate::support::{Gate, parked, until};
use gopark::Scope;
use gopark::chan;
use gopark::inspect::WaitReason;
use std::time::{Duration, Instant};

/// Longer than any test may take.
const NEVER: Duration = Duration::from_secs(300);

#[test]
fn a_park_wakes_the_watcher() {
    for _ in 0..200 {
        let scope = Scope::new("parks");
        let watch = scope.watch();
        let gate = Gate::new();
        let seen = watch.epoch();
        let held = gate.clone();
        let task = go_in(&scope, move || held.pass());
        let start = Instant::now();
        watch.wait(seen, NEVER);
        while watch.epoch() == seen {
            // Woken for nothing.
            watch.wait(seen, NEVER);
        }
        assert!(start.elapsed() < NEVER, "it is the event that wakes");
        gate.open();
        task.join().unwrap();
    }
}

#[test]
fn an_end_wakes_the_watcher() {
    for _ in 0..200 {
        let scope = Scope::new("ends");
        let watch = scope.watch();
        let start = Instant::now();
        let seen = watch.epoch();
        drop(go_in(&scope, || ()));
        while scope.live() != 0 {
            watch.wait(seen, NEVER);
        }
        assert!(start.elapsed() < NEVER, "it is the event that wakes");
        until("the end is an event", || watch.epoch() != seen);
    }
}

#[test]
fn an_unseen_panic_wakes_the_watcher() {
    let scope = Scope::new("panics");
    let task = go_in(&scope, || std::panic::resume_unwind(Box::new("quietly")));
    until("the task has ended", || task.is_finished());
    let watch = scope.watch();
    let seen = watch.epoch();
    drop(task);
    assert_ne!(watch.epoch(), seen);
}

/// No event between the look and the wait is missed.
#[test]
fn an_event_before_the_wait_ends_it_at_once() {
    let scope = Scope::new("before");
    let watch = scope.watch();
    let seen = watch.epoch();
    go_in(&scope, || ()).join().unwrap();
    until("the end is an event", || watch.epoch() != seen);
    let start = Instant::now();
    watch.wait(seen, NEVER);
    assert!(start.elapsed() < NEVER);
}

#[test]
fn every_park_of_a_conversation_is_an_event() {
    let scope = Scope::new("talks");
    let watch = scope.watch();
    let (tx, rx) = chan::rendezvous();
    let listener = go_in(&scope, move || rx.iter().count());
    for _ in 0..100 {
        parked(listener.id(), WaitReason::ChanReceive);
        let seen = watch.epoch();
        tx.send(()).unwrap();
        while watch.epoch() == seen {
            watch.wait(seen, NEVER);
        }
    }
    drop(tx);
    assert_eq!(listener.join().unwrap(), 100);
}

#[test]
fn what_others_do_is_no_event() {
    let (scope, other) = (Scope::new("quiet"), Scope::new("loud"));
    let watch = scope.watch();
    let (seen, gate) = (watch.epoch(), Gate::new());
    for _ in 0..100 {
        go_in(&other, || ()).join().unwrap();
        gopark::go(|| gopark::sleep(Duration::from_micros(1))).join().unwrap();
    }
    let held = gate.clone();
    let parks = go_in(&other, move || held.pass());
    parked(parks.id(), WaitReason::ChanReceive);
    gate.open();
    parks.join().unwrap();
    assert_eq!(watch.epoch(), seen);
}

#[test]
fn without_an_event_the_wait_times_out() {
    let scope = Scope::new("idle");
    let watch = scope.watch();
    watch.wait(watch.epoch(), Duration::from_millis(1));
    watch.wait(watch.epoch(), Duration::ZERO);
}

#[test]
fn several_may_watch() {
    let scope = Scope::new("watched");
    let waiters: Vec<_> = (0..4)
        .map(|_| {
            let scope = scope.clone();
            let (ready, is_ready) = std::sync::mpsc::channel();
            let thread = std::thread::spawn(move || {
                let watch = scope.watch();
                let seen = watch.epoch();
                ready.send(()).unwrap();
                while watch.epoch() == seen {
                    watch.wait(seen, NEVER);
                }
            });
            is_ready.recv().unwrap();
            thread
        })
        .collect();
    drop(go_in(&scope, || ()));
    waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
}
