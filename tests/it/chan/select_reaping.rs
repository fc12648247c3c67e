//! Tasks that are ended while they select.

use super::support::{Entry, Here, Ledger, OnDrop};
use crate::child::{alone, here};
use crate::support::go_in;
use gopark::chan::{RecvError, TryRecvError, TrySendError, bounded, never, rendezvous};
use gopark::inspect::{Status, WaitReason};
use gopark::{JoinError, Scope, select};
use std::sync::mpsc;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

#[test]
fn all_channels_forget_it_and_values_are_dropped() {
    for limited in [false, true] {
        let here = Here::start();
        let scope = Scope::new("reaped select");
        let ledger = Ledger::new(2);
        let ((to_a, a), (to_b, b), (to_c, c)) = (rendezvous(), rendezvous(), rendezvous::<u8>());
        let task = go_in(&scope, {
            let (to_a, to_b, c, ledger) = (to_a.clone(), to_b.clone(), c.clone(), ledger.clone());
            move || {
                let limit = if limited { LONG } else { Duration::MAX };
                select! {
                    send(to_a, ledger.entry(0)) -> sent => sent.is_ok(),
                    send(to_b, ledger.entry(1)) -> sent => sent.is_ok(),
                    recv(c) -> got => got.is_ok(),
                    after(limit) => false,
                }
            }
        });
        here.parked(1, WaitReason::Select);
        // Somebody queues behind it.
        let behind = gopark::go(move || c.recv());
        here.parked(1, WaitReason::ChanReceive);
        scope.reap();
        assert!(matches!(task.join(), Err(JoinError::Reaped)));
        ledger.all_dropped_once();
        assert!(matches!(a.try_recv(), Err(TryRecvError::Empty)));
        assert!(matches!(b.try_recv(), Err(TryRecvError::Empty)));
        assert_eq!(to_c.try_send(1), Ok(()), "those behind it are served");
        assert_eq!(behind.join().unwrap(), Ok(1));
        drop((to_a, to_b));
    }
}

#[test]
fn a_select_without_cases_can_be_ended() {
    let here = Here::start();
    let scope = Scope::new("reaped for ever");
    let task = go_in(&scope, || select! {});
    let switched_off = go_in(&scope, || select! { recv(never::<u8>()) => {} });
    here.parked(1, WaitReason::SelectNoCases);
    here.parked(1, WaitReason::Select);
    assert_eq!(scope.reap().ended, 2);
    assert!(matches!(task.join(), Err(JoinError::Reaped)));
    assert!(matches!(switched_off.join(), Err(JoinError::Reaped)));
}

/// In a destructor that runs because the task is reaped a select does not wait:
/// what is ready happens, else the first case fails, as if its channel had been
/// closed.
#[test]
fn selects_in_destructors_fail() {
    let here = Here::start();
    let scope = Scope::new("reaped with destructors");
    let (tx, rx) = rendezvous::<i32>();
    let (ready_tx, ready) = bounded(1);
    ready_tx.send(1).unwrap();
    let (report, reported) = mpsc::channel();
    let task = go_in(&scope, {
        let (tx, rx) = (tx.clone(), rx.clone());
        move || {
            let _later = OnDrop(|| {
                let outcome = select! {
                    recv(rx) -> got => got.map_err(|RecvError| -1),
                    recv(ready) -> got => got.map_err(|RecvError| -2),
                };
                report.send(outcome).unwrap();
                let outcome = select! {
                    send(tx, 2) -> sent => sent.map(|()| 0).map_err(|error| error.0),
                    recv(rx) -> got => got.map_err(|RecvError| -3),
                    after(LONG) => Ok(0),
                };
                report.send(outcome).unwrap();
                let outcome = select! {
                    recv(never::<i32>()) -> got => got.map_err(|RecvError| -4),
                };
                report.send(outcome).unwrap();
                let outcome = select! { after(LONG) => Err(-5) };
                report.send(outcome).unwrap();
            });
            tx.send(1).unwrap();
        }
    });
    here.parked(1, WaitReason::ChanSend);
    scope.reap();
    assert!(matches!(task.join(), Err(JoinError::Reaped)));
    let expected = [Ok(1), Err(2), Err(-4), Err(-5)];
    assert_eq!(reported.iter().collect::<Vec<_>>(), expected);
    assert_eq!(tx.try_send(1), Err(TrySendError::Full(1)), "somebody still queues");
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty), "somebody still queues");
}

/// One that has nothing to fail with waits on, and is given up. Its worker keeps a
/// panic count for ever.
#[test]
fn a_select_without_cases_in_a_destructor_is_given_up() {
    alone(here!(), &[], || {
        let here = Here::start();
        let scope = Scope::new("stubborn");
        let task = go_in(&scope, || {
            let _later = OnDrop(|| select! {});
            select! { recv(never::<u8>()) => {} }
        });
        here.parked(1, WaitReason::Select);
        assert_eq!(scope.reap().abandoned, 1);
        let left = crate::support::info(task.id()).expect("it is kept");
        assert_eq!(left.status, Status::Leaked);
        assert_eq!(left.wait.expect("parked").reason, WaitReason::SelectNoCases);
    });
}

/// The reaper and partners compete for the same selects.
#[test]
fn values_are_neither_lost_nor_doubled_while_selects_are_reaped() {
    for round in 0..10 {
        let scope = Scope::new("reaped under load");
        let ledger = Ledger::new(200);
        let (to_a, a) = bounded::<Option<Entry>>(round % 3);
        let (to_b, b) = bounded::<Option<Entry>>(round % 2);
        let senders: Vec<_> = (0..4)
            .map(|n| {
                let (to_a, to_b, ledger) = (to_a.clone(), to_b.clone(), ledger.clone());
                go_in(&scope, move || {
                    // All are made first, so that each is dropped whatever happens.
                    let entries: Vec<_> = (0..50).map(|i| ledger.entry(n * 50 + i)).collect();
                    for entry in entries {
                        select! {
                            send(to_a, Some(entry)) -> _ => {}
                            send(to_b, None) -> _ => {}
                        }
                    }
                })
            })
            .collect();
        drop((to_a, to_b));
        let receiver = gopark::go(move || {
            let (mut got, mut open) = (0, 2);
            while got < 60 && open > 0 {
                select! {
                    recv(a) -> value => match value {
                        Ok(value) => got += usize::from(value.is_some()),
                        Err(RecvError) => open -= 1,
                    },
                    recv(b) -> value => match value {
                        Ok(value) => got += usize::from(value.is_some()),
                        Err(RecvError) => open -= 1,
                    },
                }
            }
        });
        if round % 2 == 0 {
            gopark::yield_now();
        }
        scope.reap();
        for sender in senders {
            let _ = sender.join();
        }
        receiver.join().unwrap();
        let unborn: Vec<usize> = (0..4).filter(|n| ledger.drops(n * 50) == 0).collect();
        for number in 0..200 {
            let expected = u32::from(!unborn.contains(&(number / 50)));
            assert_eq!(ledger.drops(number), expected, "value {number} in round {round}");
        }
    }
}
