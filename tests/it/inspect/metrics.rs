//! The scheduler in numbers.

use crate::child::{alone, here};
use crate::support::{ONE_COOPERATIVE, info, until};
use gopark::chan;
use gopark::inspect::{Metrics, WaitReason};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What has happened between two times.
macro_rules! since {
    ($before:expr, $after:expr, $($field:ident),*) => {
        [$($after.$field - $before.$field),*]
    };
}

#[test]
fn tasks_are_counted_where_they_are_made_started_and_ended() {
    alone(here!(), ONE_COOPERATIVE, || {
        gopark::go(|| ()).join().unwrap();
        let (tx, rx) = chan::rendezvous::<u8>();
        let before = Metrics::now();
        assert_eq!((before.created, before.started, before.finished, before.tasks), (1, 1, 1, 0));
        let task = gopark::go(move || {
            // From a task, which holds a processor; from a call, which holds none.
            let tasks: Vec<_> = (0..10)
                .map(|_| {
                    let rx = rx.clone();
                    gopark::go(move || rx.recv().unwrap())
                })
                .collect();
            let waits =
                |task: &gopark::JoinHandle<u8>| info(task.id()).is_some_and(|it| it.wait.is_some());
            until("they wait", || tasks.iter().all(waits));
            let waiting = Metrics::now();
            let other = gopark::blocking(|| gopark::go(|| ()));
            other.join().unwrap();
            (0..10).for_each(|n| tx.send(n).unwrap());
            let mut got: Vec<_> = tasks.into_iter().map(|task| task.join().unwrap()).collect();
            got.sort_unstable();
            assert_eq!(got, Vec::from_iter(0..10));
            waiting
        });
        let waiting = task.join().unwrap();
        assert_eq!(
            since!(before, waiting, created, started, finished, blocking_calls),
            [11, 11, 0, 0]
        );
        assert_eq!((waiting.tasks, waiting.processors, waiting.queued), (11, 1, 0));
        assert_eq!(waiting.parks(WaitReason::ChanReceive), 10);
        let after = Metrics::now();
        assert_eq!(
            since!(before, after, created, started, finished, blocking_calls),
            [12, 12, 12, 1]
        );
        assert_eq!(after.tasks, 0);
        // Nobody is parked, so each park has been ended.
        let parks: u64 = [WaitReason::ChanReceive, WaitReason::ChanSend, WaitReason::Join]
            .into_iter()
            .map(|reason| after.parks(reason) - before.parks(reason))
            .sum();
        assert_eq!(after.readies - before.readies, parks);
        assert!(after.switches - before.switches >= 12 + parks);
        assert_eq!(after.parks(WaitReason::MutexLock), 0);
        assert_eq!(since!(before, after, gave_way, suspended), [0, 0]);
    });
}

#[test]
fn timers_and_sleeps_are_counted() {
    alone(here!(), ONE_COOPERATIVE, || {
        let before = Metrics::now();
        for _ in 0..5 {
            gopark::go(|| gopark::sleep(Duration::from_nanos(1))).join().unwrap();
        }
        let after = Metrics::now();
        assert_eq!(since!(before, after, timers_fired, readies), [5, 5]);
        assert_eq!(after.parks(WaitReason::Sleep), 5);
    });
}

/// Calls `f` again and again in a task, until `count` has risen; others want to run
/// meanwhile.
fn compute_until(what: &str, f: fn(), count: fn(&Metrics) -> u64) {
    let over = Arc::new(AtomicBool::new(false));
    let end = over.clone();
    let before = Metrics::now();
    let hog = gopark::go(move || {
        while !end.load(Ordering::Relaxed) {
            f();
        }
    });
    until(what, || {
        gopark::go(|| ()).join().unwrap();
        count(&Metrics::now()) > count(&before)
    });
    over.store(true, Ordering::Relaxed);
    hog.join().unwrap();
}

