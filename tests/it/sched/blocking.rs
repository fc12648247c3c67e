//! Blocking calls that the program declares: who goes on meanwhile, and how the
//! task comes back.

use super::{Caller, ONE, TWO, TWO_BRIEF, Turns, migrate, status};
use crate::child::{alone, here};
use crate::support::{
    COOPERATIVE, Gate, ONE_COOPERATIVE, info, on_one_thread, parked, spin_until, thread_id, until,
};
use gopark::inspect::{Snapshot, Status, WaitReason};
use gopark::sync::{Mutex, WaitGroup};
use gopark::{Builder, JoinHandle, Scope, TaskId, blocking, chan};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Barrier};
use std::time::Duration;

const ONE_UNDECLARED: &[(&str, &str)] = &[("GOPARK_MAXPROCS", "1"), ("UNDECLARED", "1")];

/// Waits until the task is in a blocking call.
#[track_caller]
fn in_call(id: TaskId) {
    until("a task is in a blocking call", || status(id) == Some(Status::Syscall));
}

/// A task that will block its thread until it is told to go on.
fn begin_blocked() -> Caller {
    Caller::begin(|rx| blocking(|| rx.recv()).unwrap())
}

#[track_caller]
fn blocked() -> Caller {
    let blocked = begin_blocked();
    in_call(blocked.task.id());
    blocked
}

/// It has not left its call before.
#[track_caller]
fn end(blocked: Caller) {
    assert_eq!(status(blocked.task.id()), Some(Status::Syscall));
    blocked.end();
}

#[test]
fn tasks_start_while_one_blocks() {
    alone(here!(), ONE, || {
        for _ in 0..20 {
            let blocked = blocked();
            for n in 0..100 {
                assert_eq!(gopark::go(move || n).join().unwrap(), n);
            }
            end(blocked);
        }
    });
}

/// Each call takes the worker with it, and so does each by itself what a slice is
/// for: the next safepoint after a call that has lasted lets siblings run.
#[test]
fn siblings_run_between_calls() {
    for declared in [true, false] {
        alone(here!(), if declared { ONE } else { ONE_UNDECLARED }, || {
            let held = Gate::new();
            let pass = held.clone();
            let ran = Arc::new(AtomicBool::new(false));
            let seen = ran.clone();
            let sibling = gopark::go(move || {
                pass.pass();
                seen.store(true, Ordering::SeqCst);
            });
            parked(sibling.id(), WaitReason::ChanReceive);
            let calls = gopark::go(move || {
                held.open();
                for _ in 0..200 {
                    if ran.load(Ordering::SeqCst) {
                        return true;
                    }
                    let call = || std::thread::sleep(Duration::from_millis(3));
                    if std::env::var_os("UNDECLARED").is_some() {
                        call();
                        gopark::safepoint();
                    } else {
                        blocking(call);
                    }
                }
                false
            });
            // On the thread of the sibling, or this shows nothing.
            assert!(calls.join().unwrap(), "200 calls, and the sibling never ran");
            sibling.join().unwrap();
        });
    }
}

#[test]
fn tasks_that_were_ready_before_the_call_start() {
    alone(here!(), ONE, || {
        let (go_on, rx) = mpsc::channel();
        let blocked = gopark::go(move || {
            // The first of them ends the call.
            for _ in 0..10 {
                let go_on = go_on.clone();
                drop(gopark::go(move || go_on.send(())));
            }
            blocking(|| rx.recv()).unwrap();
        });
        blocked.join().unwrap();
    });
}

#[test]
fn started_tasks_go_on_where_they_migrate() {
    alone(here!(), &[], || {
        migrate(1);
        let turns = Turns::new();
        for _ in 0..20 {
            let blocked = blocked();
            let before = turns.count.count();
            until("it goes on", || turns.count.count() > before + 100);
            end(blocked);
        }
        turns.end();
    });
}

