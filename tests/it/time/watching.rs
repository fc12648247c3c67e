//! Who notices that a timer is due: busy or idle, somebody does; and nobody looks
//! when there is none.

use super::{ONE, TWO};
use crate::child::{alone, here};
use crate::support::{info, parked, spin_until, until};
use gopark::inspect::{Status, WaitReason};
use gopark::runtime::Config;
use gopark::time::{Timer, after, after_func};
use gopark::{Scope, blocking, chan, sleep};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

/// How often the threads of this process other than the calling one have gone to
/// sleep.
fn sleeps() -> u64 {
    let me = fs::read_link("/proc/thread-self").unwrap();
    let threads = fs::read_dir("/proc/self/task").unwrap();
    let others =
        threads.map(|it| it.unwrap()).filter(|it| Some(&*it.file_name()) != me.file_name());
    let status = others.filter_map(|it| fs::read_to_string(it.path().join("status")).ok());
    let of = |status: String| -> Option<u64> {
        let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    status.filter_map(of).sum()
}

/// Waits until nobody has woken for a while.
fn all_rest(what: &str) {
    let mut last = u64::MAX;
    until(what, || {
        std::thread::sleep(Duration::from_millis(300));
        std::mem::replace(&mut last, sleeps()) == last
    });
}

#[test]
fn nobody_wakes_without_a_timer() {
    alone(here!(), TWO, || {
        gopark::go(|| sleep(MS)).join().unwrap();
        all_rest("an idle program rests");
    });
}

#[test]
fn nobody_wakes_long_before_a_timer() {
    alone(here!(), TWO, || {
        let (scope, _timer) = (Scope::new("rest"), Timer::new(HOUR));
        let _in = scope.enter();
        let sleeper = gopark::go(|| sleep(HOUR));
        parked(sleeper.id(), WaitReason::Sleep);
        after_func(HOUR, || unreachable!());
        all_rest("a program that sleeps for an hour rests");
        assert_eq!(scope.reap().ended, 1);
    });
}

#[test]
fn a_sleeper_beside_a_hog_is_made_ready() {
    alone(here!(), ONE, || {
        let hog = gopark::go(|| {
            let sleeper = gopark::go(|| sleep(2 * MS));
            parked(sleeper.id(), WaitReason::Sleep);
            // From here on this task keeps the only processor.
            spin_until("the sleeper is ready", || {
                info(sleeper.id()).is_none_or(|it| it.status == Status::Runnable)
            });
            sleeper.join().unwrap();
        });
        hog.join().unwrap();
    });
}

#[expect(unsafe_code, reason = "the promise of migrating mode")]
fn start_migrating() {
    // SAFETY: no frame of these tests touches a thread-local on both sides of a
    // call of gopark.
    unsafe { Config::new().maxprocs(2).migrating() }.start().unwrap();
}

#[test]
fn a_sleeper_beside_a_hog_runs_elsewhere_if_it_may() {
    alone(here!(), &[], || {
        start_migrating();
        let awake = Arc::new(AtomicBool::new(false));
        let seen = awake.clone();
        let hog = gopark::go(move || {
            let sleeper = gopark::go(move || {
                sleep(2 * MS);
                awake.store(true, Ordering::SeqCst);
            });
            parked(sleeper.id(), WaitReason::Sleep);
            spin_until("the sleeper has run", || seen.load(Ordering::SeqCst));
            sleeper.join().unwrap();
        });
        hog.join().unwrap();
    });
}

#[test]
fn a_function_beside_a_hog_runs_elsewhere() {
    alone(here!(), TWO, || {
        let ran = Arc::new(AtomicBool::new(false));
        let seen = ran.clone();
        let hog = gopark::go(move || {
            after_func(2 * MS, move || ran.store(true, Ordering::SeqCst));
            spin_until("the function has run", || seen.load(Ordering::SeqCst));
        });
        hog.join().unwrap();
    });
}

/// A busy pair that always has something to run.
#[test]
fn a_sleeper_beside_two_that_take_turns() {
    alone(here!(), ONE, || {
        let over = Arc::new(AtomicBool::new(false));
        let busy: Vec<_> = (0..2)
            .map(|_| {
                let over = over.clone();
                gopark::go(move || {
                    while !over.load(Ordering::SeqCst) {
                        gopark::yield_now();
                    }
                })
            })
            .collect();
        gopark::go(|| sleep(2 * MS)).join().unwrap();
        over.store(true, Ordering::SeqCst);
        busy.into_iter().for_each(|it| it.join().unwrap());
    });
}

/// The thread holds no processor, and nobody else does.
#[test]
fn a_timer_set_by_a_thread_while_all_rest() {
    alone(here!(), TWO, || {
        gopark::go(|| ()).join().unwrap();
        all_rest("an idle program rests");
        after(MS).recv().unwrap();
        let (tx, rx) = mpsc::channel();
        let far = Timer::new(HOUR);
        all_rest("it rests beside a timer");
        // Earlier than what somebody sleeps for.
        after_func(MS, move || tx.send(()).unwrap());
        rx.recv().unwrap();
        assert!(far.stop());
    });
}

/// The processor that has the timer is taken out of the call, and then idle.
#[test]
fn a_timer_set_before_a_blocking_call() {
    alone(here!(), ONE, || {
        let (tx, rx) = mpsc::channel();
        let (ready, go) = chan::rendezvous();
        let waiter = gopark::go(move || {
            let timer: Timer = go.recv().unwrap();
            timer.receiver().recv().unwrap();
            tx.send(()).unwrap();
        });
        let caller = gopark::Builder::new()
            .own_thread()
            .go(move || {
                ready.send(Timer::new(20 * MS)).unwrap();
                blocking(|| rx.recv().unwrap());
            })
            .unwrap();
        caller.join().unwrap();
        waiter.join().unwrap();
    });
}

/// A park with a time limit inside of a call.
#[test]
fn a_sleep_in_a_blocking_call() {
    alone(here!(), ONE, || {
        let tasks: Vec<_> = (0..10)
            .map(|n| {
                gopark::go(move || {
                    blocking(|| {
                        for _ in 0..5 {
                            sleep(Duration::from_micros(300 * n));
                            std::thread::sleep(Duration::from_micros(100));
                        }
                    });
                })
            })
            .collect();
        tasks.into_iter().for_each(|it| it.join().unwrap());
    });
}

/// Tasks with threads of their own hold processors too, and give them up.
#[test]
fn sleepers_with_threads_of_their_own() {
    alone(here!(), ONE, || {
        let tasks: Vec<_> = (1..10)
            .map(|n| {
                let body = move || (0..5).for_each(|_| sleep(Duration::from_micros(200 * n)));
                gopark::Builder::new().own_thread().go(body).unwrap()
            })
            .collect();
        tasks.into_iter().for_each(|it| it.join().unwrap());
    });
}

/// Sleep after sleep, with everybody idle in between, from two sides.
#[test]
fn many_short_sleeps_of_few_tasks() {
    alone(here!(), TWO, || {
        let nap = |n: u64| move || (0..300).for_each(|k| sleep(Duration::from_micros(k * n % 90)));
        let tasks: Vec<_> = (1..4).map(|n| gopark::go(nap(n * 7))).collect();
        let threads: Vec<_> = (1..3)
            .map(|n| {
                std::thread::spawn(move || {
                    for k in 0..300 {
                        after(Duration::from_micros(k * n % 90)).recv().unwrap();
                    }
                })
            })
            .collect();
        tasks.into_iter().for_each(|it| it.join().unwrap());
        threads.into_iter().for_each(|it| it.join().unwrap());
    });
}

/// Processors that are gone keep their timers, and somebody looks.
#[test]
fn fewer_processors() {
    alone(here!(), &[("GOPARK_MAXPROCS", "4")], || {
        let tasks: Vec<_> = (0..200_u32)
            .map(|n| gopark::go(move || (1..4).for_each(|k| sleep(MS * (n % 8) * k))))
            .collect();
        let timers: Vec<_> = (0..8).map(|n| gopark::go(move || after(MS * n * 2))).collect();
        for n in [1, 3, 1, 4, 1] {
            gopark::set_maxprocs(n);
            sleep(MS * 2);
        }
        tasks.into_iter().for_each(|it| it.join().unwrap());
        for timer in timers {
            assert!(timer.join().unwrap().recv().is_ok());
        }
    });
}

/// A worker that ends does not take with it that somebody sleeps until the timer.
#[test]
fn workers_that_end() {
    let short = [("GOPARK_MAXPROCS", "4"), ("GOPARK_DEBUG", "idleworkers=1")];
    alone(here!(), &short, || {
        for n in 0..40 {
            let burst: Vec<_> = (0..8).map(|_| gopark::go(|| std::thread::sleep(MS))).collect();
            let (fires, sleeper) = (after(MS * (n % 5) * 2), gopark::go(move || sleep(MS * 4)));
            burst.into_iter().for_each(|it| it.join().unwrap());
            assert!(fires.recv().is_ok());
            sleeper.join().unwrap();
        }
    });
}
