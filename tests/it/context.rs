//! Contexts: Go's rules one by one, and whose tasks they make.

use crate::child::{alone, here};
use crate::support::{Gate, Tally, parked, until};
use gopark::chan::{self, RecvError as Closed, bounded, rendezvous};
use gopark::context::{
    Cancel, Context, ContextError, JoinError as ContextJoinError, RecvError, SendError,
};
use gopark::inspect::{Census, Snapshot, WaitReason};
use gopark::sync::{Barrier, Condvar, Mutex, WaitGroup};
use gopark::{JoinError, Scope, select};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(3600);

use ContextError::{Cancelled, DeadlineExceeded};

/// Whether its channel says the same as `err`.
#[track_caller]
fn is(ctx: &Context, expected: Option<ContextError>) {
    assert_eq!(ctx.err(), expected);
    let closed = ctx.done().try_recv() == Err(chan::TryRecvError::Closed);
    assert_eq!(closed, expected.is_some());
    assert_eq!(ctx.cause().is_some(), expected.is_some());
}

#[test]
fn the_background_is_never_done() {
    let ctx = Context::background();
    is(&ctx, None);
    assert_eq!((ctx.deadline(), ctx.value::<u8>()), (None, None));
    assert!(!ctx.done().close(), "nobody can close it");
    is(&Context::default(), None);
    assert!(!ctx.after_func(|| unreachable!()).stop());
}

#[test]
fn cancelling_goes_down_and_not_up() {
    let (root, cancel_root) = Context::background().with_cancel();
    let (left, cancel_left) = root.with_cancel();
    let (right, _right) = root.with_cancel();
    let (leaf, _leaf) = left.with_value(1_u8).with_cancel();
    cancel_left.cancel();
    is(&left, Some(Cancelled));
    is(&leaf, Some(Cancelled));
    is(&root, None);
    is(&right, None);
    cancel_root.cancel();
    is(&right, Some(Cancelled));
    // Whoever comes too late.
    let (late, _late) = leaf.with_timeout(LONG);
    is(&late, Some(Cancelled));
}

#[test]
fn dropping_the_handle_cancels() {
    let (ctx, cancel) = Context::background().with_cancel();
    let waiting = gopark::go({
        let ctx = ctx.clone();
        move || ctx.wait()
    });
    parked(waiting.id(), WaitReason::Select);
    drop(cancel);
    assert_eq!(waiting.join().unwrap(), Cancelled);
    // By a panic, too.
    let (ctx, cancel) = Context::background().with_cancel();
    let panics = gopark::go(move || {
        let _cancel = cancel;
        panic!("out of luck");
    });
    assert_eq!(ctx.wait(), Cancelled);
    assert!(panics.join().is_err());
}

#[test]
fn a_handle_can_be_given_up() {
    let (root, cancel_root) = Context::background().with_cancel();
    let (child, cancel) = root.with_cancel();
    cancel.detach();
    is(&child, None);
    drop(cancel_root);
    is(&child, Some(Cancelled));
    // With nobody left who could end it.
    let (ctx, cancel) = root.without_cancel().with_cancel();
    cancel.detach();
    is(&ctx, None);
}

#[test]
fn the_first_reason_and_cause_stay() {
    let (root, cancel) = Context::background().with_cancel();
    let (child, cancel_child) = root.with_cancel();
    let (other, cancel_other) = root.with_cancel();
    cancel_other.cancel_with("its own");
    cancel.cancel_with("the first");
    cancel.cancel_with("the second");
    cancel_child.cancel();
    drop((cancel, cancel_child, cancel_other));
    let cause = |ctx: &Context| ctx.cause().expect("it is done").to_string();
    assert_eq!([&root, &child, &other].map(cause), ["the first", "the first", "its own"]);
    assert_eq!(root.err(), Some(Cancelled));
    let (late, _late) = child.with_cancel();
    assert_eq!(cause(&late), "the first");
    // Without a cause it is the reason.
    let (ctx, cancel) = Context::background().with_cancel();
    drop(cancel);
    assert_eq!(ctx.cause().unwrap().downcast_ref(), Some(&Cancelled));
    assert_eq!(cause(&ctx), "context cancelled");
}

#[test]
fn a_timeout_ends_it_and_all_below() {
    let start = Instant::now();
    let (ctx, _cancel) = Context::background().with_timeout(SHORT);
    let (child, _child) = ctx.with_cancel();
    let (later, _later) = child.with_timeout(LONG);
    assert_eq!(ctx.wait(), DeadlineExceeded);
    assert!(start.elapsed() >= SHORT);
    for ctx in [&ctx, &child, &later] {
        is(ctx, Some(DeadlineExceeded));
        assert_eq!(ctx.cause().unwrap().to_string(), "context deadline exceeded");
    }
}

