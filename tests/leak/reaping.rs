//! How leaked tasks are ended, and which are given up.

use crate::fixtures::silent;
use crate::support::{Run, alone, alone_with, here};
use gopark::chan::{self, Receiver};
use gopark::sync::Mutex;
use gopark::{Builder, JoinError, Reaped, Scope, go};
use leakcheck::{Filter, find};
use std::hint;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Counts drops.
#[derive(Clone, Default)]
struct Drops(Arc<AtomicU32>);

impl Drop for Drops {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn reap() -> Reaped {
    find(&Filter::new()).expect_err("a leak").reap()
}

#[test]
fn destructors_run_and_join_says_reaped() {
    alone(here!(), || {
        let scope = Scope::new("reaped");
        let _in = scope.enter();
        let count = Arc::new(AtomicU32::new(0));
        let drops = Drops(Arc::clone(&count));
        let rx = silent();
        let handle = go(move || {
            let _drops = drops;
            rx.recv()
        });
        let reaped = reap();
        assert_eq!((reaped.ended, reaped.abandoned), (1, 0));
        assert_eq!(count.load(Ordering::Relaxed), 1);
        assert_eq!(scope.live(), 0);
        assert!(matches!(handle.join(), Err(JoinError::Reaped)));
        assert!(scope.take_panics().is_empty(), "an unwind by the reaper is no panic");
    });
}

/// A destructor of the first frees the second. It must not go on as if nothing
/// had happened: it was marked before the first was resumed.
#[test]
fn all_are_marked_before_any_is_resumed() {
    alone(here!(), || {
        let scope = Scope::new("marked");
        let _in = scope.enter();
        let went_on = Arc::new(AtomicU32::new(0));
        let rx = silent();
        let mut chain: Receiver<()> = {
            let (tx, next) = chan::rendezvous();
            go(move || {
                let _ = rx.recv();
                drop(tx);
            });
            next
        };
        for _ in 0..20 {
            let (tx, next) = chan::rendezvous();
            let (rx, went_on) = (mem::replace(&mut chain, next), Arc::clone(&went_on));
            go(move || {
                let _tx = tx;
                // Returns an error when the task before it is gone.
                let _ = rx.recv();
                // A child is born marked, and the next wait unwinds.
                go(|| silent().recv());
                let _ = silent().recv();
                went_on.fetch_add(1, Ordering::Relaxed);
            });
        }
        mem::forget(chain);
        let reaped = reap();
        assert_eq!(reaped.abandoned, 0);
        assert_eq!(scope.live(), 0);
        assert_eq!(went_on.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn sixteen_swallowed_unwinds_are_enough() {
    alone(here!(), || {
        let scope = Scope::new("stubborn");
        let _in = scope.enter();
        let swallowed = Arc::new(AtomicU32::new(0));
        let (tx, rx) = chan::rendezvous::<()>();
        let count = Arc::clone(&swallowed);
        let stubborn = go(move || {
            loop {
                match catch_unwind(AssertUnwindSafe(|| rx.recv())) {
                    Ok(result) => break result,
                    Err(_) => count.fetch_add(1, Ordering::Relaxed),
                };
            }
        });
        let reaped = reap();
        assert_eq!((reaped.ended, reaped.abandoned), (0, 1));
        assert_eq!(swallowed.load(Ordering::Relaxed), 16);
        assert_eq!(scope.live(), 1);
        // It was given up, not broken.
        drop(tx);
        stubborn.join().unwrap().unwrap_err();
    });
}

/// Waits for a lock when it is dropped.
struct Locker(Arc<Mutex<()>>);

impl Drop for Locker {
    fn drop(&mut self) {
        drop(self.0.lock());
    }
}

#[test]
fn a_destructor_that_blocks_is_abandoned() {
    alone(here!(), || {
        let scope = Scope::new("blocking drop");
        let _in = scope.enter();
        let lock = Arc::new(Mutex::new(()));
        let held = lock.lock();
        let (locker, rx) = (Locker(Arc::clone(&lock)), silent());
        let blocked = go(move || {
            let _locker = locker;
            rx.recv()
        });
        let reaped = reap();
        assert_eq!((reaped.ended, reaped.abandoned), (0, 1));
        drop(held);
        assert!(matches!(blocked.join(), Err(JoinError::Reaped)));
    });
}

/// While the thread panics, a channel returns its error instead of unwinding.
struct Asker(Receiver<u8>, Arc<AtomicBool>);

impl Drop for Asker {
    fn drop(&mut self) {
        self.1.store(self.0.recv().is_err(), Ordering::Relaxed);
    }
}

#[test]
fn a_receive_in_a_destructor_gets_an_error() {
    alone(here!(), || {
        let scope = Scope::new("asking drop");
        let _in = scope.enter();
        let got_error = Arc::new(AtomicBool::new(false));
        let asker = Asker(silent(), Arc::clone(&got_error));
        go(move || {
            let asker = asker;
            silent().recv().map(|_| drop(asker))
        });
        let reaped = reap();
        assert_eq!((reaped.ended, reaped.abandoned), (1, 0));
        assert!(got_error.load(Ordering::Relaxed));
    });
}

#[test]
fn one_that_computes_is_abandoned() {
    alone_with(here!(), &[("LEAKCHECK_DEADLINE_MS", "50")], || {
        let scope = Scope::new("computes");
        let _in = scope.enter();
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let computes = go(move || {
            while !seen.load(Ordering::Relaxed) {
                hint::spin_loop();
            }
            silent().recv()
        });
        let reaped = reap();
        assert_eq!((reaped.ended, reaped.abandoned), (0, 1));
        stop.store(true, Ordering::Relaxed);
        drop(computes);
    });
}

#[test]
fn a_sleeper_is_ended_too() {
    alone_with(here!(), &[("LEAKCHECK_DEADLINE_MS", "50")], || {
        let scope = Scope::new("sleeps");
        let _in = scope.enter();
        let sleeps = go(|| gopark::sleep(std::time::Duration::from_secs(3600)));
        let reaped = reap();
        assert_eq!((reaped.ended, reaped.abandoned), (1, 0));
        assert!(matches!(sleeps.join(), Err(JoinError::Reaped)));
    });
}

/// A lock that a leaked task holds is released by its unwind, and nothing of
/// its own scope may take it and go on.
#[test]
fn locks_are_released() {
    alone(here!(), || {
        let scope = Scope::new("locks");
        let _in = scope.enter();
        let lock = Arc::new(Mutex::new(0));
        let (mine, rx) = (Arc::clone(&lock), silent());
        go(move || {
            let _held = mine.lock();
            rx.recv()
        });
        for _ in 0..5 {
            let mine = Arc::clone(&lock);
            go(move || {
                *mine.lock() += 1;
                silent().recv()
            });
        }
        let reaped = reap();
        assert_eq!((reaped.ended, reaped.abandoned), (6, 0));
        assert!(lock.try_lock().is_some());
    });
}

#[test]
fn the_next_test_on_the_same_worker_is_clean() {
    let one = ["--ignored", "fixtures::sequence::", "--test-threads=1"];
    let run = Run::of(&one, &[("GOPARK_MAXPROCS", "1")]);
    run.must_have_run(2);
    run.shows(&[
        "test fixtures::sequence::first_leaks ... FAILED",
        "test fixtures::sequence::second_is_clean ... ok",
        "101 tasks leaked by test fixtures::sequence::first_leaks",
        "leakcheck: 101 tasks ended by unwinding, 0 abandoned",
    ]);
}

/// What a rule leaves out may serve the tests that follow.
#[test]
fn what_is_no_leak_is_left_alone() {
    alone(here!(), || {
        let scope = Scope::new("serves");
        let _in = scope.enter();
        let (stop, stopped) = chan::rendezvous::<()>();
        let leaked = go(|| silent().recv());
        let serves = Builder::new().name("server").go(move || stopped.recv()).unwrap();
        let filter = Filter::new().ignore_name("server");
        let reaped = find(&filter).expect_err("a leak").reap();
        assert_eq!((reaped.ended, reaped.abandoned), (1, 0));
        assert!(matches!(leaked.join(), Err(JoinError::Reaped)));
        drop(stop);
        assert!(serves.join().is_ok_and(|received| received.is_err()));
    });
}
