//! Closing: by hand, by the last sender, by the last receiver.

use super::support::{EACH, Here};
use gopark::chan::{
    Receiver, RecvError, RecvTimeoutError, SendError, SendTimeoutError, Sender, TryRecvError,
    TrySendError, bounded, rendezvous,
};
use gopark::inspect::WaitReason;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

#[test]
fn receivers_drain_a_closed_channel() {
    type Close = fn(Sender<i32>, &Receiver<i32>) -> Option<Sender<i32>>;
    let ways: [Close; 3] = [
        |tx, _| {
            assert!(tx.close());
            Some(tx)
        },
        |tx, rx| {
            assert!(rx.close());
            Some(tx)
        },
        |_, _| None, // the last sender is dropped
    ];
    for close in ways {
        let (tx, rx) = bounded(4);
        (1..=4).for_each(|i| tx.send(i).unwrap());
        let _tx = close(tx, &rx);
        assert!(rx.is_closed());
        assert_eq!(rx.len(), 4);
        assert_eq!(rx.recv(), Ok(1));
        assert_eq!(rx.try_recv(), Ok(2));
        assert_eq!(rx.recv_timeout(LONG), Ok(3));
        assert_eq!(rx.iter().collect::<Vec<_>>(), [4]);
        for _ in 0..2 {
            assert_eq!(rx.recv(), Err(RecvError));
            assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
            assert_eq!(rx.recv_timeout(LONG), Err(RecvTimeoutError::Closed));
            assert_eq!(rx.iter().next(), None);
        }
    }
}

#[test]
fn sends_on_a_closed_channel_hand_the_value_back() {
    for capacity in [0, 1] {
        for last_receiver in [true, false] {
            let (tx, rx) = bounded(capacity);
            let rx = if last_receiver {
                drop(rx);
                None
            } else {
                assert!(tx.close());
                Some(rx)
            };
            assert!(tx.is_closed());
            assert_eq!(tx.send(1), Err(SendError(1)));
            assert_eq!(tx.try_send(2), Err(TrySendError::Closed(2)));
            assert_eq!(tx.send_timeout(3, LONG), Err(SendTimeoutError::Closed(3)));
            assert_eq!(tx.len(), 0);
            drop(rx);
        }
    }
}

#[test]
fn closing_twice_is_told_and_changes_nothing() {
    let (tx, rx) = bounded::<i32>(1);
    assert!(!tx.is_closed() && !rx.is_closed());
    assert!(tx.close());
    assert!(!tx.close());
    assert!(!rx.close());
    assert!(tx.is_closed() && rx.is_closed());

    let (tx, rx) = bounded::<i32>(1);
    drop(tx);
    assert!(!rx.close(), "the last sender's drop has closed it");
    let (tx, rx) = bounded::<i32>(1);
    drop(rx);
    assert!(!tx.close(), "the last receiver's drop has closed it");
}

#[test]
fn of_many_closers_one_wins() {
    for i in 0..50 {
        let (tx, rx) = bounded::<i32>(1);
        let closers: Vec<_> = (0..6)
            .map(|n| {
                let (tx, rx) = (tx.clone(), rx.clone());
                let by_sender = n % 3 == 0;
                EACH[(i + n) % 2].start(move || if by_sender { tx.close() } else { rx.close() })
            })
            .collect();
        let won = closers.into_iter().map(|c| c.join()).filter(|w| *w).count();
        assert_eq!(won, 1);
    }
}

#[test]
fn a_close_wakes_all_receivers() {
    for who in EACH {
        for by_drop in [false, true] {
            let here = Here::start();
            let (tx, rx) = bounded::<i32>(2);
            let receivers: Vec<_> = (0..6)
                .map(|i| {
                    let rx = rx.clone();
                    who.start(move || match i % 2 {
                        0 => rx.recv().map_err(RecvTimeoutError::from),
                        _ => rx.recv_timeout(LONG),
                    })
                })
                .collect();
            here.parked(6, WaitReason::ChanReceive);
            if by_drop {
                drop(tx);
            } else {
                tx.close();
            }
            for receiver in receivers {
                assert_eq!(receiver.join(), Err(RecvTimeoutError::Closed));
            }
        }
    }
}