/// Whoever asks the clock first ends it, wherever in the tree that is.
#[test]
fn a_deadline_that_is_over_is_over_for_all() {
    let (ctx, _cancel) = Context::background().with_timeout(SHORT);
    let (child, _child) = ctx.with_cancel();
    let (sibling, _sibling) = ctx.with_cancel();
    thread::sleep(SHORT);
    assert_eq!(child.err(), Some(DeadlineExceeded));
    assert_eq!(sibling.err(), Some(DeadlineExceeded));
    assert_eq!(ctx.err(), Some(DeadlineExceeded));
    let (past, _past) = Context::background().with_deadline(Instant::now());
    is(&past, Some(DeadlineExceeded));
}

#[test]
fn the_earliest_deadline_counts() {
    let now = Instant::now();
    let (soon, _soon) = Context::background().with_deadline(now + LONG);
    let (later, _later) = soon.with_deadline(now + 2 * LONG);
    let (sooner, _sooner) = later.with_deadline(now + LONG / 2);
    assert_eq!(soon.deadline(), Some(now + LONG));
    assert_eq!(later.deadline(), Some(now + LONG));
    assert_eq!(sooner.deadline(), Some(now + LONG / 2));
    let (merged, _merged) = Context::merge([&later, &Context::background(), &sooner]);
    assert_eq!(merged.deadline(), Some(now + LONG / 2));
    assert_eq!(sooner.without_cancel().deadline(), None);
    let (endless, _endless) = Context::background().with_timeout(Duration::MAX);
    assert_eq!(endless.deadline(), None);
    is(&endless, None);
}

#[test]
fn a_deadline_ends_a_select() {
    let start = Instant::now();
    let (parent, _parent) = Context::background().with_timeout(SHORT);
    let (ctx, _cancel) = parent.with_cancel();
    let (_keep, rx) = rendezvous::<u8>();
    select! {
        recv(rx) -> _ => unreachable!(),
        recv(ctx.done()) -> never => assert_eq!(never, Err(Closed)),
    }
    assert!(start.elapsed() >= SHORT);
    is(&parent, Some(DeadlineExceeded));
}

#[test]
fn values_are_found_by_their_types() {
    #[derive(Debug, PartialEq)]
    struct Key(&'static str);
    let outer = Context::background().with_value(Key("outer")).with_value(7_u32);
    let (inner, _inner) = outer.with_cancel();
    let inner = inner.with_value(Key("inner"));
    assert_eq!(inner.value(), Some(&Key("inner")));
    assert_eq!(outer.value(), Some(&Key("outer")));
    assert_eq!((inner.value(), inner.value::<u64>()), (Some(&7_u32), None));
    let (merged, _merged) =
        Context::merge([&Context::background().with_value(1_u8), &outer, &inner]);
    assert_eq!(merged.value(), Some(&Key("outer")), "the first that has one");
    assert_eq!((merged.value(), merged.value()), (Some(&1_u8), Some(&7_u32)));
}

#[test]
fn without_cancel_keeps_the_values_only() {
    let (ctx, cancel) = Context::background().with_value(5_u8).with_timeout(LONG);
    let rest = ctx.without_cancel();
    let (below, _below) = rest.with_cancel();
    drop(cancel);
    is(&ctx, Some(Cancelled));
    is(&rest, None);
    is(&below, None);
    assert_eq!((rest.value(), below.value()), (Some(&5_u8), Some(&5_u8)));
}

#[test]
fn merged_contexts_are_done_with_the_first() {
    for ends in 0..3 {
        let parents = [(); 3].map(|()| Context::background().with_cancel());
        let (both, _cancel) = Context::merge(parents.iter().map(|(ctx, _)| ctx));
        is(&both, None);
        parents[ends].1.cancel_with(format!("number {ends}"));
        is(&both, Some(Cancelled));
        assert_eq!(both.cause().unwrap().to_string(), format!("number {ends}"));
        let open = parents.iter().filter(|(ctx, _)| ctx.err().is_none());
        assert_eq!(open.count(), 2);
        let (late, _late) = Context::merge(parents.iter().map(|(ctx, _)| ctx));
        is(&late, Some(Cancelled));
    }
    let (alone, cancel) = Context::merge([]);
    is(&alone, None);
    drop(cancel);
    is(&alone, Some(Cancelled));
}

#[test]
fn functions_run_once_in_a_task_of_their_own() {
    let (ctx, cancel) = Context::background().with_cancel();
    let (tx, rx) = bounded(8);
    let scope = Scope::new("functions");
    let _in = scope.enter();
    let register = |what: &'static str| {
        let tx = tx.clone();
        ctx.after_func(move || tx.send(what).unwrap())
    };
    let (first, second) = (register("first"), register("second"));
    let third = register("third");
    assert!(second.stop() && !second.stop());
    drop(third);
    assert_eq!(scope.born(), 0, "nothing waits for it");
    cancel.cancel();
    let mut ran = [rx.recv().unwrap(), rx.recv().unwrap()];
    ran.sort_unstable();
    assert_eq!(ran, ["first", "third"]);
    assert!(!first.stop(), "too late");
    let late = register("late");
    assert_eq!(rx.recv(), Ok("late"));
    assert!(!late.stop());
    cancel.cancel();
    drop((cancel, tx, ctx));
    assert_eq!(rx.recv(), Err(Closed), "all have run, and none again");
}

