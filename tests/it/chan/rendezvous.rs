//! Channels without a buffer: a send and a receive meet.

use super::support::{EACH, Here, PAIRS};
use gopark::chan::{TryRecvError, TrySendError, bounded, rendezvous};
use gopark::inspect::WaitReason;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn values_arrive_in_order() {
    for (sender, receiver) in PAIRS {
        let (tx, rx) = rendezvous();
        let sender = sender.start(move || (0..200).for_each(|i| tx.send(i).unwrap()));
        let receiver = receiver.start(move || rx.iter().collect::<Vec<i32>>());
        sender.join();
        assert_eq!(receiver.join(), (0..200).collect::<Vec<_>>());
    }
}

#[test]
fn a_send_ends_only_when_it_is_received() {
    for who in EACH {
        let here = Here::start();
        let (tx, rx) = rendezvous();
        let sent = Arc::new(AtomicBool::new(false));
        let sender = who.start({
            let sent = sent.clone();
            move || {
                tx.send(7).unwrap();
                sent.store(true, Ordering::SeqCst);
            }
        });
        here.parked(1, WaitReason::ChanSend);
        assert!(!sent.load(Ordering::SeqCst));
        assert_eq!(rx.recv(), Ok(7));
        sender.join();
        assert!(sent.load(Ordering::SeqCst));
    }
}

#[test]
fn a_receive_waits_for_its_send() {
    for who in EACH {
        let here = Here::start();
        let (tx, rx) = rendezvous();
        let receiver = who.start(move || rx.recv());
        here.parked(1, WaitReason::ChanReceive);
        tx.send(7).unwrap();
        assert_eq!(receiver.join(), Ok(7));
    }
}

#[test]
fn try_send_needs_a_waiting_receiver() {
    for who in EACH {
        let here = Here::start();
        let (tx, rx) = rendezvous();
        assert_eq!(tx.try_send(1), Err(TrySendError::Full(1)));
        let receiver = who.start(move || rx.recv());
        here.parked(1, WaitReason::ChanReceive);
        assert_eq!(tx.try_send(2), Ok(()));
        assert_eq!(tx.try_send(3).unwrap_err().into_inner(), 3);
        assert_eq!(receiver.join(), Ok(2));
    }
}

#[test]
fn try_recv_needs_a_waiting_sender() {
    for who in EACH {
        let here = Here::start();
        let (tx, rx) = rendezvous();
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
        let sender = who.start({
            let tx = tx.clone();
            move || tx.send(1)
        });
        here.parked(1, WaitReason::ChanSend);
        assert_eq!(rx.try_recv(), Ok(1));
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
        assert_eq!(sender.join(), Ok(()));
    }
}

#[test]
fn waiting_receivers_are_served_in_the_order_they_came() {
    for (odd, even) in PAIRS {
        let here = Here::start();
        let (tx, rx) = rendezvous();
        let receivers: Vec<_> = (0..8)
            .map(|i| {
                let rx = rx.clone();
                let who = if i % 2 == 0 { even } else { odd };
                let receiver = who.start(move || rx.recv());
                here.parked(i + 1, WaitReason::ChanReceive);
                receiver
            })
            .collect();
        for i in 0..8 {
            assert_eq!(tx.try_send(i), Ok(()));
        }
        let got: Vec<_> = receivers.into_iter().map(|r| r.join().unwrap()).collect();
        assert_eq!(got, (0..8).collect::<Vec<_>>());
    }
}

#[test]
fn waiting_senders_are_served_in_the_order_they_came() {
    for (odd, even) in PAIRS {
        let here = Here::start();
        let (tx, rx) = rendezvous();
        let senders: Vec<_> = (0..8)
            .map(|i| {
                let tx = tx.clone();
                let who = if i % 2 == 0 { even } else { odd };
                let sender = who.start(move || tx.send(i));
                here.parked(i + 1, WaitReason::ChanSend);
                sender
            })
            .collect();
        let got: Vec<_> = rx.try_iter().collect();
        assert_eq!(got, (0..8).collect::<Vec<_>>());
        senders.into_iter().for_each(|s| s.join().unwrap());
    }
}

#[test]
fn nobody_comes_between_a_sender_and_a_waiting_receiver() {
    for capacity in [0, 1, 4] {
        for who in EACH {
            let here = Here::start();
            let (tx, rx) = bounded(capacity);
            let receiver = who.start({
                let rx = rx.clone();
                move || rx.recv()
            });
            here.parked(1, WaitReason::ChanReceive);
            tx.send(1).unwrap();
            // The value is with the receiver, whether it runs already or not.
            assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
            assert_eq!(receiver.join(), Ok(1));
        }
    }
}

#[test]
fn ping_pong() {
    for (left, right) in PAIRS {
        let (ping, pinged) = rendezvous::<u32>();
        let (pong, ponged) = rendezvous::<u32>();
        let left = left.start(move || {
            for i in 0..500 {
                ping.send(i).unwrap();
                assert_eq!(ponged.recv(), Ok(i + 1));
            }
        });
        let right = right.start(move || pinged.iter().for_each(|i| pong.send(i + 1).unwrap()));
        left.join();
        right.join();
    }
}

/// The prime sieve of Go's tour: a chain of tasks that grows as it runs.
#[test]
fn prime_sieve() {
    let (tx, mut primes) = rendezvous::<u32>();
    gopark::go(move || (2..).try_for_each(|i| tx.send(i)));
    let mut found = Vec::new();
    while found.len() < 40 {
        let prime = primes.recv().unwrap();
        found.push(prime);
        let (tx, rx) = rendezvous();
        let numbers = std::mem::replace(&mut primes, rx);
        gopark::go(move || {
            let left = numbers.into_iter().filter(|n| n % prime != 0);
            let _ = { left }.try_for_each(|n| tx.send(n));
        });
    }
    assert_eq!(found[..6], [2, 3, 5, 7, 11, 13]);
    assert_eq!(found[39], 173);
    // The drop of the last receiver runs up the chain and ends every task.
}
