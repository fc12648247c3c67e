//! Sends and receives of async code.

use super::{Bells, pending, poll, ready};
use crate::support::{Tally, parked, until};
use gopark::chan::{RecvError, SendError, TryRecvError, TrySendError, bounded, never, rendezvous};
use gopark::inspect::WaitReason;
use gopark::{Scope, block_on, chan, go, select, spawn_future};
use std::future::Future;
use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

#[test]
fn a_value_comes_to_a_future_that_waits() {
    let (tx, rx) = rendezvous();
    let (bells, waker) = Bells::new();
    let mut get = rx.recv_async();
    pending(&mut get, &waker);
    pending(&mut get, &waker);
    assert_eq!(tx.try_send(1), Ok(()), "it waits like any receiver");
    until("it rings", || bells.count() == 1);
    assert_eq!(ready(&mut get), Ok(1));
    drop(get);
    assert_eq!((rx.try_recv(), bells.count()), (Err(TryRecvError::Empty), 1));
}

#[test]
fn a_value_goes_from_a_future_that_waits() {
    let (tx, rx) = rendezvous();
    let (bells, waker) = Bells::new();
    let mut put = tx.send_async(1);
    pending(&mut put, &waker);
    assert_eq!(rx.try_recv(), Ok(1));
    until("it rings", || bells.count() == 1);
    assert_eq!(ready(&mut put), Ok(()));
}

#[test]
fn what_is_possible_at_once_does_not_wait() {
    let (tx, rx) = bounded(1);
    assert_eq!(ready(&mut tx.send_async(1)), Ok(()));
    assert_eq!(ready(&mut rx.recv_async()), Ok(1));
    let waits = go({
        let rx = rx.clone();
        move || rx.recv()
    });
    parked(waits.id(), WaitReason::ChanReceive);
    assert_eq!(ready(&mut tx.send_async(2)), Ok(()));
    assert_eq!(waits.join().unwrap(), Ok(2));
    tx.close();
    assert_eq!(ready(&mut rx.recv_async()), Err(RecvError));
    assert_eq!(ready(&mut tx.send_async(3)), Err(SendError(3)));
}

#[test]
fn a_future_that_waits_is_told_of_the_close() {
    let (tx, rx) = rendezvous::<u8>();
    let (bells, waker) = Bells::new();
    let mut get = rx.recv_async();
    pending(&mut get, &waker);
    tx.close();
    until("it rings", || bells.count() == 1);
    assert_eq!(ready(&mut get), Err(RecvError));

    let (tx, rx) = rendezvous();
    let mut put = tx.send_async("back");
    pending(&mut put, &waker);
    drop(rx);
    until("it rings", || bells.count() == 2);
    assert_eq!(ready(&mut put), Err(SendError("back")));
}

#[test]
fn tasks_and_futures_are_served_in_the_order_in_which_they_came() {
    let (tx, rx) = rendezvous();
    let mut first = rx.recv_async();
    pending(&mut first, Waker::noop());
    let second = go({
        let rx = rx.clone();
        move || rx.recv()
    });
    parked(second.id(), WaitReason::ChanReceive);
    let mut third = rx.recv_async();
    pending(&mut third, Waker::noop());
    for n in 1..=3 {
        assert_eq!(tx.try_send(n), Ok(()));
    }
    assert_eq!(tx.try_send(4), Err(TrySendError::Full(4)));
    assert_eq!(second.join().unwrap(), Ok(2));
    assert_eq!((ready(&mut first), ready(&mut third)), (Ok(1), Ok(3)));
}

#[test]
fn the_latest_waker_is_woken() {
    let (tx, rx) = rendezvous();
    let (early, early_waker) = Bells::new();
    let (late, late_waker) = Bells::new();
    let mut get = rx.recv_async();
    pending(&mut get, &early_waker);
    pending(&mut get, &late_waker);
    tx.send(1).unwrap();
    until("it rings", || late.count() == 1);
    assert_eq!(early.count(), 0);
    assert_eq!(ready(&mut get), Ok(1));
}

#[test]
fn a_receive_that_was_dropped_is_forgotten() {
    let (tx, rx) = rendezvous();
    let (bells, waker) = Bells::new();
    let mut get = rx.recv_async();
    pending(&mut get, &waker);
    drop(get);
    assert_eq!(Arc::strong_count(&bells), 2, "the waker is dropped, too");
    assert_eq!(tx.try_send(1), Err(TrySendError::Full(1)));
    assert_eq!(bells.count(), 0);
}