#[test]
fn a_function_runs_at_the_deadline() {
    let start = Instant::now();
    let (ctx, _cancel) = Context::background().with_timeout(SHORT);
    let (tx, rx) = rendezvous();
    let seen = ctx.clone();
    ctx.after_func(move || tx.send(seen.err()).unwrap());
    assert_eq!(rx.recv(), Ok(Some(DeadlineExceeded)));
    assert!(start.elapsed() >= SHORT);
}

/// A stopped function is dropped, and so is one whose context goes away.
#[test]
fn functions_that_never_run_are_dropped() {
    let drops = Tally::new();
    let function = || {
        let mark = drops.mark();
        move || drop(mark)
    };
    let (ctx, cancel) = Context::background().with_cancel();
    assert!(ctx.after_func(function()).stop());
    assert_eq!(drops.count(), 1);
    ctx.after_func(function());
    cancel.detach();
    drop(ctx);
    assert_eq!(drops.count(), 2);
    Context::background().after_func(function());
    assert_eq!(drops.count(), 3);
}

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

/// Neither waiting nor cancelling makes a task, and no timer is left.
#[test]
fn nothing_is_left() {
    alone(here!(), &[], || {
        let scope = Scope::new("a request");
        let _in = scope.enter();
        let (ctx, cancel) = Context::background().with_timeout(LONG);
        let (child, cancel_child) = ctx.with_timeout(LONG / 2);
        let (shorter, detached) = child.with_timeout(LONG / 3);
        detached.detach();
        let (later, _later) = child.with_timeout(2 * LONG);
        let timers = || Census::take(&scope).timers;
        assert_eq!(timers(), 3, "one for each deadline that is not inherited");
        assert_eq!(child.sleep(Duration::from_millis(1)), Ok(()));
        assert_eq!(later.done().try_recv(), Err(chan::TryRecvError::Empty));
        assert!(child.after_func(|| unreachable!()).stop());
        drop(shorter);
        assert_eq!(timers(), 2, "nobody can ask that one any more");
        drop(cancel_child);
        assert_eq!(timers(), 1);
        drop(cancel);
        assert_eq!((timers(), scope.born()), (0, 0));
        // One that passes starts a task, which ends.
        let (soon, _soon) = Context::background().with_timeout(Duration::from_millis(1));
        select! { recv(soon.done()) => {} }
        until("it has ended", || scope.live() == 0);
        assert_eq!((timers(), scope.born()), (0, 1));
        assert!(leakcheck::find(&leakcheck::Filter::new()).is_ok());
    });
}

/// Tasks and timers belong to whoever asked for them, not to who cancels.
#[test]
fn tasks_belong_to_the_scope_that_asked() {
    alone(here!(), &[], || {
        let [maker, user, canceller] = ["maker", "user", "canceller"].map(Scope::new);
        let (ctx, cancel) = {
            let _in = maker.enter();
            Context::background().with_timeout(LONG)
        };
        let gate = Gate::new();
        {
            let _in = user.enter();
            let wait = gate.clone();
            ctx.after_func(move || wait.pass());
        }
        {
            let _in = canceller.enter();
            gopark::go(move || drop(cancel)).join().unwrap();
        }
        until("the function has started", || user.live() == 1);
        assert_eq!((user.born(), canceller.born(), maker.born()), (1, 1, 0));
        let task = Snapshot::of(&user).tasks.pop().expect("its task");
        let at = task.created_at;
        assert!(at.file().ends_with("context.rs") && at.line() < line!(), "{at}");
        gate.open();
        until("the function has ended", || user.live() == 0);
    });
}