#[test]
fn who_is_suspended_is_counted() {
    let one = [("GOPARK_MAXPROCS", "1"), ("GOPARK_SLICE", "1ms"), ("GOPARK_DEBUG", "watchdog=0")];
    alone(here!(), &one, || {
        compute_until("it was suspended", || (), |metrics| metrics.suspended);
        assert!(Metrics::now().handovers > 0);
    });
}

/// Who comes to safepoints all the time may be suspended between two of them, where a
/// signal can do that.
#[test]
fn who_gives_way_at_a_safepoint_is_counted() {
    alone(here!(), ONE_COOPERATIVE, || {
        compute_until("it gave way", gopark::safepoint, |metrics| metrics.gave_way);
        assert_eq!(Metrics::now().suspended, 0);
    });
}

#[test]
fn polls_are_counted() {
    let before = Metrics::now();
    let server = gopark::go(|| {
        let server = gopark::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = server.local_addr().unwrap();
        let client = gopark::go(move || gopark::net::TcpStream::connect(at).map(drop));
        let accepted = server.accept().map(drop);
        client.join().unwrap().unwrap();
        accepted.unwrap();
    });
    server.join().unwrap();
    until("somebody has asked", || Metrics::now().net_polls > before.net_polls);
}

#[test]
fn work_that_another_takes_is_counted() {
    alone(here!(), &[("GOPARK_MAXPROCS", "2"), crate::support::COOPERATIVE], || {
        let before = Metrics::now();
        // It keeps its processor, so only the other one can run what it makes.
        let task = gopark::go(|| {
            let other = gopark::go(|| ());
            while !other.is_finished() {
                std::hint::spin_loop();
            }
        });
        task.join().unwrap();
        let after = Metrics::now();
        // Or the kernel put its thread to sleep meanwhile, and its processor went to
        // another one with all that was there.
        let [steals, detached] = since!(before, after, steals, detached);
        assert!(steals > 0 || detached > 0);
    });
}

#[test]
fn every_call_that_is_left_is_counted_by_how_the_task_went_on() {
    alone(here!(), &[("GOPARK_MAXPROCS", "1")], || {
        let before = Metrics::now();
        gopark::go(|| (0..3).for_each(|_| gopark::blocking(|| ()))).join().unwrap();
        // One that nobody has declared: the signal finds it.
        let (mut reader, writer) = std::io::pipe().unwrap();
        let task = gopark::go(move || std::io::Read::read(&mut reader, &mut [0]).unwrap());
        until("it is found in its call", || Metrics::now().detached > before.detached);
        drop(writer);
        task.join().unwrap();
        let after = Metrics::now();
        let back = since!(before, after, resumed_at_once, resumed_later, resumed_suspended);
        let calls = since!(before, after, blocking_calls, detached);
        assert_eq!(back.iter().sum::<u64>(), calls.iter().sum(), "{back:?} of {calls:?}");
        assert_eq!(calls[0], 3);
    });
}

#[test]
fn yields_are_counted() {
    alone(here!(), ONE_COOPERATIVE, || {
        let before = Metrics::now();
        gopark::go(|| (0..7).for_each(|_| gopark::yield_now())).join().unwrap();
        assert_eq!(since!(before, Metrics::now(), yields, gave_way), [7, 0]);
    });
}

#[test]
fn verdicts_are_counted() {
    alone(here!(), &[], || {
        let scope = gopark::Scope::new("judged");
        let entered = scope.enter();
        let (tx, rx) = chan::rendezvous::<u8>();
        let task = gopark::go(move || rx.recv());
        drop(entered);
        crate::support::parked(task.id(), WaitReason::ChanReceive);
        let census = gopark::inspect::Census::take(&scope);
        scope.condemn(&census.members);
        assert_eq!(Metrics::now().condemned, 1);
        drop(tx);
        assert!(task.join().unwrap().is_err());
    });
}
