//! `timeout`: a limit for all that a function waits for.

use crate::child::{alone, here};
use crate::support::{Gate, Tally, for_ever, info, parked, until};
use gopark::chan::{self, RecvTimeoutError};
use gopark::inspect::WaitReason;
use gopark::sync::{Mutex, WaitGroup};
use gopark::time::{Elapsed, after, timeout};
use gopark::{JoinError, Scope, sleep};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

/// On a task and on a thread.
fn both(f: fn()) {
    gopark::go(f).join().unwrap();
    std::thread::spawn(f).join().unwrap();
}

type Call<'a> = Box<dyn FnOnce() + 'a>;

#[test]
fn whatever_waits_is_ended() {
    both(|| {
        let (tx, rx) = chan::rendezvous::<Tally>();
        let (lock, group, drops) = (Mutex::new(()), WaitGroup::new(), Tally::new());
        let held = lock.lock();
        group.add(1);
        let gate = Gate::new();
        let task = {
            let gate = gate.clone();
            gopark::go(move || gate.pass())
        };
        let mark = drops.mark();
        let calls: [(&str, Call<'_>); 9] = [
            ("sleep", Box::new(|| sleep(HOUR))),
            ("recv", Box::new(|| drop(rx.recv()))),
            ("recv_timeout", Box::new(|| drop(rx.recv_timeout(HOUR)))),
            ("iter", Box::new(|| assert!(rx.iter().count() > 0))),
            ("never", Box::new(for_ever)),
            ("after", Box::new(|| assert!(after(HOUR).recv().is_err()))),
            ("lock", Box::new(|| drop(lock.lock()))),
            ("wait", Box::new(|| group.wait())),
            ("join", Box::new(|| drop(task.join()))),
        ];
        for (name, call) in calls {
            let start = Instant::now();
            assert_eq!(timeout(2 * MS, call), Err(Elapsed), "{name}");
            assert!(start.elapsed() >= 2 * MS, "{name}");
        }
        // A value that was not sent is dropped.
        let (full, _rx) = chan::rendezvous();
        assert_eq!(timeout(MS, || full.send(mark).is_ok()), Err(Elapsed));
        assert_eq!(drops.count(), 1);
        // Everything is as if nobody had waited.
        drop(held);
        assert!(lock.try_lock().is_some());
        group.done();
        group.wait();
        let sender = gopark::go(move || tx.send(drops).is_ok());
        assert!(rx.recv().is_ok() && sender.join().unwrap());
        gate.open();
    });
}

#[test]
fn what_ends_in_time_returns_its_value() {
    both(|| {
        let borrowed = Cell::new(0);
        let value = timeout(HOUR, || {
            sleep(MS);
            borrowed.set(7);
            "value"
        });
        assert_eq!((value, borrowed.get()), (Ok("value"), 7));
        // And no limit is left.
        sleep(2 * MS);
    });
}

#[test]
fn what_does_not_wait_is_not_ended() {
    both(|| {
        let (tx, rx) = chan::bounded(1);
        let late = timeout(Duration::ZERO, || {
            let end = Instant::now() + 2 * MS;
            while Instant::now() < end {
                std::hint::spin_loop();
            }
            tx.send(1).unwrap();
            gopark::blocking(|| std::thread::sleep(MS));
            rx.recv().unwrap()
        });
        assert_eq!(late, Ok(1));
        // But it comes to no further wait.
        let after = Cell::new(false);
        let past = timeout(Duration::ZERO, || {
            let _ = rx.recv();
            after.set(true);
        });
        assert_eq!((past, after.get()), (Err(Elapsed), false));
    });
}

#[test]
fn the_earliest_limit_ends_a_wait_and_is_told() {
    both(|| {
        let inner_first = timeout(HOUR, || {
            let inner = timeout(MS, || sleep(HOUR));
            sleep(MS);
            inner
        });
        assert_eq!(inner_first, Ok(Err(Elapsed)));
        let reached = Cell::new(false);
        let outer_first = timeout(2 * MS, || {
            let inner = timeout(HOUR, || sleep(HOUR));
            reached.set(true);
            inner
        });
        assert_eq!((outer_first, reached.get()), (Err(Elapsed), false));
        // Both have passed: the outermost one has nobody who could go on.
        let both_passed = timeout(MS, || {
            let inner = timeout(Duration::ZERO, || {
                std::thread::sleep(3 * MS);
                sleep(MS);
            });
            reached.set(true);
            inner
        });
        assert_eq!((both_passed, reached.get()), (Err(Elapsed), false));
    });
}

#[test]
fn a_calls_own_limit_is_its_own() {
    both(|| {
        let (_tx, rx) = chan::rendezvous::<()>();
        let own = timeout(HOUR, || rx.recv_timeout(MS));
        assert_eq!(own, Ok(Err(RecvTimeoutError::Timeout)));
    });
}

#[test]
fn destructors_run_and_may_wait() {
    struct Last<'a>(&'a chan::Receiver<u32>, &'a Cell<u32>);
    impl Drop for Last<'_> {
        fn drop(&mut self) {
            // Nothing hurries it: the limit has passed already.
            self.1.set(self.0.recv().unwrap_or(1));
        }
    }
    alone(here!(), &[], || {
        let (tx, rx) = chan::rendezvous();
        let task = gopark::go(move || {
            let got = Cell::new(0);
            let out = timeout(MS, || {
                let _last = Last(&rx, &got);
                for_ever();
            });
            (out, got.get())
        });
        until("its destructor waits", || {
            info(task.id()).is_some_and(|it| {
                it.wait.is_some_and(|wait| wait.reason == WaitReason::ChanReceive && !wait.timed)
            })
        });
        tx.send(42).unwrap();
        assert_eq!(task.join().unwrap(), (Err(Elapsed), 42));
    });
}