#[test]
fn bound_siblings_wait_for_the_call() {
    alone(here!(), ONE_COOPERATIVE, || {
        let (turns, blocked) = on_one_thread(|| (Turns::new(), begin_blocked()));
        in_call(blocked.task.id());
        // Somebody else has the processor.
        gopark::go(|| ()).join().unwrap();
        let before = turns.count.count();
        for _ in 0..200 {
            gopark::go(gopark::yield_now).join().unwrap();
        }
        assert_eq!(turns.count.count(), before);
        end(blocked);
        until("it goes on", || turns.count.count() > before);
        turns.end();
    });
}

#[test]
fn an_own_thread_lends_its_processor_too() {
    alone(here!(), ONE, || {
        let (go_on, rx) = mpsc::channel();
        let body = move || blocking(|| rx.recv()).unwrap();
        let blocked = Builder::new().own_thread().go(body).unwrap();
        in_call(blocked.id());
        gopark::go(|| ()).join().unwrap();
        go_on.send(()).unwrap();
        blocked.join().unwrap();
    });
}

#[test]
fn it_is_seen_in_snapshots_and_dumps() {
    alone(here!(), ONE, || {
        let (go_on, rx) = mpsc::channel();
        let line = line!() + 1;
        let task = gopark::go(move || blocking(|| rx.recv()).unwrap());
        in_call(task.id());
        let seen = info(task.id()).unwrap();
        assert_eq!(seen.status as u8, 3);
        assert!(seen.wait.is_none() && !seen.durably_blocked());
        let at = seen.call.expect("it is in a call");
        assert_eq!((at.file(), at.line()), (file!(), line));
        assert_eq!(seen.stack.expect("it has started").depth, None);
        let dump = Snapshot::all().to_string();
        assert!(dump.contains(&format!("goroutine {} [syscall]:", task.id())), "{dump}");
        assert!(dump.contains(&format!("blocking.rs:{line} ")), "{dump}");
        go_on.send(()).unwrap();
        task.join().unwrap();
    });
}

/// 3 => 1: the call is over, and somebody else has the processor.
#[test]
fn it_is_runnable_while_it_waits_for_a_processor() {
    alone(here!(), ONE_COOPERATIVE, || {
        for _ in 0..20 {
            let (go_on, rx) = mpsc::channel();
            let (over, at) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
            let blocked = {
                let (over, at) = (over.clone(), at.clone());
                gopark::go(move || {
                    blocking(|| rx.recv()).unwrap();
                    at.store(1 + usize::from(over.load(Ordering::SeqCst)), Ordering::SeqCst);
                })
            };
            in_call(blocked.id());
            let hog = {
                let over = over.clone();
                gopark::go(move || {
                    spin_until("the other one waits", || over.load(Ordering::SeqCst));
                })
            };
            until("the hog runs", || status(hog.id()) == Some(Status::Running));
            go_on.send(()).unwrap();
            until("it is ready", || status(blocked.id()) == Some(Status::Runnable));
            assert!(info(blocked.id()).unwrap().call.is_none());
            over.store(true, Ordering::SeqCst);
            hog.join().unwrap();
            blocked.join().unwrap();
            assert_eq!(at.load(Ordering::SeqCst), 2, "went on beside the hog");
        }
    });
}