#[test]
fn a_close_wakes_all_senders_and_hands_their_values_back() {
    for who in EACH {
        for by_drop in [false, true] {
            let here = Here::start();
            let (tx, rx) = rendezvous();
            let senders: Vec<_> = (0..6)
                .map(|i| {
                    let tx = tx.clone();
                    who.start(move || match i % 2 {
                        0 => tx.send(i).map_err(SendTimeoutError::from),
                        _ => tx.send_timeout(i, LONG),
                    })
                })
                .collect();
            here.parked(6, WaitReason::ChanSend);
            if by_drop {
                drop(rx);
            } else {
                tx.close();
            }
            for (i, sender) in senders.into_iter().enumerate() {
                assert_eq!(sender.join(), Err(SendTimeoutError::Closed(i)));
            }
        }
    }
}

#[test]
fn a_close_leaves_the_buffer_and_refuses_those_who_wait_behind_it() {
    for who in EACH {
        let here = Here::start();
        let (tx, rx) = bounded(2);
        tx.send(0).unwrap();
        tx.send(1).unwrap();
        let sender = who.start({
            let tx = tx.clone();
            move || tx.send(2)
        });
        here.parked(1, WaitReason::ChanSend);
        rx.close();
        assert_eq!(sender.join(), Err(SendError(2)));
        assert_eq!(rx.iter().collect::<Vec<_>>(), [0, 1]);
    }
}

/// Turning many waiting senders away takes a while. A receiver that sees the close
/// gets none of their values in the meantime.
#[test]
fn nothing_of_a_waiting_sender_arrives_after_the_close() {
    for round in 0..12 {
        let capacity = round % 3;
        let here = Here::start();
        let (tx, rx) = bounded(capacity);
        (0..capacity).for_each(|i| tx.send(i).unwrap());
        let senders: Vec<_> = (0..400)
            .map(|_| {
                let tx = tx.clone();
                gopark::go(move || tx.send(99))
            })
            .collect();
        here.parked(400, WaitReason::ChanSend);
        let receiver = EACH[round / 3 % 2].start(move || {
            while !rx.is_closed() {
                std::hint::spin_loop();
            }
            rx.iter().collect::<Vec<_>>()
        });
        let closer = std::thread::spawn(move || tx.close());
        assert_eq!(receiver.join(), (0..capacity).collect::<Vec<_>>());
        assert!(closer.join().unwrap());
        for sender in senders {
            assert_eq!(sender.join().unwrap(), Err(SendError(99)));
        }
    }
}

#[test]
fn clones_keep_a_channel_open() {
    let (tx, rx) = bounded(4);
    let (tx2, rx2) = (tx.clone(), rx.clone());
    drop(tx);
    drop(rx);
    tx2.send(1).unwrap();
    assert_eq!(rx2.recv(), Ok(1));
    assert!(!rx2.is_closed());
    drop(tx2);
    assert!(rx2.is_closed());
}

/// Values that are sent while others close are received or come back.
#[test]
fn a_close_loses_nothing_that_was_sent() {
    for i in 0..100 {
        let (tx, rx) = bounded(i % 3);
        let senders: Vec<_> = (0..4)
            .map(|n| {
                let tx = tx.clone();
                EACH[n % 2].start(move || (0..10).filter(|i| tx.send(n * 10 + i).is_ok()).count())
            })
            .collect();
        let receiver = EACH[i % 2].start({
            let rx = rx.clone();
            move || rx.iter().count()
        });
        let closer = EACH[i / 2 % 2].start(move || tx.close());
        let sent: usize = senders.into_iter().map(|s| s.join()).sum();
        assert!(closer.join());
        assert_eq!(receiver.join() + rx.try_iter().count(), sent);
    }
}