/// A timer of another scope that will end a wait is known.
#[test]
fn a_deadline_of_another_scope_may_wake() {
    alone(here!(), &[], || {
        let [a, b] = ["a", "b"].map(Scope::new);
        let (ctx, cancel) = {
            let _in = b.enter();
            Context::background().with_timeout(LONG)
        };
        let waits = {
            let (_in, ctx) = (a.enter(), ctx.clone());
            gopark::go(move || select! { recv(ctx.done()) => {} })
        };
        parked(waits.id(), WaitReason::Select);
        let census = Census::take(&a);
        assert!(census.all_blocked());
        assert_eq!(census.timers, 1);
        drop(cancel);
        waits.join().unwrap();
        assert_eq!(Census::take(&a).timers, 0);
    });
}

/// A task that waits for a context can be woken by whoever uses the context.
#[test]
fn scopes_that_share_a_context_count_for_each_other() {
    alone(here!(), &[], || {
        let [a, b] = ["a", "b"].map(Scope::new);
        let (ctx, cancel) = {
            let _in = b.enter();
            Context::background().with_cancel()
        };
        let waits = {
            let _in = a.enter();
            let (ctx, child_cancel) = ctx.with_cancel();
            child_cancel.detach();
            gopark::go(move || ctx.wait())
        };
        parked(waits.id(), WaitReason::Select);
        let census = Census::take(&a);
        assert!(census.all_blocked());
        assert_eq!(census.outside, 0);
        let holder = {
            let _in = b.enter();
            gopark::go(move || {
                gopark::sleep(LONG);
                drop(cancel);
            })
        };
        parked(holder.id(), WaitReason::Sleep);
        assert_eq!(Census::take(&a).outside, 1, "it holds the handle");
        b.reap();
        assert_eq!(waits.join().unwrap(), Cancelled, "its destructors cancel");
    });
}

#[test]
fn a_task_that_waits_for_a_context_can_be_reaped() {
    let scope = Scope::new("reaped");
    let (ctx, cancel) = Context::background().with_cancel();
    let task = {
        let (_in, ctx) = (scope.enter(), ctx.clone());
        gopark::go(move || {
            let (child, _cancel) = ctx.with_cancel();
            child.wait()
        })
    };
    parked(task.id(), WaitReason::Select);
    assert_eq!(scope.reap().ended, 1);
    assert!(matches!(task.join(), Err(JoinError::Reaped)));
    is(&ctx, None);
    drop(cancel);
}

#[test]
fn a_join_has_the_outcome_or_gives_the_handle_back() {
    let (ctx, cancel) = Context::background().with_cancel();
    let gate = Gate::new();
    let task = {
        let gate = gate.clone();
        gopark::go(move || {
            gate.pass();
            7
        })
    };
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
        let task = {
            let gate = gate.clone();
            gopark::go(move || {
                gate.pass();
                round
            })
        };
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
    let joined = {
        let gate = gate.clone();
        gopark::go(move || gate.pass())
    };
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

/// Deeper than a stack could follow.
#[test]
fn a_long_line_of_contexts() {
    gopark::go(|| {
        let (root, cancel) = Context::background().with_cancel();
        let mut line = vec![(root, cancel)];
        for n in 0..100_000_u32 {
            let last = &line[line.len() - 1].0;
            line.push(last.with_value(n).with_cancel());
        }
        let last = line.pop().expect("the last");
        assert_eq!(last.0.value(), Some(&99_999_u32));
        line[0].1.cancel();
        is(&last.0, Some(Cancelled));
        drop(line);
        let (mut ctx, cancel) = Context::background().with_cancel();
        cancel.detach();
        for _ in 0..100_000 {
            let (next, cancel) = ctx.with_cancel();
            cancel.detach();
            ctx = next;
        }
        is(&ctx, None);
    })
    .join()
    .unwrap();
}

/// Contexts are derived, waited for and cancelled from everywhere at once.
#[test]
fn cancelling_races() {
    for round in 0..200 {
        let (root, cancel) = Context::background().with_cancel();
        let ran = Tally::new();
        let workers: Vec<_> = (0..4)
            .map(|n| {
                let (root, ran) = (root.clone(), ran.clone());
                gopark::go(move || {
                    let (child, cancel): (Context, Cancel) = match n {
                        0 => root.with_cancel(),
                        1 => root.with_timeout(Duration::from_micros(round)),
                        2 => Context::merge([&root, &root]),
                        _ => root.with_value(n).with_timeout(LONG),
                    };
                    child.after_func(move || _ = ran.add());
                    if n == 0 {
                        cancel.cancel();
                    }
                    select! { recv(child.done()) -> closed => assert_eq!(closed, Err(Closed)) }
                    child.err().expect("its channel is closed")
                })
            })
            .collect();
        let canceller = Arc::new(cancel);
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let cancel = canceller.clone();
                thread::spawn(move || cancel.cancel())
            })
            .collect();
        for worker in workers {
            worker.join().unwrap();
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        is(&root, Some(Cancelled));
        until("every function has run", || ran.count() == 4);
    }
}