/// Uses everything that parks or needs a processor, and is in the call after each.
fn everything() {
    let me = Scope::current();
    let check = |after: &str| assert!(in_its_call(&me), "after {after}");
    check("nothing");
    gopark::yield_now();
    check("a yield");
    gopark::sleep(Duration::from_micros(10));
    check("a sleep");
    assert_eq!(daemon(|| 7).join().unwrap(), 7);
    check("a join");
    drop(daemon(|| 8));
    check("a spawn");
    let (tx, rx) = chan::rendezvous();
    let partner = daemon(move || tx.send(9).unwrap());
    assert_eq!(rx.recv().unwrap(), 9);
    check("a receive");
    partner.join().unwrap();
    let (tx, rx) = chan::rendezvous();
    let partner = daemon(move || rx.recv().unwrap());
    tx.send(10).unwrap();
    check("a send");
    assert_eq!(partner.join().unwrap(), 10);
    let lock = Arc::new(Mutex::new(()));
    let guard = lock.lock();
    let partner = {
        let lock = lock.clone();
        daemon(move || {
            let _guard = lock.lock();
            gopark::yield_now();
        })
    };
    parked(partner.id(), WaitReason::MutexLock);
    drop(guard);
    gopark::yield_now();
    drop(lock.lock());
    check("a lock");
    partner.join().unwrap();
    let group = WaitGroup::new();
    group.go(gopark::yield_now);
    group.wait();
    // It is done a moment before it has ended.
    until("the task of the group is gone", || me.live() == 1);
    check("a wait for a group");
    assert!(chan::never::<()>().recv_timeout(Duration::from_micros(10)).is_err());
    check("a timeout");
    gopark::stack::grow(2 << 20, || check("a segment"));
    assert_eq!(blocking(|| 11), 11);
    check("a call inside");
    assert_eq!(gopark::offload(|| 12), 12);
    check("a call elsewhere");
    let scope = Scope::new("inner");
    drop(scope.enter());
    check("a scope");
}

/// In no way part of what [`whose`] finds.
fn daemon<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    Builder::new().daemon().go(f).unwrap()
}

/// Is the caller, the only task of the scope that is not a daemon, in a call? The
/// signal may have found it in a system call that is none of those.
fn in_its_call(scope: &Scope) -> bool {
    let tasks = Snapshot::of(scope).tasks;
    let mut mine = tasks.iter().filter(|task| !task.daemon);
    let one = mine.next().expect("the running task");
    assert!(mine.next().is_none());
    let expected = if one.call.is_some() {
        one.status == Status::Syscall
    } else {
        matches!(one.status, Status::Running | Status::Syscall)
    };
    assert!(expected, "{one:?}");
    one.call.is_some()
}

/// Runs the body in tasks, each the only one of a scope.
fn in_scopes(count: usize, body: fn()) {
    let tasks: Vec<_> = (0..count)
        .map(|_| {
            let scope = Scope::new("one");
            let _in = scope.enter();
            gopark::go(body)
        })
        .collect();
    tasks.into_iter().for_each(|task| task.join().unwrap());
}

fn calls_everything() {
    for _ in 0..5 {
        blocking(everything);
        assert!(!in_its_call(&Scope::current()));
    }
}

#[test]
fn everything_may_be_called_inside() {
    alone(here!(), ONE, || in_scopes(1, calls_everything));
}

#[test]
fn by_many_tasks_at_once() {
    alone(here!(), TWO, || in_scopes(20, calls_everything));
}

#[test]
fn and_where_tasks_migrate() {
    alone(here!(), &[], || {
        migrate(2);
        in_scopes(20, calls_everything);
    });
}

/// A worker that parks its task in a call has its siblings to run.
#[test]
fn siblings_go_on_while_it_is_parked_in_a_call() {
    alone(here!(), ONE, || {
        let (turns, gate) = (Turns::new(), Gate::new());
        let held = gate.clone();
        let task = gopark::go(move || blocking(|| held.pass()));
        parked(task.id(), WaitReason::ChanReceive);
        let before = turns.count.count();
        until("they go on", || turns.count.count() > before + 100);
        gate.open();
        task.join().unwrap();
        turns.end();
    });
}

#[test]
fn a_panic_comes_out_with_a_processor() {
    alone(here!(), ONE, || {
        in_scopes(1, || {
            for _ in 0..10 {
                let payload = std::panic::catch_unwind(|| {
                    blocking(|| {
                        gopark::yield_now();
                        std::panic::resume_unwind(Box::new("of the call"))
                    })
                })
                .unwrap_err();
                assert_eq!(payload.downcast_ref(), Some(&"of the call"));
                assert!(!in_its_call(&Scope::current()));
                gopark::yield_now();
            }
        });
    });
}

