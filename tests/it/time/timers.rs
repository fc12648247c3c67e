//! One shot, with a channel: `Timer` and `after`.

use super::{ONE, set, set_are};
use crate::child::{alone, here};
use crate::support::{Tally, parked, until};
use gopark::chan::{Receiver, TryRecvError};
use gopark::inspect::WaitReason;
use gopark::time::{Timer, after};
use gopark::{Scope, sleep};
use std::sync::Arc;
use std::time::{Duration, Instant};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

#[track_caller]
fn empty(receiver: &Receiver<Instant>) {
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
}

#[test]
fn the_time_comes_once_and_not_too_early() {
    let walk = || {
        for micros in [0, 1, 100, 1000, 10_000] {
            let wait = Duration::from_micros(micros);
            let start = Instant::now();
            let timer = Timer::new(wait);
            let at = timer.receiver().recv().unwrap();
            assert!(at - start >= wait, "{:?} instead of {wait:?}", at - start);
            assert!(at <= Instant::now());
            empty(timer.receiver());
            let start = Instant::now();
            assert!(after(wait).recv().unwrap() - start >= wait);
        }
    };
    gopark::go(walk).join().unwrap();
    std::thread::spawn(walk).join().unwrap();
}

#[test]
fn one_that_waits_says_so() {
    alone(here!(), &[], || {
        let scope = Scope::new("waits");
        let waiter = {
            let _in = scope.enter();
            gopark::go(|| after(HOUR).recv().is_ok())
        };
        let seen = parked(waiter.id(), WaitReason::ChanReceive);
        assert_eq!(seen.wait.unwrap().site.line(), line!() - 3);
        assert_eq!(set(&scope), 1);
        assert_eq!(scope.reap().ended, 1);
        // The receiver went with the task, and the timer with the receiver.
        assert_eq!(set(&scope), 0);
    });
}

#[test]
fn the_channel_seems_to_have_no_buffer() {
    alone(here!(), ONE, || {
        let scope = Scope::new("buffer");
        let _in = scope.enter();
        let timer = Timer::new(Duration::ZERO);
        let receiver = timer.receiver();
        set_are(&scope, 0);
        assert_eq!((receiver.len(), receiver.capacity()), (0, 0));
        assert!(receiver.is_empty() && receiver.is_full() && !receiver.is_closed());
        assert!(receiver.try_recv().is_ok(), "it had the value all the same");
    });
}

#[test]
fn what_is_stopped_in_time_sends_nothing() {
    alone(here!(), ONE, || {
        gopark::go(|| {
            let timer = Timer::new(5 * MS);
            assert!(timer.stop());
            assert!(!timer.stop(), "it was stopped already");
            // One that is set later is due later.
            sleep(10 * MS);
            empty(timer.receiver());
            assert!(!timer.reset(MS));
            assert!(timer.receiver().recv().is_ok());
            assert!(!timer.stop(), "it has fired");
        })
        .join()
        .unwrap();
    });
}

/// The value is there and nobody has taken it.
fn fired(wait: Duration) -> Timer {
    let scope = Scope::new("fired");
    let _in = scope.enter();
    let timer = Timer::new(wait);
    set_are(&scope, 0);
    timer
}

#[test]
fn stop_takes_a_value_back() {
    alone(here!(), &[], || {
        let timer = fired(Duration::ZERO);
        assert!(timer.stop(), "nobody had received it");
        empty(timer.receiver());
        assert!(!timer.stop());
    });
}

#[test]
fn reset_takes_a_value_back() {
    alone(here!(), &[], || {
        let timer = fired(Duration::ZERO);
        let start = Instant::now();
        assert!(timer.reset(5 * MS), "nobody had received it");
        assert!(timer.receiver().recv().unwrap() - start >= 5 * MS, "the value of before");
        assert!(!timer.reset(HOUR));
        empty(timer.receiver());
        assert!(timer.reset(HOUR), "it was set");
        assert!(timer.stop());
    });
}

#[test]
fn a_timer_that_is_reset_fires_for_its_last_setting_only() {
    alone(here!(), ONE, || {
        gopark::go(|| {
            let timer = Timer::new(HOUR);
            for n in 0..2000_u32 {
                timer.reset(HOUR - n * MS);
                timer.reset(Duration::from_micros(u64::from(n % 3)));
            }
            let start = Instant::now();
            timer.reset(5 * MS);
            assert!(timer.receiver().recv().unwrap() - start >= 5 * MS);
            sleep(5 * MS);
            empty(timer.receiver());
        })
        .join()
        .unwrap();
    });
}

