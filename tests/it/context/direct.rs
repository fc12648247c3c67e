//! The direct forms: `send`, `recv`, `sleep`, `join` and others that end with the context.

use super::{LONG, SHORT};
use crate::support::{Gate, parked, until};
use gopark::chan::{self, bounded, rendezvous};
use gopark::context::ContextError::{Cancelled, DeadlineExceeded};
use gopark::context::{Context, ContextError, JoinError as ContextJoinError, RecvError, SendError};
use gopark::inspect::WaitReason;
use gopark::sync::{Barrier, Condvar, Mutex, WaitGroup};
use gopark::{JoinError, JoinHandle, Scope};
use std::sync::Arc;
use std::time::Duration;

#[test]
fn direct_forms_do_what_is_possible() {
    let (ctx, cancel) = Context::background().with_cancel();
    let (tx, rx) = bounded(1);
    assert_eq!(ctx.send(&tx, 1), Ok(()));
    assert_eq!(ctx.recv(&rx), Ok(1));
    assert_eq!(ctx.sleep(Duration::from_millis(1)), Ok(()));
    let receiver = gopark::go({
        let (ctx, rx) = (ctx.clone(), rx.clone());
        move || ctx.recv(&rx)
    });
    parked(receiver.id(), WaitReason::Select);
    assert_eq!(tx.try_send(2), Ok(()));
    assert_eq!(receiver.join().unwrap(), Ok(2));
    tx.send(0).unwrap();
    let sender = gopark::go({
        let (ctx, tx) = (ctx.clone(), tx.clone());
        move || ctx.send(&tx, 3)
    });
    parked(sender.id(), WaitReason::Select);
    assert_eq!((rx.recv(), sender.join().unwrap()), (Ok(0), Ok(())));
    let group = WaitGroup::new();
    assert_eq!(ctx.wait_for(&group), Ok(()));
    let gate = Gate::new();
    let pass = gate.clone();
    group.go(move || pass.pass());
    let waiter = gopark::go({
        let ctx = ctx.clone();
        move || ctx.wait_for(&group)
    });
    parked(waiter.id(), WaitReason::Select);
    gate.open();
    assert_eq!(waiter.join().unwrap(), Ok(()));
    tx.close();
    assert_eq!(ctx.recv(&rx), Ok(3));
    assert_eq!(ctx.recv(&rx), Err(RecvError::Closed));
    assert_eq!(ctx.send(&tx, 4), Err(SendError::Closed(4)));
    // Done comes first.
    drop(cancel);
    assert_eq!(ctx.recv(&rx), Err(RecvError::Done(Cancelled)));
    assert_eq!(ctx.send(&tx, 5), Err(SendError::Done(5, Cancelled)));
    assert_eq!(ctx.sleep(LONG), Err(Cancelled));
    let (full_tx, full) = bounded(1);
    full_tx.send(6).unwrap();
    assert_eq!(ctx.recv(&full), Err(RecvError::Done(Cancelled)), "although there is a value");
    assert_eq!(full.recv(), Ok(6));
}

