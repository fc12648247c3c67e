//! The states that a task goes through, as a snapshot shows them.

use super::{Hog, ONE, ONE_BRIEF, ONE_LONG, detached, seen, spin, status};
use crate::child::{alone, here};
use crate::stack::down;
use crate::support::{Gate, ONE_COOPERATIVE, info, parked, spin_until, until, until_some};
use gopark::inspect::{Status, WaitReason};
use gopark::{Builder, TaskId};
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Waits for the last of these states, and sees no other ones on the way there.
#[track_caller]
fn goes_through(id: TaskId, states: &[Status]) {
    if let Some(other) = leaves_the_way(id, states) {
        panic!("{other:?} on the way {states:?}");
    }
}

/// The first other state that is seen on the way to the last of these.
#[track_caller]
fn leaves_the_way(id: TaskId, states: &[Status]) -> Option<Status> {
    let last = *states.last().expect("a state");
    let seen = until_some("the last state is seen, or another one", || {
        let status = status(id).expect("it is alive");
        (status == last || !states.contains(&status)).then_some(status)
    });
    (seen != last).then_some(seen)
}

/// 0 or 6 => 1 => 2 => 4 => 1 => 2 => 6
#[test]
fn a_life() {
    alone(here!(), ONE_COOPERATIVE, || {
        let gate = Gate::new();
        let held = gate.clone();
        let (over, end) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (go_on, last) = (over.clone(), end.clone());
        let (tx, rx) = std::sync::mpsc::channel();
        let keeps = gopark::go(move || {
            let task = gopark::go(move || {
                held.pass();
                spin_until("told to end", || last.load(Ordering::SeqCst));
            });
            tx.send(task).unwrap();
            spin_until("told to go on", || go_on.load(Ordering::SeqCst));
        });
        let task = rx.recv().unwrap();
        assert_eq!(status(task.id()), Some(Status::Runnable));
        over.store(true, Ordering::SeqCst);
        keeps.join().unwrap();
        goes_through(task.id(), &[Status::Runnable, Status::Running, Status::Waiting]);
        // Woken behind a task that keeps the processor.
        let over = Arc::new(AtomicBool::new(false));
        let go_on = over.clone();
        let keeps = gopark::go(move || {
            gate.open();
            spin_until("told to go on", || go_on.load(Ordering::SeqCst));
        });
        goes_through(task.id(), &[Status::Waiting, Status::Runnable]);
        over.store(true, Ordering::SeqCst);
        keeps.join().unwrap();
        goes_through(task.id(), &[Status::Runnable, Status::Running]);
        let id = task.id();
        end.store(true, Ordering::SeqCst);
        task.join().unwrap();
        assert!(info(id).is_none(), "dead tasks are not shown");
    });
}

/// 2 => 9 => 2
#[test]
fn it_is_preempted_while_others_run() {
    alone(here!(), ONE_BRIEF, || {
        let hogs = [Hog::new(), Hog::new()];
        for _ in 0..5 {
            for hog in &hogs {
                goes_through(hog.id(), &[Status::Running, Status::Preempted]);
                let shown = info(hog.id()).unwrap();
                assert!(shown.wait.is_none() && shown.call.is_none());
                assert_eq!(shown.stack.expect("it has started").depth, None);
                goes_through(hog.id(), &[Status::Preempted, Status::Running]);
            }
        }
        hogs.into_iter().for_each(Hog::end);
    });
}

/// 2 => 3 => 9 => 2: it computes after a call that it has not declared.
#[test]
fn it_is_preempted_when_it_computes_detached() {
    alone(here!(), ONE, || {
        // Who looks does so now and then only, and may come too late.
        until("it is seen on its way", || {
            let (mut pipe, mut other_end) = std::io::pipe().unwrap();
            let over = Arc::new(AtomicBool::new(false));
            let end = over.clone();
            let task = gopark::go(move || {
                pipe.read_exact(&mut [0]).unwrap();
                spin(&end);
            });
            detached(task.id());
            // It has the processor, so the other one finds none.
            let hog = Hog::new();
            other_end.write_all(b"x").unwrap();
            let other = leaves_the_way(task.id(), &[Status::Syscall, Status::Preempted]);
            assert!(matches!(other, None | Some(Status::Running)), "{other:?}");
            seen(task.id(), Status::Running);
            goes_through(task.id(), &[Status::Running, Status::Preempted]);
            over.store(true, Ordering::SeqCst);
            task.join().unwrap();
            hog.end();
            other.is_none()
        });
    });
}

