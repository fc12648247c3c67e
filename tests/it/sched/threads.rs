//! How many threads there are: they end when nobody needs them, and there is a limit.

use super::{ONE, TWO, migrating};
use crate::child::{Child, alone, here, inside};
use crate::support::{Gate, Tally, info, parked, thread_id, until};
use gopark::inspect::WaitReason;
use gopark::runtime::{Config, StartError};
use gopark::{Builder, JoinHandle};
use std::collections::HashSet;
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

/// Idle workers end soon.
const SOON: (&str, &str) = ("GOPARK_DEBUG", "idleworkers=20");

/// Kernel ids of the workers' threads.
fn workers() -> HashSet<u64> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("the system has /proc");
    let worker = |task: std::io::Result<std::fs::DirEntry>| {
        let task = task.ok()?;
        // It may end meanwhile.
        let name = std::fs::read_to_string(task.path().join("comm")).ok()?;
        let number = name.trim().strip_prefix("gopark-")?;
        number.parse::<u32>().ok()?;
        task.file_name().to_str()?.parse().ok()
    };
    tasks.filter_map(worker).collect()
}

/// So many tasks block their threads at the same time; no task is left.
fn burst(count: usize) {
    let all = Arc::new(Barrier::new(count));
    let tasks: Vec<_> = (0..count)
        .map(|_| {
            let all = all.clone();
            gopark::go(move || gopark::blocking(|| all.wait()))
        })
        .collect();
    for task in tasks {
        task.join().unwrap();
    }
}

#[test]
fn leftover_workers_end_but_for_one() {
    alone(here!(), &[("GOPARK_MAXPROCS", "4"), SOON], || {
        for _ in 0..3 {
            burst(30);
            assert!(!workers().is_empty());
            until("all but one have ended", || workers().len() == 1);
            // The one that is left does the work.
            assert_eq!(gopark::go(|| 7).join().unwrap(), 7);
        }
    });
}

#[test]
fn by_default_they_stay_for_a_while_and_can_stay_for_ever() {
    for setting in ["", "idleworkers=0"] {
        if !inside(here!()) {
            let child = Child::new(here!()).env("GOPARK_DEBUG", setting);
            child.run().passed(here!());
            continue;
        }
        if std::env::var("GOPARK_DEBUG").as_deref() != Ok(setting) {
            continue;
        }
        let begin = Instant::now();
        burst(30);
        let before = workers();
        std::thread::sleep(Duration::from_millis(300));
        let after = workers();
        // They stay for five seconds, which pass at once where the machine stands still.
        if !setting.is_empty() || begin.elapsed() < Duration::from_secs(5) {
            assert!(before.len() >= 30);
            assert!(after.is_superset(&before), "some have ended already");
        }
    }
}

/// A task that waits for the gate, and its thread.
fn waits(gate: &Gate) -> (JoinHandle<u64>, u64) {
    let (tx, rx) = channel();
    let held = gate.clone();
    let task = gopark::go(move || {
        tx.send(thread_id()).unwrap();
        held.pass();
        thread_id()
    });
    let thread = rx.recv().unwrap();
    parked(task.id(), WaitReason::ChanReceive);
    (task, thread)
}

#[test]
fn a_worker_with_bound_tasks_never_ends() {
    alone(here!(), &[("GOPARK_MAXPROCS", "2"), SOON], || {
        let (gate, all) = (Gate::new(), Arc::new(Barrier::new(5)));
        let waiting: Vec<_> = (0..5)
            .map(|_| {
                let (held, all) = (gate.clone(), all.clone());
                gopark::go(move || {
                    // All block at the same time, so each on a thread of its own.
                    gopark::blocking(|| all.wait());
                    let before = thread_id();
                    held.pass();
                    (before, thread_id())
                })
            })
            .collect();
        let threads: HashSet<_> = waiting
            .iter()
            .map(|task| parked(task.id(), WaitReason::ChanReceive).worker.expect("it is bound"))
            .collect();
        assert_eq!(threads.len(), 5);
        burst(30);
        // Others have ended: one may be left that has none.
        until("the others have ended", || workers().len() <= threads.len() + 1);
        std::thread::sleep(Duration::from_millis(60));
        assert!(workers().len() >= 5, "a worker with bound tasks has ended");
        gate.open();
        for task in waiting {
            let (before, after) = task.join().unwrap();
            assert_eq!(before, after);
        }
        until("now they end", || workers().len() == 1);
    });
}

