//! Operations with a time limit. Only lower bounds of times are checked.

use super::support::{EACH, Here};
use gopark::chan::{
    RecvTimeoutError, SendTimeoutError, TryRecvError, TrySendError, bounded, rendezvous,
};
use gopark::inspect::WaitReason;
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_receive_waits_as_long_as_it_was_told() {
    for capacity in [0, 1] {
        for who in EACH {
            let (tx, rx) = bounded::<i32>(capacity);
            who.start(move || {
                let start = Instant::now();
                assert_eq!(rx.recv_timeout(SHORT), Err(RecvTimeoutError::Timeout));
                assert!(start.elapsed() >= SHORT);
                let deadline = Instant::now() + SHORT;
                assert_eq!(rx.recv_deadline(deadline), Err(RecvTimeoutError::Timeout));
                assert!(Instant::now() >= deadline);
            })
            .join();
            drop(tx);
        }
    }
}

#[test]
fn a_send_waits_as_long_as_it_was_told_and_hands_the_value_back() {
    for capacity in [0, 1] {
        for who in EACH {
            let (tx, rx) = bounded(capacity);
            (0..capacity).for_each(|_| tx.send(0).unwrap());
            who.start(move || {
                let start = Instant::now();
                assert_eq!(tx.send_timeout(1, SHORT), Err(SendTimeoutError::Timeout(1)));
                assert!(start.elapsed() >= SHORT);
                let deadline = Instant::now() + SHORT;
                assert_eq!(tx.send_deadline(2, deadline), Err(SendTimeoutError::Timeout(2)));
                assert!(Instant::now() >= deadline);
            })
            .join();
            assert_eq!(rx.len(), capacity);
        }
    }
}

#[test]
fn a_waiter_that_timed_out_is_forgotten() {
    for who in EACH {
        let (tx, rx) = rendezvous();
        let rx = who
            .start(move || {
                assert!(rx.recv_timeout(Duration::from_millis(1)).is_err());
                rx
            })
            .join();
        assert_eq!(tx.try_send(1), Err(TrySendError::Full(1)), "a receiver still queues");
        let _tx = who
            .start(move || {
                assert!(tx.send_timeout(2, Duration::from_millis(1)).is_err());
                tx
            })
            .join();
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty), "a sender still queues");
    }
}

#[test]
fn those_behind_a_waiter_that_timed_out_are_served() {
    for who in EACH {
        let here = Here::start();
        let (tx, rx) = rendezvous();
        let first = || {
            let rx = rx.clone();
            who.start(move || rx.recv_timeout(Duration::from_millis(100)))
        };
        let first = here.parked_in_time(1, WaitReason::ChanReceive, first);
        let second = who.start(move || rx.recv_timeout(LONG));
        assert_eq!(first.join(), Err(RecvTimeoutError::Timeout));
        here.parked(1, WaitReason::ChanReceive);
        assert_eq!(tx.try_send(1), Ok(()));
        assert_eq!(second.join(), Ok(1));
    }
}

#[test]
fn what_comes_in_time_is_served() {
    for who in EACH {
        let here = Here::start();
        let (tx, rx) = rendezvous();
        let receiver = who.start({
            let rx = rx.clone();
            move || rx.recv_timeout(LONG)
        });
        here.parked(1, WaitReason::ChanReceive);
        tx.send(1).unwrap();
        assert_eq!(receiver.join(), Ok(1));

        let here = Here::start();
        let sender = who.start(move || tx.send_timeout(2, LONG));
        here.parked(1, WaitReason::ChanSend);
        assert_eq!(rx.recv(), Ok(2));
        assert_eq!(sender.join(), Ok(()));
    }
}

#[test]
fn what_is_there_is_taken_even_if_the_time_is_over() {
    let (tx, rx) = bounded(1);
    let past = Instant::now();
    assert_eq!(tx.send_timeout(1, Duration::ZERO), Ok(()));
    assert_eq!(rx.recv_timeout(Duration::ZERO), Ok(1));
    assert_eq!(tx.send_deadline(2, past), Ok(()));
    assert_eq!(rx.recv_deadline(past), Ok(2));
    assert_eq!(rx.recv_deadline(past), Err(RecvTimeoutError::Timeout));
    assert_eq!(rx.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout));
}

#[test]
fn a_limit_beyond_the_end_of_time_is_none() {
    for who in EACH {
        let here = Here::start();
        let (tx, rx) = rendezvous();
        let receiver = who.start(move || rx.recv_timeout(Duration::MAX));
        here.parked(1, WaitReason::ChanReceive);
        tx.send_timeout(1, Duration::MAX).unwrap();
        assert_eq!(receiver.join(), Ok(1));
    }
}

/// The timer and the partner compete for the same waiter; each value must end up
/// in exactly one place.
#[test]
fn a_partner_that_comes_at_the_last_moment() {
    for (i, capacity) in [0, 1, 0, 1].into_iter().enumerate() {
        let (tx, rx) = bounded(capacity);
        let receiver = EACH[i / 2].start(move || {
            let mut got = Vec::new();
            let mut wait = 0;
            loop {
                wait = (wait + 7) % 60;
                match rx.recv_timeout(Duration::from_micros(wait)) {
                    Ok(value) => got.push(value),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Closed) => return got,
                }
            }
        });
        let sender = EACH[i % 2].start(move || {
            let mut wait = 0;
            for mut value in 0..300 {
                while let Err(err) = tx.send_timeout(value, Duration::from_micros(wait)) {
                    assert!(err.is_timeout());
                    assert_eq!(err.into_inner(), value);
                    wait = (wait + 11) % 50;
                    value = err.into_inner();
                }
            }
        });
        sender.join();
        assert_eq!(receiver.join(), (0..300).collect::<Vec<_>>());
    }
}
