//! Whose the tasks and timers of contexts are, and what they leave behind: nothing.

use super::{LONG, is};
use crate::child::{alone, here};
use crate::support::{Gate, parked, until};
use gopark::chan;
use gopark::context::Context;
use gopark::context::ContextError::Cancelled;
use gopark::inspect::{Census, Snapshot, WaitReason};
use gopark::{JoinError, Scope, select};
use std::time::Duration;

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
        assert!(at.file().ends_with("context/scopes.rs") && at.line() < line!(), "{at}");
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
