//! A task with a thread of its own.

use crate::child::{Child, here, inside};
use crate::support::{Gate, Tally, info, parked, thread_id, until};
use gopark::inspect::{WaitReason, foreign_threads, mark_harness_thread};
use gopark::{Builder, JoinHandle, chan};
use std::cell::RefCell;
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn own<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    Builder::new().own_thread().go(f).unwrap()
}

#[test]
fn it_has_no_siblings() {
    let (gate, done) = (Gate::new(), Arc::new(AtomicBool::new(false)));
    let (held, stop) = (gate.clone(), done.clone());
    let alone = own(move || {
        let at = thread_id();
        held.pass();
        while !stop.load(Ordering::SeqCst) {
            gopark::yield_now();
        }
        assert_eq!(thread_id(), at, "it stays on its thread");
        at
    });
    parked(alone.id(), WaitReason::ChanReceive);
    let mut others = HashSet::new();
    // Half of them while it is parked, half while it runs.
    for n in 0..400 {
        if n == 200 {
            gate.open();
        }
        let other = gopark::go(|| {
            let before = thread_id();
            gopark::yield_now();
            (before, thread_id())
        });
        let (before, after) = other.join().unwrap();
        others.extend([before, after]);
    }
    done.store(true, Ordering::SeqCst);
    assert!(!others.contains(&alone.join().unwrap()), "a task ran on the thread of another");
}

#[test]
fn its_children_run_elsewhere() {
    let task = own(|| {
        let me = thread_id();
        let children: Vec<_> = (0..100).map(|_| gopark::go(thread_id)).collect();
        children.into_iter().all(|child| child.join().unwrap() != me)
    });
    assert!(task.join().unwrap());
}

#[test]
fn each_has_another_thread() {
    let gate = Gate::new();
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let held = gate.clone();
            own(move || {
                let me = thread_id();
                held.pass();
                me
            })
        })
        .collect();
    for task in &tasks {
        parked(task.id(), WaitReason::ChanReceive);
    }
    gate.open();
    let threads: HashSet<_> = tasks.into_iter().map(|task| task.join().unwrap()).collect();
    assert_eq!(threads.len(), 8);
}

#[test]
fn observers_see_its_worker_before_it_starts() {
    let gate = Gate::new();
    let held = gate.clone();
    let task = own(move || held.pass());
    let early = info(task.id()).map(|task| task.worker);
    let late = parked(task.id(), WaitReason::ChanReceive).worker;
    assert!(late.is_some());
    assert!(early.is_none_or(|early| early == late), "{early:?}, {late:?}");
    gate.open();
    task.join().unwrap();
}

#[test]
fn its_thread_ends_after_it() {
    let endings: [fn(); 3] = [|| (), || gopark::goexit(), || panic!("on purpose")];
    for end in endings {
        let (tx, rx) = chan::bounded(1);
        let task = own(move || {
            tx.send(thread_id()).unwrap();
            end();
        });
        let thread = format!("/proc/self/task/{}", rx.recv().unwrap());
        let _ = task.join();
        until("the thread has ended", || !Path::new(&thread).exists());
    }
}

#[test]
fn its_thread_locals_are_destroyed_and_may_use_channels() {
    struct Sends(chan::Sender<&'static str>);
    impl Drop for Sends {
        fn drop(&mut self) {
            self.0.send("from the end of the thread").unwrap();
        }
    }
    thread_local!(static LAST: RefCell<Option<Sends>> = const { RefCell::new(None) });
    let (tx, rx) = chan::rendezvous();
    own(move || LAST.set(Some(Sends(tx)))).join().unwrap();
    assert_eq!(rx.recv(), Ok("from the end of the thread"));
}

#[test]
fn a_task_detached_before_it_starts_ends_and_its_thread_too() {
    let (tx, rx) = chan::bounded(1);
    drop(own(move || tx.send(thread_id()).unwrap()));
    let thread = format!("/proc/self/task/{}", rx.recv().unwrap());
    until("the thread has ended", || !Path::new(&thread).exists());
}

#[test]
fn many_come_and_go() {
    for round in 0..50 {
        let tasks: Vec<_> = (0..4).map(|n| own(move || n + round)).collect();
        let sum: i32 = tasks.into_iter().map(|task| task.join().unwrap()).sum();
        assert_eq!(sum, 6 + 4 * round);
    }
}

#[test]
fn it_parks_and_wakes_like_any_other() {
    let (there, back) = (chan::rendezvous(), chan::rendezvous());
    let (to, from) = (there.0, back.1);
    let echo = own(move || {
        for n in there.1 {
            back.0.send(n + 1).unwrap();
        }
    });
    for n in 0..1000 {
        to.send(n).unwrap();
        assert_eq!(from.recv(), Ok(n + 1));
    }
    drop(to);
    echo.join().unwrap();
}

/// Address space for some threads, not for a hundred.
#[test]
fn a_thread_that_the_system_refuses_is_an_error_and_nothing_was_started() {
    if inside(here!()) {
        let (gate, started) = (Gate::new(), Tally::new());
        let mut tasks = Vec::new();
        let error = loop {
            let (held, mark) = (gate.clone(), started.clone());
            let body = move || {
                mark.add();
                held.pass();
            };
            match Builder::new().own_thread().go(body) {
                Ok(task) => {
                    parked(task.id(), WaitReason::ChanReceive);
                    tasks.push(task);
                }
                Err(error) => break error,
            }
            assert!(tasks.len() < 100, "the limit is none");
        };
        println!("refused after {}: {error}", tasks.len());
        assert!(!tasks.is_empty());
        assert_eq!((started.count(), gopark::num_tasks()), (tasks.len(), tasks.len()));
        // The runtime does not wait for a thread that never was.
        mark_harness_thread();
        until("all threads are known", || foreign_threads().is_empty());
        gate.open();
        tasks.into_iter().for_each(|task| task.join().unwrap());
        return;
    }
    // Eight megabytes for each stack.
    let script = "ulimit -s 8192 && ulimit -v 700000 && exec \"$0\" \"$@\"";
    let ended = Child::started_by(script, here!()).run();
    ended.passed(here!());
    assert!(ended.stdout.contains("refused after"), "{}", ended.stdout);
}