#[test]
fn calls_nest() {
    alone(here!(), ONE, || {
        in_scopes(1, || {
            let scope = Scope::current();
            blocking(|| {
                assert!(blocking(|| in_its_call(&scope)));
                assert!(in_its_call(&scope));
            });
            assert!(!in_its_call(&scope));
        });
    });
}

#[test]
fn on_a_thread_it_only_calls() {
    assert_eq!(blocking(thread_id), thread_id());
}

/// None of them returns before all are in the call.
#[test]
fn two_hundred_calls_at_once() {
    alone(here!(), TWO, || {
        let barrier = Arc::new(Barrier::new(200));
        let tasks: Vec<_> = (0..200)
            .map(|_| {
                let barrier = barrier.clone();
                gopark::go(move || {
                    for _ in 0..5 {
                        blocking(|| barrier.wait());
                    }
                    thread_id()
                })
            })
            .collect();
        let threads: HashSet<u64> = tasks.into_iter().map(|task| task.join().unwrap()).collect();
        assert_eq!(threads.len(), 200);
    });
}

/// Short and long calls, parks in between and inside. How many ran at once.
fn traffic(tasks: u64, rounds: u64) -> usize {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (tx, rx) = chan::bounded(4);
    let tasks: Vec<_> = (0..tasks)
        .map(|n| {
            let (running, most) = (running.clone(), most.clone());
            let (tx, rx) = (tx.clone(), rx.clone());
            gopark::go(move || {
                let mut random = n + 1;
                for _ in 0..rounds {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    // Nothing here parks: whoever is counted has a processor, if
                    // nobody is suspended.
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    for _ in 0..random >> 54 {
                        std::hint::spin_loop();
                    }
                    running.fetch_sub(1, Ordering::SeqCst);
                    match random >> 33 & 7 {
                        0 | 1 => blocking(|| ()),
                        2 => blocking(std::thread::yield_now),
                        3 => blocking(|| std::thread::sleep(Duration::from_micros(30))),
                        4 => blocking(gopark::yield_now),
                        5 => {
                            tx.send(n).unwrap();
                            rx.recv().unwrap();
                        }
                        6 => {
                            blocking(|| tx.send(n).unwrap());
                            blocking(|| rx.recv().unwrap());
                        }
                        _ => drop(gopark::go(move || blocking(|| n)).join().unwrap()),
                    }
                }
            })
        })
        .collect();
    tasks.into_iter().for_each(|task| task.join().unwrap());
    most.load(Ordering::SeqCst)
}

#[test]
fn no_wake_up_is_lost_and_no_processor_is_held_twice() {
    alone(here!(), &[("GOPARK_MAXPROCS", "2"), COOPERATIVE], || {
        assert!(traffic(30, 300) <= 2);
    });
}

#[test]
fn nor_on_one_processor() {
    alone(here!(), ONE_COOPERATIVE, || assert_eq!(traffic(20, 300), 1));
}

#[test]
fn nor_where_tasks_migrate() {
    alone(here!(), &[COOPERATIVE], || {
        migrate(3);
        assert!(traffic(30, 300) <= 3);
    });
}

#[test]
fn no_wake_up_is_lost_where_tasks_are_suspended() {
    alone(here!(), TWO_BRIEF, || {
        traffic(30, 300);
    });
}

#[test]
fn nor_where_suspended_tasks_migrate() {
    alone(here!(), &[("GOPARK_SLICE", "1ms")], || {
        migrate(2);
        traffic(30, 300);
    });
}

#[test]
fn a_task_that_only_makes_calls_can_be_reaped() {
    let scope = Scope::new("reaped");
    let began = Arc::new(AtomicBool::new(false));
    let seen = began.clone();
    {
        let _in = scope.enter();
        drop(gopark::go(move || {
            loop {
                blocking(|| seen.store(true, Ordering::SeqCst));
            }
        }));
    }
    until("it runs", || began.load(Ordering::SeqCst));
    let reaped = scope.reap();
    assert_eq!((reaped.ended, reaped.abandoned, scope.live()), (1, 0, 0));
}
