//! Sleeping: never too short, in order, never for nothing.

use crate::child::{alone, here};
use crate::support::{ONE_COOPERATIVE, Tally, info, on_one_thread, parked, until};
use gopark::inspect::{Snapshot, WaitReason};
use gopark::{Scope, chan, sleep};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

#[test]
fn no_sleep_is_too_short() {
    let walk = || {
        for micros in [0, 1, 10, 100, 1000, 5000, 20_000] {
            let nap = Duration::from_micros(micros);
            let start = Instant::now();
            sleep(nap);
            assert!(start.elapsed() >= nap, "slept {:?} instead of {nap:?}", start.elapsed());
        }
    };
    gopark::go(walk).join().unwrap();
    std::thread::spawn(walk).join().unwrap();
}

/// Two hundred tasks that sleep till a moment each, in another order than they
/// are started in. The order in which they woke, or nothing if some did before
/// all were asleep.
fn woken_in_order(ahead: Duration) -> Option<Vec<u64>> {
    let log = Arc::new(Mutex::new(Vec::new()));
    let start = Instant::now() + ahead;
    let written = log.clone();
    let sleeper = move |n: u64| {
        let (log, n) = (written.clone(), n * 71 % 200);
        let until = start + Duration::from_micros(n * 200);
        gopark::go(move || {
            sleep(until - Instant::now());
            log.lock().unwrap().push(n);
        })
    };
    let tasks = on_one_thread(move || (0..200).map(sleeper).collect::<Vec<_>>());
    let asleep = |task: &gopark::JoinHandle<()>| {
        info(task.id()).and_then(|seen| seen.wait?.left).is_some_and(|left| left > ahead / 4)
    };
    until("all sleep or it is too late", || Instant::now() > start || tasks.iter().all(asleep));
    let in_time = Instant::now() < start;
    tasks.into_iter().for_each(|task| task.join().unwrap());
    in_time.then(|| std::mem::take(&mut *log.lock().unwrap()))
}

#[test]
fn sleepers_wake_in_the_order_of_their_times() {
    alone(here!(), ONE_COOPERATIVE, || {
        let mut ahead = Duration::from_millis(50);
        // Who is paused after his look at the clock sleeps longer than he meant to.
        until("they wake in order", || {
            let Some(order) = woken_in_order(ahead) else {
                // A machine with much to do.
                ahead *= 2;
                return false;
            };
            println!("{order:?}");
            order.iter().copied().eq(0..200)
        });
    });
}

#[test]
fn an_early_timer_that_is_set_late_fires_first() {
    alone(here!(), &[], || {
        let scope = Scope::new("long");
        let long = {
            let _in = scope.enter();
            gopark::go(|| sleep(Duration::from_secs(3600)))
        };
        let seen = parked(long.id(), WaitReason::Sleep);
        gopark::go(|| sleep(Duration::from_millis(1))).join().unwrap();
        assert_eq!(info(long.id()).unwrap().stamp, seen.stamp);
        assert_eq!(scope.reap().ended, 1);
    });
}

#[test]
fn a_sleep_of_all_eternity_does_not_overflow() {
    alone(here!(), &[], || {
        let eternities = [
            Duration::MAX,
            Duration::from_secs(u64::MAX),
            Duration::from_secs(u64::MAX / 2),
            Duration::from_secs(i64::MAX as u64 - 1),
            Duration::from_nanos(u64::MAX),
            Duration::from_nanos(u64::MAX - 1),
        ];
        let (scope, mut keep) = (Scope::new("eternity"), Vec::new());
        let sleepers: Vec<_> = eternities
            .into_iter()
            .flat_map(|nap| {
                let _in = scope.enter();
                let (tx, rx) = chan::rendezvous();
                let kinds: [Box<dyn FnOnce() + Send>; 3] = [
                    Box::new(move || sleep(nap)),
                    Box::new(move || assert!(rx.recv_timeout(nap).is_ok())),
                    Box::new(move || assert!(chan::never_sender().send_timeout((), nap).is_ok())),
                ];
                keep.push(tx);
                kinds.map(gopark::go)
            })
            .collect();
        for sleeper in &sleepers {
            until("it is parked", || {
                assert!(!sleeper.is_finished(), "an eternity has passed");
                info(sleeper.id()).is_some_and(|seen| seen.wait.is_some())
            });
        }
        // A later timer fires although those are in the way.
        gopark::go(|| sleep(Duration::from_millis(1))).join().unwrap();
        assert_eq!(scope.live(), 18);
        assert_eq!(scope.reap().ended, 18);
        assert_eq!(scope.live(), 0);
        drop::<Vec<chan::Sender<()>>>(keep);
    });
}

