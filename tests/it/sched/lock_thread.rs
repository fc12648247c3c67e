//! A task that locks its thread: what others may still do there, and what becomes
//! of the thread.
//!
//! Where tasks migrate, the kernel is asked for the thread, not a thread-local.

use super::migrating::{self, Traffic};
use super::{ONE, TWO};
use crate::child::{alone, here};
use crate::support::{Gate, ONE_COOPERATIVE, Tally, info, on_one_thread, parked, thread_id, until};
use gopark::inspect::{Snapshot, WaitReason};
use gopark::{Builder, JoinHandle, OsThreadLock, chan, lock_os_thread};
use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

fn thread_dir(id: u64) -> PathBuf {
    format!("/proc/self/task/{id}").into()
}

fn ends(id: u64) {
    until("the thread has ended", || !thread_dir(id).exists());
}

/// A task that does what the test does with its lock, then waits for the gate.
struct Locked {
    task: JoinHandle<()>,
    thread: u64,
    gate: Gate,
}

impl Locked {
    fn new(lock: impl FnOnce(&Gate) + Send + 'static) -> Locked {
        let (gate, (tx, rx)) = (Gate::new(), chan::bounded(1));
        let held = gate.clone();
        let task = gopark::go(move || {
            tx.send(thread_id()).unwrap();
            lock(&held);
        });
        let thread = rx.recv().unwrap();
        parked(task.id(), WaitReason::ChanReceive);
        Locked { task, thread, gate }
    }

    fn end(self) {
        self.gate.open();
        self.task.join().unwrap();
    }
}

/// Tasks that park, and whether one of them was seen there before or after.
fn some_run_at(thread: u64) -> bool {
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            gopark::go(move || {
                let before = thread_id() == thread;
                gopark::yield_now();
                before || thread_id() == thread
            })
        })
        .collect();
    let seen: Vec<_> = tasks.into_iter().map(|task| task.join().unwrap()).collect();
    seen.contains(&true)
}

/// A task starts there, if not sooner, then when every other thread is blocked.
fn takes_tasks(thread: u64) {
    let mut blocked = Vec::new();
    until("it takes tasks", || {
        let ((at, started), (end, wait)) = (channel(), channel::<()>());
        let task = gopark::go(move || {
            at.send(thread_id()).unwrap();
            gopark::blocking(|| wait.recv().unwrap_err());
        });
        blocked.push((task, end));
        started.recv().unwrap() == thread
    });
    for (task, end) in blocked {
        drop(end);
        task.join().unwrap();
    }
}

fn others_start_elsewhere_until_it_is_unlocked() {
    let (unlocked, half) = (Gate::new(), Tally::new());
    let (then, dropped) = (unlocked.clone(), half.clone());
    let locked = Locked::new(move |gate| {
        let (outer, inner) = (lock_os_thread(), lock_os_thread());
        gate.pass();
        // In the order in which no scope would drop them.
        drop(outer);
        dropped.add();
        then.pass();
        drop(inner);
    });
    let thread = locked.thread;
    for _ in 0..10 {
        assert!(!some_run_at(thread), "a task ran on a locked thread");
    }
    locked.gate.open();
    until("half of it is unlocked", || half.count() == 1);
    parked(locked.task.id(), WaitReason::ChanReceive);
    for _ in 0..10 {
        assert!(!some_run_at(thread), "a task ran on a thread that is locked once");
    }
    unlocked.open();
    locked.end();
    assert!(thread_dir(thread).exists(), "an unlocked thread has ended");
    takes_tasks(thread);
}

#[test]
fn new_tasks_start_elsewhere() {
    alone(here!(), TWO, others_start_elsewhere_until_it_is_unlocked);
    alone(here!(), ONE, others_start_elsewhere_until_it_is_unlocked);
}

#[test]
fn nobody_else_runs_there_in_migrating_mode() {
    alone(here!(), &[], || {
        migrating::start(2);
        let traffic = Traffic::new();
        others_start_elsewhere_until_it_is_unlocked();
        traffic.stop();
    });
}

/// Parks in every way and runs on while others are about.
fn parks(at: u64) {
    let (tx, rx) = chan::rendezvous();
    for n in 0..30 {
        match n % 5 {
            0 => gopark::yield_now(),
            1 => gopark::sleep(Duration::from_micros(1)),
            2 => gopark::go(|| ()).join().unwrap(),
            3 => gopark::blocking(gopark::yield_now),
            _ => {
                let tx = tx.clone();
                drop(gopark::go(move || tx.send(n).unwrap()));
                assert_eq!(rx.recv(), Ok(n));
            }
        }
        assert_eq!(thread_id(), at, "after park {n}");
    }
}