#[test]
fn a_send_that_was_dropped_was_not_sent() {
    let drops = Tally::new();
    let (tx, rx) = rendezvous();
    let mut put = tx.send_async(drops.mark());
    pending(&mut put, Waker::noop());
    drop(put);
    assert_eq!(drops.count(), 1);
    assert!(matches!(rx.try_recv(), Err(TryRecvError::Empty)));
    drop(tx.send_async(drops.mark()));
    assert_eq!(drops.count(), 2);
    // One that has been taken is not taken back.
    let mut put = tx.send_async(drops.mark());
    pending(&mut put, Waker::noop());
    let taken = rx.try_recv();
    drop(put);
    taken.unwrap().check();
    // One that was refused and not seen is dropped.
    let mut put = tx.send_async(drops.mark());
    pending(&mut put, Waker::noop());
    rx.close();
    drop(put);
    assert_eq!(drops.count(), 4);
}

#[test]
fn a_value_that_was_not_seen_goes_on() {
    for capacity in 0..3 {
        let (tx, rx) = bounded(capacity);
        // To the next one who waits.
        let mut first = rx.recv_async();
        pending(&mut first, Waker::noop());
        let mut second = rx.recv_async();
        pending(&mut second, Waker::noop());
        tx.try_send(1).unwrap();
        drop(first);
        assert_eq!(ready(&mut second), Ok(1));
        drop(second);
        // Or back to the front, more of them than there is room for, too.
        let mut gone: Vec<_> = (0..5).map(|_| rx.recv_async()).collect();
        gone.iter_mut().for_each(|get| pending(get, Waker::noop()));
        (0..5).for_each(|n| tx.try_send(n).unwrap());
        for n in 5..5 + capacity {
            tx.try_send(n).unwrap();
        }
        while let Some(get) = gone.pop() {
            drop(get);
        }
        assert_eq!(tx.try_send(99), Err(TrySendError::Full(99)));
        // Nobody moves up while there is more than there is room for.
        let mut behind = tx.send_async(5 + capacity);
        pending(&mut behind, Waker::noop());
        for n in 0..=5 + capacity {
            assert_eq!(rx.try_recv(), Ok(n), "of {capacity}");
            let sent = poll(&mut behind, Waker::noop()).is_ready();
            assert_eq!(sent, n == 5, "{n} of {capacity}");
            if sent {
                break;
            }
        }
        assert_eq!(rx.try_iter().count(), capacity);
        drop(behind);
        // What a closed channel got back can be received.
        let mut get = rx.recv_async();
        pending(&mut get, Waker::noop());
        tx.try_send(7).unwrap();
        tx.close();
        drop(get);
        assert_eq!((rx.recv(), rx.recv()), (Ok(7), Err(RecvError)));
    }
}

/// The channel is gone before what waited in it.
#[test]
fn a_future_may_be_forgotten() {
    let drops = Tally::new();
    let (tx, rx) = rendezvous();
    let mut get = rx.recv_async();
    pending(&mut get, Waker::noop());
    mem::forget(get);
    assert!(tx.try_send(drops.mark()).is_ok(), "nobody knows");
    let mut put = tx.send_async(drops.mark());
    pending(&mut put, Waker::noop());
    mem::forget(put);
    drop((tx, rx));
    assert_eq!(drops.count(), 0);
}

#[test]
fn futures_meet_selects() {
    let (tx, rx) = rendezvous();
    let never = never::<u8>();
    let mut get = rx.recv_async();
    pending(&mut get, Waker::noop());
    select! {
        send(tx, 1) -> sent => sent.unwrap(),
        recv(never) -> _ => unreachable!(),
    }
    assert_eq!(ready(&mut get), Ok(1));
    drop(get);
    let mut put = tx.send_async(2);
    pending(&mut put, Waker::noop());
    select! {
        recv(rx) -> got => assert_eq!(got, Ok(2)),
        recv(never) -> _ => unreachable!(),
    }
    assert_eq!(ready(&mut put), Ok(()));
    drop(put);
    // The select comes first.
    let selects = go({
        let rx = rx.clone();
        move || {
            select! {
                recv(rx) -> got => got,
                recv(never) -> _ => unreachable!(),
            }
        }
    });
    parked(selects.id(), WaitReason::Select);
    assert_eq!(ready(&mut tx.send_async(3)), Ok(()));
    assert_eq!(selects.join().unwrap(), Ok(3));
}