#[test]
fn in_migrating_mode_workers_of_parked_tasks_end() {
    alone(here!(), &[SOON], || {
        migrating::start(2);
        let gate = Gate::new();
        let waiting: Vec<_> = (0..20).map(|_| waits(&gate)).collect();
        burst(30);
        until("all but one have ended", || workers().len() == 1);
        gate.open();
        for (task, _) in waiting {
            task.join().unwrap();
        }
        // But not one that a task has locked.
        let gate = Gate::new();
        let held = gate.clone();
        let locked = gopark::go(move || {
            let _guard = gopark::lock_os_thread();
            let at = thread_id();
            held.pass();
            (at, thread_id())
        });
        parked(locked.id(), WaitReason::ChanReceive);
        burst(30);
        until("the others have ended", || workers().len() == 2);
        std::thread::sleep(Duration::from_millis(60));
        gate.open();
        let (before, after) = locked.join().unwrap();
        assert_eq!(before, after);
    });
}

/// A thread that comes later takes the place of one that has ended.
#[test]
fn records_of_workers_are_used_again() {
    alone(here!(), TWO, || {
        let mut most = 0;
        for _ in 0..300 {
            let gate = Gate::new();
            let held = gate.clone();
            let task = Builder::new().own_thread().go(move || {
                held.pass();
                thread_id()
            });
            let task = task.unwrap();
            let seen = parked(task.id(), WaitReason::ChanReceive);
            most = most.max(seen.worker.expect("it is bound"));
            gate.open();
            let thread = task.join().unwrap();
            until("it has ended", || !workers().contains(&thread));
        }
        assert!(most < 20, "worker {most}");
    });
}

/// They come and go all the time, and nothing is lost.
fn come_and_go() {
    let done = Tally::new();
    let tasks: Vec<_> = (0..6_u64)
        .map(|n| {
            let done = done.clone();
            gopark::go(move || {
                for k in 0..40 {
                    // Around the time after which they end.
                    std::thread::sleep(Duration::from_micros(900 + 50 * (n + k % 5)));
                    let child = gopark::go(move || {
                        gopark::blocking(|| std::thread::sleep(Duration::from_micros(200 * n)));
                        n
                    });
                    gopark::sleep(Duration::from_micros(1000 + 30 * k));
                    assert_eq!(child.join().unwrap(), n);
                    let own = Builder::new().own_thread().go(gopark::yield_now).unwrap();
                    own.join().unwrap();
                    done.add();
                }
            })
        })
        .collect();
    tasks.into_iter().for_each(|task| task.join().unwrap());
    assert_eq!(done.count(), 240);
    until("all but one have ended", || workers().len() == 1);
}

#[test]
fn workers_that_come_and_go_lose_nothing() {
    alone(here!(), &[("GOPARK_MAXPROCS", "2"), ("GOPARK_DEBUG", "idleworkers=1")], come_and_go);
}

#[test]
fn workers_that_come_and_go_lose_nothing_in_migrating_mode() {
    alone(here!(), &[("GOPARK_DEBUG", "idleworkers=1")], || {
        migrating::start(2);
        come_and_go();
    });
}

#[test]
fn a_thread_too_many_ends_the_process_with_a_message() {
    if inside(here!()) {
        Config::new().maxprocs(2).max_threads(8).start().unwrap();
        burst(4);
        println!("it ran");
        burst(20);
        println!("it went on");
        return;
    }
    let ended = Child::new(here!()).run();
    assert!(!ended.status.success(), "there is no limit");
    assert!(ended.stdout.contains("it ran"), "{}", ended.stderr);
    assert!(!ended.stdout.contains("it went on"));
    let says = "gopark: fatal error: thread exhaustion: this program needs more than 8 worker \
                threads";
    assert!(ended.stderr.contains(says), "{}", ended.stderr);
}

#[test]
fn a_thread_of_its_own_too_many_is_an_error() {
    alone(here!(), ONE, || {
        Config::new().max_threads(8).start().unwrap();
        let gate = Gate::new();
        let own = || {
            let held = gate.clone();
            Builder::new().own_thread().go(move || held.pass())
        };
        let mut tasks = Vec::new();
        let error = loop {
            match own() {
                Ok(task) => tasks.push(task),
                Err(error) => break error,
            }
            assert!(tasks.len() < 20, "there is no limit");
        };
        assert!(error.to_string().contains("more than 8 worker threads"), "{error}");
        assert!(tasks.len() >= 4, "{} threads", tasks.len());
        assert_eq!(gopark::num_tasks(), tasks.len());
        let last = tasks.pop().unwrap();
        for task in &tasks {
            assert!(info(task.id()).is_some());
        }
        gate.open();
        last.join().unwrap();
        tasks.into_iter().for_each(|task| task.join().unwrap());
        until("there is room again", || own().is_ok_and(|task| task.join().is_ok()));
    });
}

#[test]
fn no_threads_at_all_are_an_error() {
    alone(here!(), &[], || {
        let error = Config::new().max_threads(0).start().unwrap_err();
        assert_eq!(error, StartError::MaxThreads);
    });
}
