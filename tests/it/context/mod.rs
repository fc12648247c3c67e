//! Contexts: Go's rules one by one, and whose tasks they make.

mod direct;
mod scopes;

use crate::support::{Tally, parked, until};
use gopark::chan::{self, RecvError as Closed, bounded, rendezvous};
use gopark::context::ContextError::{Cancelled, DeadlineExceeded};
use gopark::context::{Cancel, Context, ContextError};
use gopark::inspect::WaitReason;
use gopark::{Scope, select};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(3600);

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