#[test]
fn in_migrating_mode_it_stays_until_it_is_unlocked() {
    alone(here!(), &[], || {
        migrating::start(2);
        let traffic = Traffic::new();
        // Who is woken by a thread that has no processor is anybody's.
        let (tx, rx) = chan::rendezvous();
        let waker = std::thread::spawn(move || while tx.send(()).is_ok() {});
        let task = gopark::go(move || {
            let outer = lock_os_thread();
            let at = thread_id();
            parks(at);
            drop(lock_os_thread());
            parks(at);
            drop(outer);
            until("it goes elsewhere", || {
                rx.recv().unwrap();
                thread_id() != at
            });
            // And once more, where it is now.
            let _again = lock_os_thread();
            parks(thread_id());
        });
        task.join().unwrap();
        waker.join().unwrap();
        traffic.stop();
    });
}

#[test]
fn in_migrating_mode_it_may_go_when_it_is_unlocked() {
    alone(here!(), &[], || {
        migrating::start(2);
        let task = gopark::go(|| {
            for _ in 0..3 {
                let guard = lock_os_thread();
                let at = thread_id();
                parks(at);
                drop(guard);
                while thread_id() == at {
                    drop(gopark::go(migrating::hog));
                    gopark::yield_now();
                }
            }
        });
        task.join().unwrap();
    });
}

#[test]
fn in_a_blocking_call_it_can_be_locked_and_unlocked() {
    alone(here!(), &[], || {
        migrating::start(2);
        let traffic = Traffic::new();
        let task = gopark::go(|| {
            for _ in 0..5 {
                let guard = gopark::blocking(lock_os_thread);
                parks(thread_id());
                gopark::blocking(|| drop(guard));
                gopark::yield_now();
            }
        });
        task.join().unwrap();
        traffic.stop();
    });
}

/// Many lock and unlock at once; each has its thread, and all of them end.
#[test]
fn many_lock_and_unlock() {
    alone(here!(), &[], || {
        migrating::start(3);
        let tasks: Vec<_> = (0..20)
            .map(|n| {
                gopark::go(move || {
                    for _ in 0..50 {
                        let guard = lock_os_thread();
                        let at = thread_id();
                        gopark::yield_now();
                        gopark::go(|| ()).join().unwrap();
                        assert_eq!(thread_id(), at);
                        // Those that end locked are some of them.
                        if n % 4 == 0 {
                            return std::mem::forget(guard);
                        }
                        drop(guard);
                        gopark::yield_now();
                    }
                })
            })
            .collect();
        tasks.into_iter().for_each(|task| task.join().unwrap());
        assert_eq!(gopark::num_tasks(), 0);
    });
}

fn its_thread_ends_with_it() {
    let locked = Locked::new(|gate| {
        std::mem::forget(lock_os_thread());
        gate.pass();
    });
    let thread = locked.thread;
    assert!(!some_run_at(thread));
    locked.end();
    ends(thread);
    // Others have one.
    assert_eq!(gopark::go(|| 7).join().unwrap(), 7);
}

#[test]
fn a_task_that_ends_locked_takes_its_thread_with_it() {
    alone(here!(), TWO, its_thread_ends_with_it);
    alone(here!(), ONE, its_thread_ends_with_it);
}

#[test]
fn a_task_that_ends_locked_takes_its_thread_with_it_in_migrating_mode() {
    alone(here!(), &[], || {
        migrating::start(1);
        its_thread_ends_with_it();
        its_thread_ends_with_it();
    });
}

/// Unwinding drops the guard.
#[test]
fn a_task_that_panics_unlocks() {
    let endings: [fn(); 2] = [|| gopark::goexit(), || panic!("on purpose")];
    alone(here!(), ONE_COOPERATIVE, || {
        on_one_thread(move || {
            for end in endings {
                let task = gopark::go(move || {
                    let _guard = lock_os_thread();
                    end();
                });
                task.join().unwrap_err();
                let thread = gopark::go(thread_id).join().unwrap();
                assert!(some_run_at(thread));
            }
        });
    });
}

/// By default siblings go on, and the thread lasts as long as they do.
#[test]
fn siblings_go_on_and_come_first() {
    alone(here!(), ONE_COOPERATIVE, || {
        let (gate, seen) = (Gate::new(), Tally::new());
        let (held, count) = (gate.clone(), seen.clone());
        let (siblings, locked) = on_one_thread(move || {
            let (gate, seen) = (held, count);
            let siblings: Vec<_> = (0..3)
                .map(|_| {
                    let (held, seen) = (gate.clone(), seen.clone());
                    gopark::go(move || {
                        let at = thread_id();
                        held.pass();
                        for _ in 0..100 {
                            gopark::yield_now();
                            seen.add();
                            assert_eq!(thread_id(), at);
                        }
                        at
                    })
                })
                .collect();
            for sibling in &siblings {
                parked(sibling.id(), WaitReason::ChanReceive);
            }
            let locked = Locked::new(|gate| {
                std::mem::forget(lock_os_thread());
                gate.pass();
            });
            (siblings, locked)
        });
        let thread = locked.thread;
        locked.end();
        assert!(!some_run_at(thread), "a task started on a thread that is to end");
        assert!(thread_dir(thread).exists(), "it ended before the siblings");
        gate.open();
        for sibling in siblings {
            assert_eq!(sibling.join().unwrap(), thread);
        }
        assert_eq!(seen.count(), 300);
        ends(thread);
    });
}