#[test]
fn a_channel_that_is_never_ready_never_is() {
    let (rx, tx) = (never::<u8>(), chan::never_sender());
    pending(&mut rx.recv_async(), Waker::noop());
    pending(&mut tx.send_async(1), Waker::noop());
}

/// The waker is called by a task, whoever has fired the timer.
#[test]
fn a_timer_rings() {
    let after = gopark::time::after(Duration::from_millis(1));
    block_on(after.recv_async()).unwrap();
    let (bells, waker) = Bells::new();
    let after = gopark::time::after(Duration::from_millis(1));
    let mut get = after.recv_async();
    if poll(&mut get, &waker).is_pending() {
        until("it rings", || bells.count() == 1);
        // Not seen, so it is still there.
        drop(get);
        after.recv().unwrap();
    }
}

#[test]
fn a_task_that_is_reaped_leaves_the_channel_in_order() {
    let scope = Scope::new("reaped receiver");
    let (tx, rx) = rendezvous();
    let task = {
        let _in = scope.enter();
        let rx = rx.clone();
        spawn_future(async move { rx.recv_async().await })
    };
    parked(task.id(), WaitReason::BlockOn);
    scope.reap();
    assert_eq!(tx.try_send(1), Err(TrySendError::Full(1)));
    assert!(task.join().is_err());
}

/// A waker may do what it likes: it parks, and it panics.
#[test]
fn a_waker_disturbs_nobody() {
    struct Panics;
    impl std::task::Wake for Panics {
        fn wake(self: Arc<Self>) {
            gopark::sleep(Duration::from_millis(1));
            panic!("by a waker");
        }
    }
    let scope = Scope::new("panicking waker");
    let (tx, rx) = rendezvous();
    {
        let _in = scope.enter();
        let mut get = rx.recv_async();
        pending(&mut get, &Waker::from(Arc::new(Panics)));
        tx.send(1).unwrap();
        until("it has panicked", || !scope.take_panics().is_empty());
        assert_eq!(ready(&mut get), Ok(1));
    }
}

/// Takes what comes first, and drops the other.
async fn either<A: Future, B: Future>(a: A, b: B) -> Option<A::Output> {
    let (mut a, mut b) = (pin!(a), pin!(b));
    std::future::poll_fn(|cx: &mut Context<'_>| {
        if let Poll::Ready(output) = a.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        b.as_mut().poll(cx).map(|_| None)
    })
    .await
}

/// Senders and receivers, tasks and futures, some of which give up at any moment.
#[test]
fn nothing_is_lost_and_nothing_comes_twice() {
    const EACH: usize = 2_000;
    for capacity in [0, 1, 3] {
        let (tx, rx) = bounded::<usize>(capacity);
        let (kick, kicked) = bounded::<()>(1);
        let got: Arc<Vec<AtomicUsize>> = Arc::new((0..4 * EACH).map(|_| 0.into()).collect());
        let receivers: Vec<_> = (0..4)
            .map(|who| {
                let (rx, kicked, got) = (rx.clone(), kicked.clone(), got.clone());
                spawn_future(async move {
                    loop {
                        let next = match who {
                            0 => rx.recv(),
                            1 => rx.recv_async().await,
                            _ => match either(rx.recv_async(), kicked.recv_async()).await {
                                Some(next) => next,
                                None => continue,
                            },
                        };
                        match next {
                            Ok(n) => got[n].fetch_add(1, Ordering::SeqCst),
                            Err(_) => break,
                        };
                    }
                })
            })
            .collect();
        let kicking = go(move || while kick.send(()).is_ok() {});
        let senders: Vec<_> = (0..4)
            .map(|who| {
                let tx = tx.clone();
                spawn_future(async move {
                    for n in who * EACH..(who + 1) * EACH {
                        match who % 2 {
                            0 => tx.send(n).unwrap(),
                            _ => tx.send_async(n).await.unwrap(),
                        }
                    }
                })
            })
            .collect();
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        drop((tx, rx));
        receivers.into_iter().for_each(|receiver| receiver.join().unwrap());
        drop(kicked);
        kicking.join().unwrap();
        for (n, times) in got.iter().enumerate() {
            assert_eq!(times.load(Ordering::SeqCst), 1, "{n} of capacity {capacity}");
        }
    }
}
