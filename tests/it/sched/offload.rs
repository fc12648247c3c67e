//! Blocking calls on other threads: the task is parked, its siblings go on.

use super::{Caller, ONE, Turns};
use crate::child::{alone, here};
use crate::support::{Gate, Tally, parked, thread_id, until};
use gopark::inspect::{Census, WaitReason, foreign_threads};
use gopark::{Scope, blocking, chan, offload};
use std::collections::HashSet;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// A task whose call blocks a helper until it is told to go on.
#[track_caller]
fn away() -> Caller {
    let away = Caller::begin(|rx| offload(move || rx.recv()).unwrap());
    parked(away.task.id(), WaitReason::Offload);
    away
}

/// The runtime's threads that make calls.
fn helpers() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names =
        tasks.filter_map(|entry| std::fs::read_to_string(entry.ok()?.path().join("comm")).ok());
    names.filter(|name| name.starts_with("gopark-offload")).count()
}

#[test]
fn it_returns_what_the_function_returned_and_lends_it_what_it_needs() {
    alone(here!(), ONE, || {
        let task = gopark::go(|| {
            let (here, mut text) = (thread_id(), String::from("a"));
            let there = offload(|| {
                text.push('b');
                thread_id()
            });
            assert_ne!(here, there);
            assert_eq!(here, thread_id());
            text
        });
        assert_eq!(task.join().unwrap(), "ab");
    });
}

#[test]
fn bound_siblings_go_on() {
    alone(here!(), ONE, || {
        let siblings = Turns::new();
        let away = away();
        let before = siblings.count.count();
        until("it goes on", || siblings.count.count() > before + 100);
        away.end();
        siblings.end();
    });
}

#[test]
fn a_panic_comes_out() {
    alone(here!(), ONE, || {
        let task = gopark::go(|| {
            for _ in 0..10 {
                let caught = std::panic::catch_unwind(|| {
                    offload(|| std::panic::resume_unwind(Box::new("of the call")))
                });
                assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"of the call"));
            }
            assert!(!std::thread::panicking());
        });
        task.join().unwrap();
    });
}

#[test]
fn one_helper_serves_calls_that_follow_each_other_and_then_ends() {
    alone(here!(), ONE, || {
        let task = gopark::go(|| (0..100).map(|_| offload(thread_id)).collect::<HashSet<_>>());
        // It is idle before its task goes on. One that is idle for seconds ends.
        assert!(task.join().unwrap().len() <= 2);
        assert_ne!(gopark::go(|| offload(helpers)).join().unwrap(), 0);
        until("it ends", || helpers() == 0);
        assert_eq!(gopark::go(|| offload(|| 1)).join().unwrap(), 1);
    });
}

#[test]
fn more_calls_than_helpers() {
    alone(here!(), &[("GOPARK_MAXPROCS", "2")], || {
        let gate = Arc::new((Mutex::new(0), Condvar::new()));
        let tasks: Vec<_> = (0..600)
            .map(|_| {
                let gate = gate.clone();
                gopark::go(move || {
                    offload(|| {
                        let mut inside = gate.0.lock().unwrap();
                        *inside += 1;
                        gate.1.notify_all();
                        drop(gate.1.wait_while(inside, |inside| *inside < 512).unwrap());
                    });
                })
            })
            .collect();
        tasks.into_iter().for_each(|task| task.join().unwrap());
        assert_eq!(*gate.0.lock().unwrap(), 600);
        assert!(helpers() <= 512);
    });
}

#[test]
fn on_a_thread_it_only_calls() {
    assert_eq!(offload(thread_id), thread_id());
}

#[test]
fn inside_of_no_park_it_panics_and_the_function_is_dropped() {
    alone(here!(), ONE, || {
        let (drops, ran) = (Tally::new(), Tally::new());
        let (mark, run) = (drops.mark(), ran.clone());
        let task = gopark::go(move || {
            gopark::no_park(|| {
                offload(move || {
                    mark.check();
                    run.add()
                })
            })
        });
        assert!(task.join().is_err());
        assert_eq!((drops.count(), ran.count()), (1, 0));
        // Nothing is left of the order, for which no helper would end.
        away().end();
        until("they end", || helpers() == 0);
    });
}

#[test]
fn inside_of_a_blocking_call() {
    alone(here!(), ONE, || {
        let task = gopark::go(|| blocking(|| offload(|| blocking(|| 3))));
        assert_eq!(task.join().unwrap(), 3);
    });
}

#[test]
fn its_threads_are_not_foreign() {
    alone(here!(), ONE, || {
        let foreign = || foreign_threads().len();
        let before = foreign();
        let aways: Vec<_> = (0..20).map(|_| away()).collect();
        until("they run", || helpers() == 20);
        assert_eq!(foreign(), before);
        let begin = Instant::now();
        aways.into_iter().for_each(Caller::end);
        let seen = foreign();
        // One that ends is an ordinary thread at last. They stay for two seconds.
        if begin.elapsed() < Duration::from_secs(2) {
            assert_eq!(seen, before);
        }
    });
}

/// What a function makes elsewhere belongs where its task belongs, and a helper
/// that is idle is nobody who could wake a task.
#[test]
fn it_runs_in_the_scope_of_the_task() {
    alone(here!(), ONE, || {
        gopark::inspect::mark_harness_thread();
        let scope = Scope::new("test");
        let _in = scope.enter();
        let gate = Gate::new();
        let held = gate.clone();
        let child = gopark::go(move || offload(|| gopark::go(move || held.pass()))).join().unwrap();
        parked(child.id(), WaitReason::ChanReceive);
        assert_eq!(scope.live(), 1);
        let census = Census::take(&scope);
        assert_eq!((census.members.len(), census.outside), (1, 0));
        assert!(census.all_blocked());
        gate.open();
        child.join().unwrap();
    });
}

#[test]
fn a_task_that_is_away_is_not_durably_blocked() {
    alone(here!(), ONE, || {
        let scope = Scope::new("test");
        let away = {
            let _in = scope.enter();
            away()
        };
        let seen = parked(away.task.id(), WaitReason::Offload);
        assert!(!seen.durably_blocked());
        assert!(!Census::take(&scope).all_blocked());
        away.end();
    });
}

/// Its frame is in use elsewhere.
#[test]
fn the_reaper_leaves_it_alone() {
    alone(here!(), ONE, || {
        let scope = Scope::new("test");
        let away = {
            let _in = scope.enter();
            away()
        };
        let reaped = scope.reap();
        assert_eq!((reaped.ended, reaped.abandoned), (0, 1));
        away.end();
    });
}

#[test]
fn no_wake_up_is_lost() {
    alone(here!(), &[("GOPARK_MAXPROCS", "2")], || {
        let (tx, rx) = chan::bounded(4);
        let tasks: Vec<_> = (0..40u64)
            .map(|n| {
                let (tx, rx) = (tx.clone(), rx.clone());
                gopark::go(move || {
                    for turn in 0..100 {
                        match (n + turn) % 4 {
                            0 => assert_eq!(offload(|| turn), turn),
                            1 => offload(std::thread::yield_now),
                            2 => {
                                offload(|| tx.send(n).unwrap());
                                rx.recv().unwrap();
                            }
                            _ => {
                                tx.send(n).unwrap();
                                offload(|| rx.recv().unwrap());
                            }
                        }
                    }
                })
            })
            .collect();
        tasks.into_iter().for_each(|task| task.join().unwrap());
    });
}