/// Two siblings on a locked thread that wake each other do not starve the third.
#[test]
fn siblings_on_a_locked_thread_take_turns() {
    alone(here!(), ONE_COOPERATIVE, || {
        on_one_thread(|| {
            let over = Arc::new(AtomicBool::new(false));
            let (there, back) = (chan::rendezvous(), chan::rendezvous());
            let echo = gopark::go(move || there.1.iter().try_for_each(|()| back.0.send(())));
            parked(echo.id(), WaitReason::ChanReceive);
            let turns = Tally::new();
            let third = {
                let (over, turns) = (over.clone(), turns.clone());
                gopark::go(move || {
                    while !over.load(Ordering::SeqCst) {
                        turns.add();
                        gopark::yield_now();
                    }
                })
            };
            until("it runs", || turns.count() > 0);
            let count = turns.clone();
            let first = gopark::go(move || {
                let _guard = lock_os_thread();
                let before = count.count();
                for _ in 0..10_000 {
                    there.0.send(()).unwrap();
                    back.1.recv().unwrap();
                }
                count.count() - before
            });
            let turns = first.join().unwrap();
            over.store(true, Ordering::SeqCst);
            third.join().unwrap();
            assert!(echo.join().unwrap().is_ok());
            assert!(turns > 100, "the third had {turns} turns of 20000");
        });
    });
}

/// With one processor somebody else must get it.
fn its_children_run() {
    let parent = gopark::go(|| {
        let _guard = lock_os_thread();
        let me = thread_id();
        let children: Vec<_> = (0..200).map(|_| gopark::go(thread_id)).collect();
        assert!(children.into_iter().all(|child| child.join().unwrap() != me));
        // Nobody parks here.
        let ran = Arc::new(AtomicBool::new(false));
        let mark = ran.clone();
        drop(gopark::go(move || mark.store(true, Ordering::SeqCst)));
        until("it has run", || ran.load(Ordering::SeqCst));
    });
    parent.join().unwrap();
}

#[test]
fn the_children_of_a_locked_task_run_elsewhere() {
    alone(here!(), ONE, its_children_run);
    alone(here!(), TWO, its_children_run);
}

#[test]
fn the_children_of_a_locked_task_run_elsewhere_in_migrating_mode() {
    alone(here!(), &[], || {
        migrating::start(1);
        its_children_run();
    });
}

#[test]
fn with_a_thread_of_its_own_it_changes_nothing() {
    fn own() {
        let body = || {
            drop(lock_os_thread());
            parks(thread_id());
            (thread_id(), drop(lock_os_thread()))
        };
        let (thread, ()) = Builder::new().own_thread().go(body).unwrap().join().unwrap();
        ends(thread);
    }
    alone(here!(), TWO, || {
        if std::env::var_os("MIGRATING").is_some() {
            migrating::start(2);
        }
        own();
    });
    alone(here!(), &[("MIGRATING", "1")], own);
}

#[test]
fn observers_see_it() {
    let unlocked = Locked::new(Gate::pass);
    let locked = Locked::new(|gate| {
        let _guard = lock_os_thread();
        gate.pass();
    });
    let seen = [&unlocked, &locked].map(|task| info(task.task.id()).unwrap().locked);
    assert_eq!(seen, [false, true]);
    let dump = Snapshot::all().to_string();
    let line = format!("goroutine {} [chan receive, locked to thread]:", locked.task.id());
    assert!(dump.contains(&line), "{dump}");
    unlocked.end();
    locked.end();
}

#[test]
fn on_an_ordinary_thread_it_does_nothing() {
    let guard = lock_os_thread();
    assert_eq!(format!("{guard:?}"), "OsThreadLock { task: None }");
    drop((guard, lock_os_thread()));
    // Dropped in a task, by way of a thread-local.
    assert_eq!(gopark::go(|| 7).join().unwrap(), 7);
}

#[test]
fn a_guard_that_a_sibling_drops_unlocks_nothing() {
    thread_local!(static LEFT: RefCell<Option<OsThreadLock>> = const { RefCell::new(None) });
    alone(here!(), ONE_COOPERATIVE, || {
        let gate = Gate::new();
        let held = gate.clone();
        let (sibling, locked) = on_one_thread(|| {
            let sibling = gopark::go(move || {
                held.pass();
                assert!(LEFT.take().is_some());
            });
            parked(sibling.id(), WaitReason::ChanReceive);
            let locked = Locked::new(|gate| {
                LEFT.set(Some(lock_os_thread()));
                gate.pass();
            });
            (sibling, locked)
        });
        let thread = locked.thread;
        gate.open();
        sibling.join().unwrap();
        assert!(!some_run_at(thread), "a sibling has unlocked it");
        locked.end();
        ends(thread);
    });
}

#[test]
fn as_many_locks_as_the_docs_say() {
    let task = gopark::go(|| {
        (1..1 << 20).for_each(|_| std::mem::forget(lock_os_thread()));
        let one_more = std::panic::catch_unwind(lock_os_thread);
        // As good as before.
        gopark::sleep(Duration::from_micros(1));
        one_more.is_err()
    });
    assert!(task.join().unwrap());
}