#[test]
fn many_sleep_at_once() {
    alone(here!(), &[], || {
        let woken = Tally::new();
        let tasks: Vec<_> = (0..50_000)
            .map(|n| {
                let woken = woken.clone();
                let nap = Duration::from_micros(1000 + n % 1000);
                gopark::go(move || {
                    let start = Instant::now();
                    sleep(nap);
                    woken.add();
                    start.elapsed() >= nap
                })
            })
            .collect();
        assert!(tasks.into_iter().all(|task| task.join().unwrap()), "one woke too early");
        assert_eq!(woken.count(), 50_000);
    });
}

#[test]
fn a_sleeper_lets_others_run() {
    alone(here!(), &[("GOPARK_MAXPROCS", "1")], || {
        let over = Arc::new(AtomicBool::new(false));
        let awake = over.clone();
        let sleeper = gopark::go(move || {
            // More than once: it may be over before anybody has looked.
            while !awake.load(Ordering::SeqCst) {
                sleep(Duration::from_millis(20));
            }
        });
        parked(sleeper.id(), WaitReason::Sleep);
        for n in 0..100 {
            assert_eq!(gopark::go(move || n).join().unwrap(), n);
        }
        over.store(true, Ordering::SeqCst);
        sleeper.join().unwrap();
    });
}

#[test]
fn observers_see_how_long_a_sleep_lasts() {
    alone(here!(), &[], || {
        let scope = Scope::new("seen");
        let nap = Duration::from_secs(3600);
        let sleeper = {
            let _in = scope.enter();
            gopark::go(move || sleep(nap))
        };
        let line = line!() - 2;
        let seen = parked(sleeper.id(), WaitReason::Sleep);
        assert!(!seen.durably_blocked(), "it wakes by itself");
        let wait = seen.wait.unwrap();
        assert!(wait.timed && wait.left.is_some_and(|left| left <= nap), "{wait:?}");
        assert_eq!((wait.site.file(), wait.site.line()), (file!(), line));
        assert_eq!(scope.reap().ended, 1);
    });
}

#[test]
fn sleepers_that_are_woken_early_leave_no_timer_that_disturbs() {
    // The same tasks park again and again with timers that must not fire.
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            gopark::go(|| {
                for n in 0..2000_u32 {
                    let (tx, rx) = chan::rendezvous();
                    let partner = gopark::go(move || tx.send(n));
                    assert_eq!(rx.recv_timeout(Duration::from_secs(60)), Ok(n));
                    partner.join().unwrap().unwrap();
                }
            })
        })
        .collect();
    tasks.into_iter().for_each(|task| task.join().unwrap());
}

#[test]
fn the_name_in_the_time_module_is_the_same() {
    let start = Instant::now();
    gopark::time::sleep(Duration::from_millis(1));
    assert!(start.elapsed() >= Duration::from_millis(1));
}

#[test]
fn nobody_has_more_time_left_than_it_asked_for() {
    alone(here!(), &[], || {
        let nap = Duration::from_secs(3600);
        // It takes a while to read these, and whoever is made later is read behind them.
        let (gate, wait) = chan::rendezvous::<()>();
        for _ in 0..3000 {
            let wait = wait.clone();
            gopark::go(move || wait.recv().is_ok());
        }
        let (mut looks, mut seen) = (0, 0);
        // On a machine with much to do many looks are over before the first sleeps.
        while looks < 50 || seen < 50 {
            looks += 1;
            gopark::go(move || sleep(nap));
            for left in Snapshot::all().tasks.iter().filter_map(|task| task.wait?.left) {
                assert!(left <= nap, "{left:?}");
                seen += 1;
            }
        }
        drop(gate);
    });
}
