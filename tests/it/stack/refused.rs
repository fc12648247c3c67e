//! Where the system gives no more address space.

use super::{KIB, MIB, down};
use crate::child::{Child, here, inside};
use crate::support::{ONE_COOPERATIVE, Tally, parked, until};
use gopark::chan::{self, Sender};
use gopark::inspect::WaitReason;
use gopark::stack::usage;
use gopark::{Builder, JoinHandle, go, num_tasks};
use std::any::Any;
use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::thread;

/// Runs the test in a process of its own, in a gigabyte of address space.
#[track_caller]
fn in_tight_space(test: &str, environment: &[(&str, &str)], body: impl FnOnce()) {
    if inside(test) {
        return body();
    }
    let mut child = Child::started_by("ulimit -v 1000000 && exec \"$0\" \"$@\"", test);
    for (key, value) in environment {
        child = child.env(key, value);
    }
    let ended = child.run();
    ended.passed(test);
    assert!(ended.stdout.contains("refused after"), "{}", ended.stdout);
}

/// As many as the system allows.
fn until_refused<T>(mut start: impl FnMut() -> io::Result<T>) -> (Vec<T>, io::Error) {
    let mut tasks = Vec::with_capacity(20_000);
    loop {
        match start() {
            Ok(task) => tasks.push(task),
            Err(error) => {
                println!("refused after {}: {error}", tasks.len());
                return (tasks, error);
            }
        }
        assert!(tasks.len() < 20_000, "the limit is none");
    }
}

/// Parked tasks, as many as there can be.
struct Crowd {
    class: usize,
    came: Tally,
    tasks: Vec<(Sender<()>, JoinHandle<()>)>,
}

impl Crowd {
    fn of(class: usize) -> (Crowd, io::Error) {
        let came = Tally::new();
        let (tasks, error) = until_refused(|| Crowd::one(class, &came));
        assert!(!tasks.is_empty());
        let crowd = Crowd { class, came, tasks };
        until("all have started", || crowd.came.count() == crowd.tasks.len());
        (crowd, error)
    }

    fn one(class: usize, came: &Tally) -> io::Result<(Sender<()>, JoinHandle<()>)> {
        let (came, (tx, rx)) = (came.clone(), chan::rendezvous());
        let task = Builder::new().stack_limit(class).go(move || {
            came.add();
            let _ = rx.recv();
        })?;
        Ok((tx, task))
    }

    /// Whether one more can be started.
    fn grows(&mut self) -> bool {
        Crowd::one(self.class, &self.came).map(|task| self.tasks.push(task)).is_ok()
    }

    /// The `n`th of them ends.
    fn lose(&mut self, n: usize) {
        let (tx, task) = self.tasks.swap_remove(n);
        tx.send(()).unwrap();
        task.join().unwrap();
    }

    fn end(mut self) {
        while !self.tasks.is_empty() {
            self.lose(0);
        }
    }
}

#[test]
fn the_error_says_how_much_was_asked_and_what_to_do() {
    in_tight_space(here!(), &[], || {
        let (crowd, error) = Crowd::of(8 * MIB);
        assert_eq!(error.kind(), ErrorKind::OutOfMemory);
        let text = error.to_string();
        let strict = std::fs::read_to_string("/proc/sys/vm/overcommit_memory").unwrap();
        let limit = match strict.trim() {
            "2" => "vm.overcommit_memory is 2",
            _ => "ulimit -v allows this process 1000000 KiB: raise it",
        };
        for says in [
            "stack of 8256 KiB",
            limit,
            "start fewer tasks",
            "Builder::stack_limit",
            "Config::stack_limit",
            "GOPARK_STACK",
        ] {
            assert!(text.contains(says), "does not say {says:?}: {text}");
        }
        crowd.end();
    });
}

#[test]
fn go_panics_with_the_error_that_the_builder_returns() {
    fn panics(f: impl FnOnce()) -> String {
        let panic: Box<dyn Any + Send> = catch_unwind(AssertUnwindSafe(f)).unwrap_err();
        *panic.downcast().expect("a text")
    }
    in_tight_space(here!(), &[("GOPARK_STACK", "8M")], || {
        let (tx, rx) = chan::rendezvous();
        let inside = go(move || {
            rx.recv().unwrap();
            panics(|| drop(go(|| ())))
        });
        let (crowd, error) = Crowd::of(8 * MIB);
        let dropped = Tally::new();
        let mark = dropped.mark();
        assert_eq!(panics(|| drop(go(move || mark.check()))), error.to_string());
        assert_eq!(panics(|| gopark::run(|| ())), error.to_string());
        tx.send(()).unwrap();
        assert_eq!(inside.join().unwrap(), error.to_string());
        assert_eq!(dropped.count(), 1, "the function of a task that never was");
        crowd.end();
    });
}

#[test]
fn nothing_was_started_and_the_tasks_that_exist_go_on() {
    in_tight_space(here!(), &[], || {
        let (tx, rx) = chan::rendezvous();
        let (answer, answers) = chan::rendezvous();
        let echo = go(move || rx.iter().for_each(|n: u32| answer.send(n + 1).unwrap()));
        let (crowd, _) = Crowd::of(8 * MIB);
        let count = crowd.tasks.len() + 1;
        for n in 0..100 {
            let refused = || Builder::new().stack_limit(8 * MIB);
            assert!(refused().go(|| println!("it ran")).is_err());
            assert!(refused().own_thread().go(|| println!("it ran")).is_err());
            tx.send(n).unwrap();
            assert_eq!(answers.recv(), Ok(n + 1));
        }
        assert_eq!(num_tasks(), count);
        assert_eq!((usage().counted, usage().tasks), (count, count));
        assert_eq!(crowd.came.count(), crowd.tasks.len());
        for (_, task) in &crowd.tasks {
            parked(task.id(), WaitReason::ChanReceive);
        }
        crowd.end();
        drop(tx);
        echo.join().unwrap();
    });
}