#[test]
fn other_unwinds_pass() {
    let panics = gopark::go(|| {
        let _ = timeout(HOUR, || -> () { panic!("mine") });
    });
    let Err(JoinError::Panicked(payload)) = panics.join() else { panic!("it panicked") };
    assert_eq!(*payload.downcast_ref::<&str>().unwrap(), "mine");
    let exits = gopark::go(|| {
        let _ = timeout(HOUR, || gopark::goexit());
    });
    assert!(matches!(exits.join(), Err(JoinError::Exited)));
}

#[test]
fn a_task_is_reaped_in_spite_of_its_limit() {
    alone(here!(), &[], || {
        let scope = Scope::new("limited");
        let task = {
            let _in = scope.enter();
            gopark::go(|| timeout(HOUR, for_ever))
        };
        let seen = parked(task.id(), WaitReason::ChanReceiveNil);
        assert!(seen.wait.unwrap().timed && !seen.durably_blocked(), "it ends by itself");
        assert_eq!(scope.reap().ended, 1);
        assert!(matches!(task.join(), Err(JoinError::Reaped)));
    });
}

#[test]
fn who_swallows_the_unwind_is_given_up_in_the_end() {
    both(|| {
        let (tx, rx) = chan::bounded(1);
        let (caught, start) = (Cell::new(0), Instant::now());
        let value = timeout(Duration::ZERO, || {
            while catch_unwind(AssertUnwindSafe(|| sleep(MS))).is_err() {
                caught.set(caught.get() + 1);
            }
            tx.send(5).unwrap();
            rx.recv().unwrap()
        });
        assert_eq!((value, caught.get()), (Ok(5), 16));
        assert!(start.elapsed() >= MS);
    });
}

/// A value goes to somebody who gets it, or stays where it was.
#[test]
fn no_value_is_lost() {
    let (tx, rx) = chan::rendezvous();
    let sum = Arc::new(Mutex::new(0));
    let receivers: Vec<_> = (0..4)
        .map(|n| {
            let (rx, sum) = (rx.clone(), sum.clone());
            gopark::go(move || {
                let mut ended = 0;
                loop {
                    match timeout(Duration::from_micros(7 * n), || rx.recv()) {
                        Ok(Ok(value)) => *sum.lock() += value,
                        Ok(Err(_)) => return ended,
                        Err(Elapsed) => ended += 1,
                    }
                    gopark::yield_now();
                }
            })
        })
        .collect();
    drop(rx);
    let mut unsent = 0;
    for n in 1..=2000_u64 {
        let mut sent = false;
        while !sent {
            // The value of a send that was ended is sent again.
            sent = timeout(Duration::from_micros(n % 20), || tx.send(n)) == Ok(Ok(()));
            unsent += u64::from(!sent);
        }
    }
    drop(tx);
    let ended: u64 = receivers.into_iter().map(|it| it.join().unwrap()).sum();
    assert_eq!(*sum.lock(), 2000 * 2001 / 2, "{ended} receives and {unsent} sends were ended");
}

/// Parks without a limit of their own, one after another with a lock held, as
/// many as there is no room for at first.
#[test]
fn there_is_room_for_every_wait() {
    alone(here!(), &[], || {
        let (tx, rx) = chan::rendezvous();
        let tasks: Vec<_> = (0..300)
            .map(|_| {
                let rx = rx.clone();
                gopark::go(move || timeout(HOUR, || rx.iter().take(5).count()))
            })
            .collect();
        let sender = gopark::go(move || (0..1500).for_each(|n| tx.send(n).unwrap()));
        assert!(tasks.into_iter().all(|task| task.join().unwrap() == Ok(5)));
        sender.join().unwrap();
    });
}