/// 2 => 3 => 1 => 2: the same, but it comes to a safepoint.
#[test]
fn it_is_runnable_at_the_end_of_a_call_that_it_has_not_declared() {
    alone(here!(), ONE_LONG, || {
        // Who looks may come too late: the hog has a slice only.
        until("it is seen on its way", || {
            let (mut pipe, mut other_end) = std::io::pipe().unwrap();
            let over = Arc::new(AtomicBool::new(false));
            let end = over.clone();
            let task = gopark::go(move || {
                pipe.read_exact(&mut [0]).unwrap();
                gopark::safepoint();
                spin(&end);
            });
            detached(task.id());
            let hog = Hog::new();
            other_end.write_all(b"x").unwrap();
            let other = leaves_the_way(task.id(), &[Status::Syscall, Status::Runnable]);
            assert!(matches!(other, None | Some(Status::Running)), "{other:?}");
            over.store(true, Ordering::SeqCst);
            hog.end();
            task.join().unwrap();
            other.is_none()
        });
    });
}

/// 2 => 3 => 2: the same, and there is an idle processor.
#[test]
fn it_runs_at_once_where_a_processor_is_idle() {
    alone(here!(), ONE_LONG, || {
        let (mut pipe, mut other_end) = std::io::pipe().unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let end = over.clone();
        let task = gopark::go(move || {
            pipe.read_exact(&mut [0]).unwrap();
            gopark::safepoint();
            spin(&end);
        });
        detached(task.id());
        other_end.write_all(b"x").unwrap();
        goes_through(task.id(), &[Status::Syscall, Status::Running]);
        over.store(true, Ordering::SeqCst);
        task.join().unwrap();
    });
}

/// 2 => 3 => 4 => 1 => 2: it parks where it is detached.
#[test]
fn it_waits_after_a_call_that_it_has_not_declared() {
    alone(here!(), ONE, || {
        let (mut pipe, mut other_end) = std::io::pipe().unwrap();
        let gate = Gate::new();
        let held = gate.clone();
        let task = gopark::go(move || {
            pipe.read_exact(&mut [0]).unwrap();
            held.pass();
        });
        detached(task.id());
        other_end.write_all(b"x").unwrap();
        let wait = parked(task.id(), WaitReason::ChanReceive);
        assert_eq!(wait.status, Status::Waiting);
        gate.open();
        task.join().unwrap();
    });
}

/// 4 => 8 => 4. A trim is short: it takes some that give much memory back.
#[test]
fn it_is_trimmed_while_it_waits() {
    const DEEP: usize = 56 << 20;
    alone(here!(), &[], || {
        until("a trim is seen", || {
            let gate = Gate::new();
            let held = gate.clone();
            let deep = Builder::new().stack_limit(64 << 20).go(move || {
                gopark::stack::high_water();
                down(DEEP, || ());
                held.pass();
            });
            let deep = deep.unwrap();
            parked(deep.id(), WaitReason::ChanReceive);
            // In this time its stack is halved some times.
            let end = Instant::now() + Duration::from_millis(800);
            let mut trimmed = false;
            while Instant::now() < end && !trimmed {
                let shown = info(deep.id()).unwrap();
                trimmed = shown.status == Status::CopyStack;
                assert!(trimmed || shown.status == Status::Waiting, "{:?}", shown.status);
                // It waits all the same.
                assert_eq!(shown.wait.expect("parked").reason, WaitReason::ChanReceive);
            }
            seen(deep.id(), Status::Waiting);
            gate.open();
            deep.join().unwrap();
            trimmed
        });
    });
}