/// The refusal is that of a stack; what others need is not used up with it.
#[test]
fn the_program_still_finds_memory() {
    in_tight_space(here!(), &[], || {
        let (crowd, _) = Crowd::of(64 * KIB);
        // What the allocator has at hand is soon used up.
        let more: Vec<_> = (0..64).map(|n| vec![n; 16 * KIB]).collect();
        assert!((0..64).all(|n| more[n][1000] == n));
        crowd.end();
    });
}

/// On whichever processor they ended, and whoever starts the next. A processor
/// that is not idle yet keeps what it has, so it may take a moment.
fn serve_new_ones(class: usize) {
    let (mut crowd, _) = Crowd::of(class);
    let count = crowd.tasks.len();
    for n in 0..20 {
        crowd.lose(n * 37 % count);
        until("its stack serves another", || crowd.grows());
    }
    while crowd.tasks.len() > count / 2 {
        crowd.lose(0);
    }
    until("all of their stacks serve others", || {
        while crowd.grows() {}
        crowd.tasks.len() >= count
    });
    crowd.end();
}

#[test]
fn small_stacks_of_ended_tasks_serve_new_ones() {
    in_tight_space(here!(), &[("GOPARK_MAXPROCS", "2")], || serve_new_ones(64 * KIB));
}

#[test]
fn large_stacks_of_ended_tasks_serve_new_ones() {
    in_tight_space(here!(), &[("GOPARK_MAXPROCS", "2")], || serve_new_ones(64 * MIB));
}

/// As many as are counted find a stack when they start, later, all at once.
#[test]
fn whoever_was_counted_gets_a_stack() {
    in_tight_space(here!(), ONE_COOPERATIVE, || {
        let (started, together) = (Tally::new(), Tally::new());
        let (open, gate) = chan::rendezvous::<()>();
        let (begun, gathered) = (started.clone(), together.clone());
        let crowd = move || {
            let (tasks, _) = until_refused(|| {
                let (begun, gathered, gate) = (begun.clone(), gathered.clone(), gate.clone());
                Builder::new().stack_limit(64 * KIB).go(move || {
                    begun.add();
                    down(40 * KIB, || {
                        gathered.add();
                        gate.recv().unwrap_err();
                    });
                })
            });
            assert_eq!(begun.count(), 0);
            let usage = usage();
            assert_eq!((usage.counted, usage.tasks), (tasks.len() + 1, 1));
            tasks
        };
        // Nothing else runs as long as this keeps the processor, and here it does
        // not give way after its slice.
        let first = go(|| gopark::no_park(crowd));
        let tasks = first.join().unwrap();
        assert!(tasks.len() > 100, "only {}", tasks.len());
        until("all are at their deepest", || together.count() == tasks.len());
        assert_eq!((usage().counted, usage().tasks), (tasks.len(), tasks.len()));
        drop(open);
        tasks.into_iter().for_each(|task| task.join().unwrap());
        until("nothing is counted any more", || usage().counted == 0);
    });
}

/// From threads and tasks, for and against each other.
#[test]
fn several_at_the_limit_lose_no_stack() {
    in_tight_space(here!(), &[("GOPARK_MAXPROCS", "2")], || {
        // Threads need address space, too.
        let start = Barrier::new(5);
        let (mut crowd, count) = thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    start.wait();
                    for _ in 0..200 {
                        let tasks: Vec<_> = (0..8)
                            .filter_map(|_| Builder::new().stack_limit(MIB).go(|| ()).ok())
                            .collect();
                        tasks.into_iter().for_each(|task| task.join().unwrap());
                    }
                });
            }
            let (mut crowd, _) = Crowd::of(MIB);
            let count = crowd.tasks.len();
            for _ in 0..20 {
                crowd.lose(0);
            }
            start.wait();
            (crowd, count)
        });
        until("all are there again", || {
            while crowd.grows() {}
            crowd.tasks.len() >= count
        });
        assert_eq!(usage().counted, crowd.tasks.len());
        crowd.end();
    });
}

/// A thread of its own takes a stack like any other task, and brings it back.
#[test]
fn a_refused_thread_gives_back_what_was_counted_for_its_task() {
    if inside(here!()) {
        let (tasks, error) = until_refused(|| {
            let (tx, rx) = chan::rendezvous::<()>();
            let wait = move || rx.recv().is_err();
            let task = Builder::new().own_thread().stack_limit(64 * KIB).go(wait)?;
            // Its thread has all that it needs before the next one comes.
            parked(task.id(), WaitReason::ChanReceive);
            Ok((tx, task))
        });
        assert_eq!(error.kind(), ErrorKind::WouldBlock, "not a refused thread");
        assert_eq!(usage().counted, tasks.len());
        for (tx, task) in tasks {
            drop(tx);
            task.join().unwrap();
        }
        until("nothing is counted any more", || usage().counted == 0);
        return;
    }
    let script = "ulimit -s 8192 && ulimit -v 700000 && exec \"$0\" \"$@\"";
    Child::started_by(script, here!()).run().passed(here!());
}
