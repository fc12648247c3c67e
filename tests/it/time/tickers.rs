//! Again and again: `Ticker`. (What its beat is, `runtime/src/time/node.rs` tests with
//! a clock of its own.)

use super::{ONE, set};
use crate::child::{alone, here};
use crate::support::{parked, until};
use gopark::chan::TryRecvError;
use gopark::inspect::WaitReason;
use gopark::time::Ticker;
use gopark::{Scope, sleep};
use std::panic::catch_unwind;
use std::time::{Duration, Instant};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn no_tick_comes_before_its_time() {
    let walk = || {
        let start = Instant::now();
        let ticker = Ticker::new(2 * MS);
        for (n, at) in (1..=10).zip(ticker.receiver()) {
            assert!(at - start >= n * 2 * MS, "tick {n} after {:?}", at - start);
        }
    };
    gopark::go(walk).join().unwrap();
    std::thread::spawn(walk).join().unwrap();
}

#[test]
fn ticks_that_nobody_takes_are_dropped() {
    alone(here!(), ONE, || {
        gopark::go(|| {
            let ticker = Ticker::new(MS);
            sleep(20 * MS);
            let start = Instant::now();
            ticker.receiver().recv().unwrap();
            // The one that waited may have been the first of twenty; the next one
            // comes in time, or later.
            ticker.reset(20 * MS);
            assert!(ticker.receiver().recv().unwrap() - start >= 20 * MS, "a tick of before");
        })
        .join()
        .unwrap();
    });
}

#[test]
fn a_ticker_that_is_stopped_is_silent_until_it_is_reset() {
    alone(here!(), ONE, || {
        gopark::go(|| {
            let ticker = Ticker::new(MS);
            ticker.receiver().recv().unwrap();
            sleep(2 * MS);
            ticker.stop();
            sleep(3 * MS);
            assert_eq!(ticker.receiver().try_recv(), Err(TryRecvError::Empty));
            ticker.stop();
            let start = Instant::now();
            ticker.reset(2 * MS);
            for n in 1..4 {
                assert!(ticker.receiver().recv().unwrap() - start >= n * 2 * MS);
            }
        })
        .join()
        .unwrap();
    });
}

#[test]
fn a_receive_from_one_that_is_stopped_waits() {
    alone(here!(), &[], || {
        let scope = Scope::new("stopped");
        let ticker = Ticker::new(HOUR);
        ticker.stop();
        let waiter = {
            let _in = scope.enter();
            let receiver = ticker.receiver().clone();
            gopark::go(move || receiver.recv().is_ok())
        };
        parked(waiter.id(), WaitReason::ChanReceive);
        ticker.reset(MS);
        assert!(waiter.join().unwrap());
    });
}

#[test]
fn the_last_receiver_takes_it_along() {
    alone(here!(), &[], || {
        let scope = Scope::new("last");
        let _in = scope.enter();
        let ticker = Ticker::new(MS);
        assert_eq!(set(&scope), 1);
        let receiver = ticker.receiver().clone();
        drop(ticker);
        assert!(receiver.iter().take(3).count() == 3, "a clone is left");
        assert_eq!(set(&scope), 1);
        drop(receiver);
        assert_eq!(set(&scope), 0);
    });
}

#[test]
fn a_period_of_zero_is_refused() {
    assert!(catch_unwind(|| Ticker::new(Duration::ZERO)).is_err());
    let ticker = Ticker::new(HOUR);
    assert!(catch_unwind(|| ticker.reset(Duration::ZERO)).is_err());
    ticker.stop();
}

/// Periods that no clock will ever reach, and one that is always over.
#[test]
fn extreme_periods() {
    alone(here!(), &[], || {
        let _never = [Duration::MAX, Duration::from_nanos(u64::MAX)].map(Ticker::new);
        let mut last = Instant::now();
        let ticker = Ticker::new(Duration::from_nanos(1));
        for at in ticker.receiver().iter().take(1000) {
            assert!(at >= last);
            last = at;
        }
    });
}

#[test]
fn many_tickers_at_once() {
    alone(here!(), &[], || {
        let tickers: Vec<_> = (0..200).map(|n| Ticker::new(MS + MS * (n % 7))).collect();
        let tasks: Vec<_> = tickers
            .into_iter()
            .map(|ticker| gopark::go(move || ticker.receiver().iter().take(10).count()))
            .collect();
        assert!(tasks.into_iter().all(|task| task.join().unwrap() == 10));
        until("none is left", || set(&Scope::current()) == 0);
    });
}
