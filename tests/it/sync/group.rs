//! `gopark::sync::Group`.
//!
//! What others got wrong, and the test here:
//!
//! | learned from | what went wrong | test |
//! |---|---|---|
//! | golang#53757 | a panic in a task never came to the one who waits | `a_panic_comes_out_of_wait_when_the_others_have_ended` |
//! | golang#74275 | a panic became known only when all others had ended | `the_hook_is_called_at_the_first_failure` |
//! | golang#49802 | a task that ended by `Goexit` counted as a success | `a_task_that_exits_is_no_success` |
//! | crossbeam#816 | handles of ended tasks were kept for as long as the group lived | `ended_tasks_are_not_kept` |
//! | golang#59355 | a cancelled context did not say by what | `the_first_error_cancels_the_context` |
//! | golang#26099 | tasks were thought to end with the context by themselves: they must look at it | `the_parent_cancels_the_tasks_of_a_group` |
//! | std, tokio (by design) | the panic of a task that nobody waits for is lost | `a_panic_that_nobody_waits_for_is_seen_by_the_scope` |

use super::go_in;
use crate::chan::support::Here;
use crate::support::{Gate, Tally, for_ever, until};
use gopark::context::{Cancel, Context, ContextError};
use gopark::inspect::WaitReason;
use gopark::sync::{Group, GroupEnd};
use gopark::{JoinError, Scope};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

fn message(payload: Box<dyn std::any::Any + Send>) -> String {
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => (*payload.downcast::<&str>().unwrap()).to_owned(),
    }
}

#[test]
fn values_come_in_the_order_of_the_starts() {
    let group = Group::<_, ()>::new();
    let gates: Vec<_> = (0..5).map(|_| Gate::new()).collect();
    for (n, gate) in gates.iter().enumerate() {
        let gate = gate.clone();
        group.go(move || {
            gate.pass();
            Ok(n)
        });
    }
    // They end in another order.
    for n in [3, 0, 4, 2, 1] {
        gates[n].open();
        gopark::yield_now();
    }
    assert_eq!(group.wait(), Ok(vec![0, 1, 2, 3, 4]));
    assert_eq!(group.wait(), Ok(vec![]), "it is as new");
}

#[test]
fn wait_waits_for_all() {
    for thread in [false, true] {
        let here = Here::start();
        let (group, gate) = (Group::<_, ()>::new(), Gate::new());
        let held = gate.clone();
        group.go(move || {
            held.pass();
            Ok(7)
        });
        let wait = move || group.wait();
        let waiter: Box<dyn FnOnce() -> _> = if thread {
            let thread = std::thread::spawn(wait);
            Box::new(|| thread.join().unwrap())
        } else {
            let task = gopark::go(wait);
            Box::new(|| task.join().unwrap())
        };
        here.parked(1, WaitReason::WaitGroupWait);
        gate.open();
        assert_eq!(waiter(), Ok(vec![7]));
    }
}

#[test]
fn the_first_error_in_time_wins_and_the_others_go_on() {
    let (group, gate) = (Group::new(), Gate::new());
    let ended = Tally::new();
    for n in 0..3 {
        let (gate, ended) = (gate.clone(), ended.clone());
        group.go(move || {
            if n != 2 {
                gate.pass();
            }
            ended.add();
            if n == 1 { Ok(()) } else { Err(n) }
        });
    }
    until("a task has failed", || group.has_failed());
    assert_eq!(ended.count(), 1);
    // It does not keep others from starting.
    group.go(|| Err(9));
    gate.open();
    assert_eq!(group.wait(), Err(2));
    assert_eq!(ended.count(), 3);
    assert!(!group.has_failed());
}

#[test]
fn a_panic_comes_out_of_wait_when_the_others_have_ended() {
    let here = Here::start();
    let (group, gate) = (Group::<(), ()>::new(), Gate::new());
    let held = gate.clone();
    group.go(|| Err(()));
    group.go(|| panic!("on purpose"));
    let ended = Tally::new();
    let counted = ended.clone();
    group.go(move || {
        held.pass();
        counted.add();
        Ok(())
    });
    let waiter = gopark::go(move || group.wait());
    here.parked(1, WaitReason::WaitGroupWait);
    assert_eq!(ended.count(), 0);
    gate.open();
    match waiter.join() {
        Err(JoinError::Panicked(payload)) => assert_eq!(message(payload), "on purpose"),
        other => panic!("the panic is lost: {other:?}"),
    }
    assert_eq!(ended.count(), 1);
}

#[test]
fn a_task_that_exits_is_no_success() {
    let group = Group::<(), ()>::new();
    group.go(|| gopark::goexit());
    let result = catch_unwind(AssertUnwindSafe(|| group.wait()));
    assert_eq!(message(result.unwrap_err()), "the task called goexit");
}

