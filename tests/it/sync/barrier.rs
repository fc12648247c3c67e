//! `gopark::sync::Barrier`.

use super::go_in;
use crate::chan::support::{EACH, Here, PAIRS};
use gopark::inspect::WaitReason;
use gopark::sync::{Barrier, TimeoutError};
use gopark::{JoinError, Scope};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[test]
pub(super) fn nobody_leaves_before_all_have_arrived() {
    const PARTIES: usize = 5;
    const ROUNDS: usize = 50;
    for (odd, even) in PAIRS {
        let barrier = Arc::new(Barrier::new(PARTIES));
        let arrived = Arc::new(AtomicUsize::new(0));
        let all: Vec<_> = (0..PARTIES)
            .map(|n| {
                let (barrier, arrived) = (barrier.clone(), arrived.clone());
                let who = if n % 2 == 0 { even } else { odd };
                who.start(move || {
                    let mut led = 0;
                    for round in 1..=ROUNDS {
                        arrived.fetch_add(1, Ordering::Relaxed);
                        led += usize::from(barrier.wait().is_leader());
                        assert!(arrived.load(Ordering::Relaxed) >= round * PARTIES);
                        // Nobody arrives for the next but one before this.
                        assert!(arrived.load(Ordering::Relaxed) <= (round + 1) * PARTIES);
                    }
                    led
                })
            })
            .collect();
        let led: usize = all.into_iter().map(|a| a.join()).sum();
        assert_eq!(led, ROUNDS, "one leader in each round");
    }
}

#[test]
fn one_or_none_need_not_wait() {
    for parties in [0, 1] {
        let barrier = Barrier::new(parties);
        assert!(barrier.wait().is_leader());
        assert!(barrier.wait_timeout(Duration::ZERO).unwrap().is_leader());
    }
}

#[test]
fn one_that_gives_up_has_not_arrived() {
    let limit = Duration::from_millis(20);
    for who in EACH {
        let here = Here::start();
        let barrier = Arc::new(Barrier::new(2));
        let start = Instant::now();
        let early = who.start({
            let barrier = barrier.clone();
            move || barrier.wait_timeout(limit)
        });
        assert_eq!(early.join(), Err(TimeoutError));
        assert!(start.elapsed() >= limit);
        let waiter = who.start({
            let barrier = barrier.clone();
            move || barrier.wait_timeout(Duration::MAX)
        });
        here.parked(1, WaitReason::BarrierWait);
        assert!(barrier.wait().is_leader());
        assert!(!waiter.join().unwrap().is_leader());
    }
}

#[test]
fn a_reaped_one_has_not_arrived() {
    let here = Here::start();
    let scope = Scope::new("reaped at the barrier");
    let barrier = Arc::new(Barrier::new(3));
    let reaped = go_in(&scope, {
        let barrier = barrier.clone();
        move || barrier.wait()
    });
    here.parked(1, WaitReason::BarrierWait);
    let start = || {
        let barrier = barrier.clone();
        gopark::go(move || barrier.wait())
    };
    let first = start();
    here.parked(2, WaitReason::BarrierWait);
    scope.reap();
    assert!(matches!(reaped.join(), Err(JoinError::Reaped)));
    let second = start();
    here.parked(2, WaitReason::BarrierWait);
    assert!(barrier.wait().is_leader());
    assert!(!first.join().unwrap().is_leader());
    assert!(!second.join().unwrap().is_leader());
}