#[test]
fn cancelling_ends_direct_forms() {
    for by_deadline in [false, true] {
        let (ctx, cancel) = if by_deadline {
            Context::background().with_timeout(SHORT)
        } else {
            Context::background().with_cancel()
        };
        let (tx, rx) = rendezvous::<u8>();
        let go = |f: fn(&Context, &chan::Sender<u8>, &chan::Receiver<u8>) -> ContextError| {
            let (ctx, tx, rx) = (ctx.clone(), tx.clone(), rx.clone());
            gopark::go(move || f(&ctx, &tx, &rx))
        };
        let waiting = [
            go(|ctx, _, _| ctx.wait()),
            go(|ctx, _, _| {
                let group = WaitGroup::new();
                group.add(1);
                ctx.wait_for(&group).unwrap_err()
            }),
            go(|ctx, _, _| ctx.sleep(LONG).unwrap_err()),
            go(|ctx, tx, _| match ctx.send(tx, 7) {
                Err(SendError::Done(7, reason)) => reason,
                other => panic!("{other:?}"),
            }),
            go(|ctx, _, _| match ctx.recv(&chan::never::<u8>()) {
                Err(RecvError::Done(reason)) => reason,
                other => panic!("{other:?}"),
            }),
            go(|ctx, _, _| ctx.wait_at(&Barrier::new(2)).unwrap_err()),
            go(|ctx, _, _| {
                let (lock, changed) = (Mutex::new(0), Condvar::new());
                let reason = ctx.wait_while(&changed, &mut lock.lock(), |n| *n == 0).unwrap_err();
                assert!(lock.try_lock().is_some(), "the guard was the last");
                reason
            }),
            go(|ctx, _, _| {
                let gate = Gate::new();
                let wait = gate.clone();
                match ctx.join(gopark::go(move || wait.pass())) {
                    Err(ContextJoinError::Done(task, reason)) => {
                        gate.open();
                        task.join().unwrap();
                        reason
                    }
                    other => panic!("{other:?}"),
                }
            }),
        ];
        if !by_deadline {
            let (join, others) = waiting.split_last().unwrap();
            others.iter().for_each(|task| _ = parked(task.id(), WaitReason::Select));
            parked(join.id(), WaitReason::Join);
            cancel.cancel();
        }
        let expected = if by_deadline { DeadlineExceeded } else { Cancelled };
        for task in waiting {
            assert_eq!(task.join().unwrap(), expected);
        }
        assert_eq!(rx.try_recv(), Err(chan::TryRecvError::Empty), "nobody queues");
    }
}

/// A task that has the value when the gate is open.
fn behind(gate: &Gate, value: i32) -> JoinHandle<i32> {
    let gate = gate.clone();
    gopark::go(move || {
        gate.pass();
        value
    })
}

#[test]
fn a_join_has_the_outcome_or_gives_the_handle_back() {
    let (ctx, cancel) = Context::background().with_cancel();
    let gate = Gate::new();
    let task = behind(&gate, 7);
    let joiner = {
        let ctx = ctx.clone();
        gopark::go(move || ctx.join(task))
    };
    parked(joiner.id(), WaitReason::Join);
    gate.open();
    assert_eq!(joiner.join().unwrap().unwrap(), 7);
    let panics = gopark::go(|| std::panic::resume_unwind(Box::new("why")));
    match ctx.join(panics) {
        Err(ContextJoinError::Ended(JoinError::Panicked(why))) => {
            assert_eq!(why.downcast_ref(), Some(&"why"));
        }
        other => panic!("{other:?}"),
    }
    // One that is over is joined without a wait, unless the context is done.
    let over = gopark::go(|| 8);
    until("it is over", || over.is_finished());
    assert_eq!(ctx.join(over).unwrap(), 8);
    let late = gopark::go(|| 9);
    until("it is over", || late.is_finished());
    drop(cancel);
    match ctx.join(late) {
        Err(ContextJoinError::Done(late, Cancelled)) => assert_eq!(late.join().unwrap(), 9),
        other => panic!("{other:?}"),
    }
}

/// The task may end at the moment at which the context is done.
#[test]
fn joining_and_cancelling_race() {
    let scope = Scope::new("race");
    for round in 0..300 {
        let _in = scope.enter();
        let (ctx, cancel) = Context::background().with_cancel();
        let gate = Gate::new();
        let task = behind(&gate, round);
        let joiner = gopark::go(move || match ctx.join(task) {
            Ok(value) => value,
            Err(ContextJoinError::Done(task, Cancelled)) => task.join().unwrap(),
            Err(other) => panic!("{other:?}"),
        });
        if round % 2 == 0 {
            parked(joiner.id(), WaitReason::Join);
        }
        let canceller = gopark::go(move || drop(cancel));
        gate.open();
        assert_eq!(joiner.join().unwrap(), round);
        canceller.join().unwrap();
    }
    until("no bell is left", || scope.live() == 0);
}