/// Whoever stops it knows whether somebody has got the value, or will.
#[test]
fn stop_or_the_receiver_has_it() {
    let (stopped, received) = (Tally::new(), Tally::new());
    for n in 0..3000_u64 {
        let timer = Arc::new(Timer::new(Duration::from_nanos(n * 37 % 60_000)));
        let receiver = {
            let (timer, received) = (timer.clone(), received.clone());
            gopark::go(move || {
                for _ in 0..n % 50 {
                    gopark::yield_now();
                }
                timer.receiver().try_recv().map(|_| received.add()).is_ok()
            })
        };
        for _ in 0..n % 70 {
            std::hint::spin_loop();
        }
        let mut was_stopped = timer.stop();
        // A stop that came while it was being received is no contradiction.
        let was_received = receiver.join().unwrap();
        was_stopped |= timer.stop();
        assert_ne!(was_stopped, was_received, "round {n}");
        empty(timer.receiver());
        if was_stopped {
            stopped.add();
        }
    }
    assert_eq!(stopped.count() + received.count(), 3000);
}

#[test]
fn after_a_stop_nothing_comes() {
    // Two who stop and set, and no value may be left when the last one has stopped.
    for n in 0..300_u64 {
        let timer = Arc::new(Timer::new(Duration::ZERO));
        let tasks: Vec<_> = (0..2)
            .map(|k| {
                let timer = timer.clone();
                gopark::go(move || {
                    for i in 0..20 {
                        timer.reset(Duration::from_nanos((n + i) * (k + 1) * 131 % 5000));
                        if i % 3 == k {
                            timer.stop();
                        }
                        gopark::yield_now();
                    }
                })
            })
            .collect();
        tasks.into_iter().for_each(|task| task.join().unwrap());
        timer.stop();
        for _ in 0..20 {
            empty(timer.receiver());
            gopark::yield_now();
        }
    }
}

#[test]
fn a_clone_of_the_receiver_keeps_the_timer() {
    let start = Instant::now();
    let receiver = Timer::new(3 * MS).receiver().clone();
    assert!(receiver.recv().unwrap() - start >= 3 * MS);
}

#[test]
fn whoever_drops_a_timer_stops_it() {
    alone(here!(), ONE, || {
        let scope = Scope::new("drops");
        let _in = scope.enter();
        let timer = Timer::new(HOUR);
        assert_eq!(set(&scope), 1);
        drop(timer);
        assert_eq!(set(&scope), 0);
        // Go, before 1.23, kept each of them for an hour.
        for _ in 0..100_000 {
            drop(after(HOUR));
        }
        assert_eq!(set(&scope), 0);
    });
}

#[test]
fn one_that_was_closed_by_hand_sends_nothing() {
    alone(here!(), ONE, || {
        gopark::go(|| {
            let timer = Timer::new(MS);
            assert!(timer.receiver().close());
            sleep(3 * MS);
            assert_eq!(timer.receiver().try_recv(), Err(TryRecvError::Closed));
        })
        .join()
        .unwrap();
    });
}

#[test]
fn several_receivers_and_one_value() {
    alone(here!(), &[], || {
        let scope = Scope::new("several");
        let timer = Timer::new(HOUR);
        let woken = Tally::new();
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                let _in = scope.enter();
                let (receiver, woken) = (timer.receiver().clone(), woken.clone());
                let waiter = gopark::go(move || receiver.recv().map(|_| woken.add()));
                // One comes after the other.
                parked(waiter.id(), WaitReason::ChanReceive);
                waiter
            })
            .collect();
        let mut waiters = waiters.into_iter();
        let mut first = || waiters.next().unwrap().join().unwrap();
        timer.reset(Duration::ZERO);
        until("one has got it", || woken.count() == 1);
        // The first that came.
        assert_eq!(first(), Ok(1));
        timer.reset(Duration::ZERO);
        until("the next one has got it", || woken.count() == 2);
        assert_eq!(first(), Ok(2));
        assert_eq!(scope.reap().ended, 1);
    });
}

#[test]
fn a_million_timers() {
    alone(here!(), &[], || {
        let scope = Scope::new("million");
        let _in = scope.enter();
        let start = Instant::now();
        let timers: Vec<_> = (0..1_000_000).map(|n| Timer::new(HOUR + n * MS)).collect();
        assert_eq!(set(&scope), 1_000_000);
        // A sleep is not disturbed by them.
        sleep(MS);
        assert!(start.elapsed() >= MS);
        for timer in timers.iter().step_by(2) {
            assert!(timer.stop());
        }
        assert_eq!(set(&scope), 500_000);
        timers.iter().skip(1).step_by(1000).for_each(|timer| assert!(timer.reset(MS)));
        for timer in timers.iter().skip(1).step_by(1000) {
            assert!(timer.receiver().recv().is_ok());
        }
        // This thread may be awake a moment before the timer counts as fired.
        set_are(&scope, 499_000);
        drop(timers);
        assert_eq!(set(&scope), 0);
    });
}
