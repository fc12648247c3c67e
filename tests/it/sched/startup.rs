//! The first use, by everybody at once.

use crate::child::{Child, here, inside};
use std::sync::{Arc, Barrier};

#[test]
fn tasks_of_the_very_first_moment_run() {
    if inside(here!()) {
        let start = Arc::new(Barrier::new(8));
        let threads: Vec<_> = (0..8)
            .map(|n| {
                let start = start.clone();
                std::thread::spawn(move || {
                    start.wait();
                    match n % 4 {
                        0 => gopark::maxprocs(),
                        1 => usize::from(gopark::Scope::new("first").live() == 0),
                        2 => gopark::run(|| 1),
                        _ => gopark::go(|| 1).join().unwrap(),
                    }
                })
            })
            .collect();
        assert!(threads.into_iter().all(|thread| thread.join().unwrap() >= 1));
        return;
    }
    for _ in 0..30 {
        Child::new(here!()).run().passed(here!());
    }
}

/// One thread starts the runtime and does nothing more; the other one's task
/// runs although nobody else ever does anything.
#[test]
fn a_task_runs_although_another_thread_starts_the_runtime() {
    if inside(here!()) {
        let start = Arc::new(Barrier::new(2));
        let other = start.clone();
        let starter = std::thread::spawn(move || {
            other.wait();
            gopark::maxprocs()
        });
        start.wait();
        assert_eq!(gopark::go(|| 7).join().unwrap(), 7);
        assert!(starter.join().unwrap() >= 1);
        return;
    }
    for _ in 0..30 {
        Child::new(here!()).run().passed(here!());
    }
}
