//! Tasks that are ended in the middle of an operation.

use super::support::{Here, Ledger, OnDrop};
use crate::support::go_in;
use gopark::chan::{TryRecvError, TrySendError, bounded, never, never_sender, rendezvous};
use gopark::inspect::WaitReason;
use gopark::{JoinError, Scope};
use std::sync::mpsc;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_sender_drops_its_value_and_is_forgotten() {
    for timed in [false, true] {
        let here = Here::start();
        let scope = Scope::new("reaped sender");
        let ledger = Ledger::new(1);
        let (tx, rx) = rendezvous();
        let task = go_in(&scope, {
            let (tx, entry) = (tx.clone(), ledger.entry(0));
            move || match timed {
                false => tx.send(entry).is_ok(),
                true => tx.send_timeout(entry, LONG).is_ok(),
            }
        });
        here.parked(1, WaitReason::ChanSend);
        scope.reap();
        assert!(matches!(task.join(), Err(JoinError::Reaped)));
        ledger.all_dropped_once();
        assert!(matches!(rx.try_recv(), Err(TryRecvError::Empty)));
        drop(tx);
    }
}

#[test]
fn a_receiver_is_forgotten_and_those_behind_it_are_served() {
    let here = Here::start();
    let scope = Scope::new("reaped receiver");
    let (tx, rx) = rendezvous();
    let first = go_in(&scope, {
        let rx = rx.clone();
        move || rx.recv()
    });
    here.parked(1, WaitReason::ChanReceive);
    let second = gopark::go(move || rx.recv());
    here.parked(2, WaitReason::ChanReceive);
    scope.reap();
    assert!(matches!(first.join(), Err(JoinError::Reaped)));
    assert_eq!(tx.try_send(1), Ok(()));
    assert_eq!(second.join().unwrap(), Ok(1));
    assert_eq!(tx.try_send(2), Err(TrySendError::Closed(2)));
}

#[test]
fn waits_that_never_end_can_be_ended() {
    let here = Here::start();
    let scope = Scope::new("reaped for ever");
    let receiver = go_in(&scope, || never::<i32>().recv().is_ok());
    let sender = go_in(&scope, || never_sender().send(1).is_ok());
    here.parked(1, WaitReason::ChanReceiveNil);
    here.parked(1, WaitReason::ChanSendNil);
    scope.reap();
    assert!(matches!(receiver.join(), Err(JoinError::Reaped)));
    assert!(matches!(sender.join(), Err(JoinError::Reaped)));
}

/// Destructors that run because the task is reaped get errors instead of
/// waiting, and their values back.
#[test]
fn operations_in_destructors_return_errors() {
    let here = Here::start();
    let scope = Scope::new("reaped with destructors");
    let (tx, rx) = rendezvous::<i32>();
    let (full, _full_rx) = bounded(1);
    full.send(0).unwrap();
    let (own_tx, own_rx) = bounded(1);
    let (report, reported) = mpsc::channel();
    let task = go_in(&scope, {
        let (tx, rx) = (tx.clone(), rx.clone());
        move || {
            let _later = OnDrop(|| {
                report.send(full.send(1).map_err(|e| e.into_inner())).unwrap();
                report.send(full.send_timeout(2, LONG).map_err(|e| e.into_inner())).unwrap();
                report.send(rx.recv().map(drop).or(Err(3))).unwrap();
                report.send(rx.recv_timeout(LONG).map(drop).or(Err(4))).unwrap();
                // What need not wait works.
                report.send(full.try_send(5).map_err(|e| e.into_inner())).unwrap();
                report.send(own_tx.send(6).map_err(|e| e.into_inner())).unwrap();
            });
            tx.send(1).unwrap();
        }
    });
    here.parked(1, WaitReason::ChanSend);
    scope.reap();
    assert!(matches!(task.join(), Err(JoinError::Reaped)));
    let expected = [Err(1), Err(2), Err(3), Err(4), Err(5), Ok(())];
    assert_eq!(reported.iter().collect::<Vec<_>>(), expected);
    assert_eq!(own_rx.recv(), Ok(6));
    assert_eq!(tx.try_send(1), Err(TrySendError::Full(1)), "somebody still queues");
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty), "somebody still queues");
}

/// The reaper and partners compete for the same waiters.
#[test]
fn values_are_neither_lost_nor_doubled_while_tasks_are_reaped() {
    for round in 0..10 {
        let scope = Scope::new("reaped under load");
        let ledger = Ledger::new(200);
        let (tx, rx) = bounded(round % 3);
        let senders: Vec<_> = (0..4)
            .map(|n| {
                let (tx, ledger) = (tx.clone(), ledger.clone());
                go_in(&scope, move || {
                    // All are made first, so that each is dropped whatever happens.
                    let entries: Vec<_> = (0..50).map(|i| ledger.entry(n * 50 + i)).collect();
                    for entry in entries {
                        drop(tx.send(entry));
                    }
                })
            })
            .collect();
        drop(tx);
        let receiver = gopark::go(move || rx.iter().take(60).count());
        if round % 2 == 0 {
            gopark::yield_now();
        }
        scope.reap();
        for sender in senders {
            let _ = sender.join();
        }
        receiver.join().unwrap();
        let unborn = (0..4).filter(|n| ledger.drops(n * 50) == 0);
        let unborn: Vec<usize> = unborn.collect();
        for number in 0..200 {
            let expected = u32::from(!unborn.contains(&(number / 50)));
            assert_eq!(ledger.drops(number), expected, "value {number} in round {round}");
        }
    }
}