#[test]
fn a_barrier_does_not_count_who_gave_up() {
    let barrier = Arc::new(Barrier::new(3));
    let (ctx, cancel) = Context::background().with_cancel();
    let arrive = |ctx: Context| {
        let barrier = barrier.clone();
        gopark::go(move || ctx.wait_at(&barrier).map(|won| won.is_leader()))
    };
    let gives_up = arrive(ctx);
    parked(gives_up.id(), WaitReason::Select);
    drop(cancel);
    assert_eq!(gives_up.join().unwrap(), Err(Cancelled));
    // In company of those without a context, whoever comes last.
    for with_context_last in [false, true] {
        let first = arrive(Context::background());
        parked(first.id(), WaitReason::Select);
        let second = {
            let barrier = barrier.clone();
            gopark::go(move || barrier.wait().is_leader())
        };
        parked(second.id(), WaitReason::BarrierWait);
        if with_context_last {
            assert!(Context::background().wait_at(&barrier).unwrap().is_leader());
        } else {
            assert!(barrier.wait().is_leader());
        }
        assert_eq!(first.join().unwrap(), Ok(false));
        assert!(!second.join().unwrap());
    }
}

#[test]
fn a_signal_or_the_context_ends_the_wait_for_a_condition() {
    let shared = Arc::new((Mutex::new(0), Condvar::new()));
    let (ctx, cancel) = Context::background().with_cancel();
    let waits = {
        let (shared, ctx) = (shared.clone(), ctx.clone());
        gopark::go(move || {
            let mut n = shared.0.lock();
            ctx.wait_while(&shared.1, &mut n, |n| *n < 2)?;
            Ok::<i32, ContextError>(*n)
        })
    };
    for n in 1..=2 {
        parked(waits.id(), WaitReason::Select);
        *shared.0.lock() = n;
        shared.1.notify_one();
    }
    assert_eq!(waits.join().unwrap(), Ok(2));
    // Who has the lock when the context is done makes the waiter wait for it.
    let waits = {
        let shared = shared.clone();
        gopark::go(move || {
            let mut n = shared.0.lock();
            let ended = ctx.wait_while(&shared.1, &mut n, |_| true);
            *n += 1;
            ended
        })
    };
    parked(waits.id(), WaitReason::Select);
    let mut n = shared.0.lock();
    drop(cancel);
    parked(waits.id(), WaitReason::MutexLock);
    *n = 10;
    drop(n);
    assert_eq!(waits.join().unwrap(), Err(Cancelled));
    assert_eq!(*shared.0.lock(), 11);
}

/// Whoever is ended leaves queues and locks as if it had not come.
#[test]
fn tasks_can_be_reaped_in_the_direct_forms() {
    let scope = Scope::new("reaped");
    let (ctx, _cancel) = Context::background().with_cancel();
    let shared = Arc::new((Mutex::new(0), Condvar::new(), Barrier::new(2)));
    let gate = Gate::new();
    let joined = behind(&gate, 0);
    let waiting = {
        let _in = scope.enter();
        let with = |f: fn(&Context, &(Mutex<i32>, Condvar, Barrier))| {
            let (ctx, shared) = (ctx.clone(), shared.clone());
            gopark::go(move || f(&ctx, &shared))
        };
        let ctx = ctx.clone();
        [
            with(|ctx, shared| {
                let mut n = shared.0.lock();
                let _ended = ctx.wait_while(&shared.1, &mut n, |_| true);
                unreachable!();
            }),
            with(|ctx, shared| {
                let _ended = ctx.wait_at(&shared.2);
                unreachable!();
            }),
            gopark::go(move || {
                let _ended = ctx.join(joined);
                unreachable!();
            }),
        ]
    };
    for (task, reason) in
        waiting.iter().zip([WaitReason::Select, WaitReason::Select, WaitReason::Join])
    {
        parked(task.id(), reason);
    }
    assert_eq!(scope.reap().ended, 3);
    for task in waiting {
        assert!(matches!(task.join(), Err(JoinError::Reaped)));
    }
    assert_eq!(*shared.0.try_lock().expect("nobody has the lock"), 0);
    shared.1.notify_all();
    let other = {
        let shared = shared.clone();
        gopark::go(move || shared.2.wait().is_leader())
    };
    parked(other.id(), WaitReason::BarrierWait);
    assert!(shared.2.wait().is_leader(), "the one that was reaped does not count");
    assert!(!other.join().unwrap());
    gate.open();
    until("no bell is left", || scope.live() == 0);
}