#[test]
fn the_hook_is_called_at_the_first_failure() {
    for panics in [false, true] {
        let (gate, seen) = (Gate::new(), Arc::new(Mutex::new(Vec::new())));
        let (open, log) = (gate.clone(), seen.clone());
        let group = Group::<(), u32>::new().on_end(move |end| {
            log.lock().unwrap().push(match end {
                GroupEnd::Failed(error) => error.to_string(),
                other => format!("{other:?}"),
            });
            open.open();
        });
        for n in 0..3 {
            let gate = gate.clone();
            group.go(move || {
                gate.pass(); // told to stop
                Err(10 + n)
            });
        }
        group.go(move || {
            assert!(!panics, "on purpose");
            Err(1)
        });
        let result = catch_unwind(AssertUnwindSafe(|| group.wait()));
        if panics {
            assert_eq!(message(result.unwrap_err()), "on purpose");
        } else {
            assert_eq!(result.unwrap(), Err(1));
        }
        let expected = if panics { "Panicked" } else { "1" };
        assert_eq!(*seen.lock().unwrap(), [expected]);
    }
}

#[test]
fn the_hook_is_called_when_all_is_done() {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    let group = Group::<_, ()>::new().on_end(move |end| {
        assert_eq!(end, GroupEnd::Done);
        count.fetch_add(1, Ordering::Relaxed);
    });
    group.go(|| Ok(1));
    assert_eq!(group.wait(), Ok(vec![1]));
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    group.go(|| Err(()));
    assert_eq!(group.wait(), Err(()));
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[test]
fn no_more_at_a_time_than_the_limit() {
    let here = Here::start();
    let (group, gate) = (Group::<_, ()>::new().limit(3), Gate::new());
    for n in 0..3 {
        let gate = gate.clone();
        group.go(move || {
            gate.pass();
            Ok(n)
        });
    }
    assert!(!group.try_go(|| Ok(3)));
    let more = gopark::go({
        let group = group.clone();
        move || {
            group.go(|| Ok(3));
            assert_eq!(group.wait().map(|values| values.len()), Ok(4));
        }
    });
    here.parked(1, WaitReason::SemaphoreAcquire);
    gate.open();
    more.join().unwrap();
    assert!(group.try_go(|| Ok(4)));
    assert_eq!(group.wait(), Ok(vec![4]));
}

#[test]
pub(super) fn tasks_may_start_tasks() {
    fn tree(group: &Group<u32, ()>, depth: u32) {
        let children = group.clone();
        group.go(move || {
            if depth > 0 {
                tree(&children, depth - 1);
                tree(&children, depth - 1);
            }
            Ok(1)
        });
    }
    let group = Group::new();
    tree(&group, 6);
    assert_eq!(group.wait().map(|ones| ones.iter().sum()), Ok((1 << 7) - 1));
}

#[test]
#[should_panic(expected = "sync.Group: changed after it was cloned")]
fn it_cannot_be_changed_after_it_was_cloned() {
    let group = Group::<(), ()>::new();
    let _clone = group.clone();
    let _ = group.limit(1);
}

/// The places of reaped tasks, started or not, are free again; who waits is told.
#[test]
fn a_reaped_task_is_no_success() {
    let here = Here::start();
    let scope = Scope::new("reaped in a group");
    let group = Group::<(), ()>::new().limit(2);
    {
        let _in = scope.enter();
        for _ in 0..2 {
            group.go(|| {
                for_ever();
                Ok(())
            });
        }
    }
    let blocked = gopark::go({
        let group = group.clone();
        move || group.go(|| Ok(()))
    });
    here.parked(1, WaitReason::SemaphoreAcquire);
    let waiter = gopark::go({
        let group = group.clone();
        move || group.wait()
    });
    here.parked(1, WaitReason::WaitGroupWait);
    scope.reap();
    blocked.join().unwrap();
    match waiter.join() {
        Err(JoinError::Panicked(payload)) => assert!(message(payload).contains("leak check")),
        other => panic!("{other:?}"),
    }
}

/// The wait itself is ended; the group goes on.
#[test]
fn a_reaped_waiter_leaves_the_group() {
    let here = Here::start();
    let scope = Scope::new("reaped waiter");
    let (group, gate) = (Group::<_, ()>::new(), Gate::new());
    let held = gate.clone();
    group.go(move || {
        held.pass();
        Ok(1)
    });
    let waiter = go_in(&scope, {
        let group = group.clone();
        move || group.wait()
    });
    here.parked(1, WaitReason::WaitGroupWait);
    scope.reap();
    assert!(matches!(waiter.join(), Err(JoinError::Reaped)));
    gate.open();
    assert_eq!(group.wait(), Ok(vec![1]));
}

#[test]
fn a_panic_that_nobody_waits_for_is_seen_by_the_scope() {
    let scope = Scope::new("dropped group");
    {
        let _in = scope.enter();
        let group = Group::<(), ()>::new();
        group.go(|| panic!("on purpose"));
    }
    until("all have ended", || scope.live() == 0);
    until("the panic is known", || !scope.take_panics().is_empty());
}

#[test]
fn such_a_panic_is_seen_although_the_group_has_started_more() {
    let scope = Scope::new("dropped group");
    {
        let _in = scope.enter();
        let group = Group::<(), ()>::new();
        group.go(|| panic!("on purpose"));
        until("it has ended", || scope.live() == 0);
        group.go(|| Ok(()));
    }
    until("all have ended", || scope.live() == 0);
    until("the panic is known", || !scope.take_panics().is_empty());
}

/// Those at the front, that is: their values wait in order.
#[test]
fn ended_tasks_are_not_kept() {
    let group = Group::<(), ()>::new();
    for _ in 0..200 {
        let mark = Tally::new();
        let held = mark.mark();
        group.go(move || {
            held.check();
            Ok(())
        });
        until("the task has ended", || mark.count() == 1);
    }
    let kept = |group: &Group<(), ()>| {
        let text = format!("{group:?}");
        let (_, number) = text.split_once("handles: ").expect("it is shown");
        number.split_once(',').expect("more follows").0.parse::<usize>().expect("a number")
    };
    assert!(kept(&group) < 100, "{group:?}");
    assert_eq!(group.wait().map(|values| values.len()), Ok(200));
    assert_eq!(kept(&group), 0);
}

/// A group, and tasks of it that wait until they are told to stop.
fn told_to_stop() -> (Group<(), String>, Context, Cancel, Tally) {
    let (parent, cancel) = Context::background().with_cancel();
    let (group, context) = Group::with_context(&parent);
    let stopped = Tally::new();
    for _ in 0..3 {
        let (context, stopped) = (context.clone(), stopped.clone());
        group.go(move || {
            let why = context.wait();
            stopped.add();
            Err(format!("told to stop: {why}"))
        });
    }
    (group, context, cancel, stopped)
}

#[test]
fn the_first_error_cancels_the_context() {
    let (group, context, _cancel, stopped) = told_to_stop();
    assert!(context.err().is_none());
    group.go(|| Err("no such host".to_owned()));
    assert_eq!(group.wait(), Err("no such host".to_owned()));
    assert_eq!(stopped.count(), 3);
    assert_eq!(context.err(), Some(ContextError::Cancelled));
    assert_eq!(context.cause().unwrap().to_string(), "no such host");
}

#[test]
fn a_task_that_panics_or_exits_cancels_the_context() {
    for exits in [false, true] {
        let (group, context, _cancel, stopped) = told_to_stop();
        group.go(move || if exits { gopark::goexit() } else { panic!("on purpose") });
        let outcome = catch_unwind(AssertUnwindSafe(|| group.wait()));
        let text = if exits { "the task called goexit" } else { "on purpose" };
        assert_eq!(message(outcome.unwrap_err()), text);
        assert_eq!(stopped.count(), 3);
        assert!(context.cause().unwrap().to_string().contains("panicked"));
    }
}

#[test]
fn the_parent_cancels_the_tasks_of_a_group() {
    let (group, context, cancel, stopped) = told_to_stop();
    cancel.cancel_with("the server goes down");
    assert_eq!(group.wait(), Err("told to stop: context cancelled".to_owned()));
    assert_eq!(stopped.count(), 3);
    assert_eq!(context.cause().unwrap().to_string(), "the server goes down");
}

/// As in Go: what was derived for the tasks is of no use after them.
#[test]
fn a_wait_that_ends_well_cancels_the_context() {
    let (parent, _cancel) = Context::background().with_cancel();
    let (group, context) = Group::<u32, String>::with_context(&parent);
    let seen = Tally::new();
    let group = group.limit(2).on_end({
        let (context, seen) = (context.clone(), seen.clone());
        move |end| {
            assert_eq!(end, GroupEnd::Done);
            assert_eq!(context.err(), Some(ContextError::Cancelled), "it is called second");
            seen.add();
        }
    });
    let inside = context.clone();
    group.go(move || inside.err().map_or(Ok(7), |why| Err(why.to_string())));
    assert_eq!(group.wait(), Ok(vec![7]));
    assert_eq!(seen.count(), 1);
    assert_eq!(context.err(), Some(ContextError::Cancelled));
    assert_eq!(parent.err(), None);
}

#[test]
fn a_reaped_task_of_a_group_cancels_the_context() {
    let scope = Scope::new("reaped");
    let (group, context) = Group::<(), String>::with_context(&Context::background());
    {
        let _in = scope.enter();
        group.go(|| {
            for_ever();
            Ok(())
        });
    }
    scope.reap();
    assert_eq!(context.wait(), ContextError::Cancelled);
    drop(group);
}

/// Nobody waits for it.
#[test]
fn a_group_that_is_dropped_cancels_the_context_with_its_last_task() {
    let (group, context) = Group::<(), String>::with_context(&Context::background());
    let gate = Gate::new();
    let held = gate.clone();
    group.go(move || {
        held.pass();
        Ok(())
    });
    drop(group);
    assert_eq!(context.err(), None);
    gate.open();
    assert_eq!(context.wait(), ContextError::Cancelled);
}
