//! The process ends when it is told to, whatever the tasks do.

use crate::child::{Child, here, inside};
use gopark::chan;
use gopark::sync::Mutex;
use std::os::unix::process::ExitStatusExt;
use std::sync::mpsc;
use std::time::{Duration, Instant};

const SIGABRT: i32 = 6;

fn for_ever() {
    let _ = chan::never::<()>().recv();
}

/// Tasks in every state, each of them under way.
fn crowd() {
    let (tx, rx) = mpsc::channel();
    let start = |f: fn()| {
        let tx = tx.clone();
        drop(gopark::go(move || {
            tx.send(()).unwrap();
            f();
        }));
    };
    start(for_ever);
    start(|| gopark::sleep(Duration::from_secs(3600)));
    start(|| drop(gopark::go(for_ever).join()));
    start(|| {
        while gopark::num_tasks() > 0 {
            gopark::yield_now();
        }
    });
    start(|| {
        struct Loud;
        impl Drop for Loud {
            fn drop(&mut self) {
                println!("a destructor ran");
            }
        }
        let _loud = Loud;
        for_ever();
    });
    // Blocks its thread.
    drop(gopark::Builder::new().own_thread().go(|| {
        loop {
            std::thread::park();
        }
    }));
    for _ in 0..5 {
        rx.recv().unwrap();
    }
    // The last one computes and never stops.
    let (tx, rx) = mpsc::channel();
    drop(gopark::Builder::new().own_thread().go(move || {
        tx.send(()).unwrap();
        loop {
            std::hint::spin_loop();
        }
    }));
    rx.recv().unwrap();
}

/// More than any exit takes, less than any hang.
const PROMPT: Duration = Duration::from_secs(30);

#[track_caller]
fn exits(test: &str, code: i32) {
    for maxprocs in ["4", "6"] {
        let start = Instant::now();
        let ended = Child::new(test).env("GOPARK_MAXPROCS", maxprocs).run();
        assert_eq!(ended.status.code(), Some(code), "{}\n{}", ended.status, ended.stderr);
        assert!(ended.stdout.contains("under way"), "{}", ended.stdout);
        assert!(!ended.stdout.contains("a destructor ran"), "tasks are not ended, they are gone");
        assert!(start.elapsed() < PROMPT, "it took {:?}", start.elapsed());
    }
}

#[test]
fn main_returns_while_tasks_run_park_sleep_and_compute() {
    if inside(here!()) {
        crowd();
        println!("under way");
        // libtest returns from main.
        return;
    }
    exits(here!(), 0);
}

#[test]
fn main_fails_while_tasks_run_park_sleep_and_compute() {
    if inside(here!()) {
        crowd();
        println!("under way");
        panic!("libtest exits with 101");
    }
    exits(here!(), 101);
}

#[test]
fn a_thread_calls_exit() {
    if inside(here!()) {
        crowd();
        println!("under way");
        std::process::exit(7);
    }
    exits(here!(), 7);
}

#[test]
fn a_task_calls_exit() {
    if inside(here!()) {
        crowd();
        println!("under way");
        drop(gopark::Builder::new().own_thread().go(|| std::process::exit(8)));
        std::thread::park_timeout(2 * PROMPT);
        return;
    }
    exits(here!(), 8);
}

#[test]
fn a_bound_task_that_has_parked_calls_exit() {
    if inside(here!()) {
        println!("under way");
        gopark::run(|| -> () {
            gopark::sleep(Duration::from_millis(1));
            gopark::yield_now();
            std::process::exit(9)
        });
        return;
    }
    exits(here!(), 9);
}

#[test]
fn run_returns_and_main_after_it() {
    if inside(here!()) {
        gopark::run(crowd);
        println!("under way");
        return;
    }
    exits(here!(), 0);
}

/// Destructors of the main thread's thread-locals come after everything else,
/// and may use tasks.
#[test]
fn thread_locals_of_the_last_thread_may_use_tasks() {
    struct Last;
    impl Drop for Last {
        fn drop(&mut self) {
            println!("the last task said {}", gopark::go(|| "good-bye").join().unwrap());
        }
    }
    thread_local!(static LAST: Last = const { Last });
    if inside(here!()) {
        let thread = std::thread::spawn(|| LAST.with(|_| println!("under way")));
        thread.join().unwrap();
        return;
    }
    let ended = Child::new(here!()).run();
    ended.passed(here!());
    assert!(ended.stdout.contains("the last task said good-bye"), "{}", ended.stdout);
}

#[test]
fn nothing_was_ever_started() {
    if inside(here!()) {
        println!("under way");
        return;
    }
    exits(here!(), 0);
}

#[test]
fn a_panic_in_the_first_task_is_mains() {
    if inside(here!()) {
        println!("under way");
        gopark::run(|| panic!("out of main"));
    }
    exits(here!(), 101);
}

/// Inside `no_park` a destructor cannot wait either, and a second panic there
/// ends the process, as any panic in a destructor during an unwind does.
#[test]
fn a_park_in_a_destructor_inside_no_park_aborts() {
    struct Locks(&'static Mutex<()>);
    impl Drop for Locks {
        fn drop(&mut self) {
            drop(self.0.lock());
        }
    }
    static LOCK: Mutex<()> = Mutex::new(());
    if inside(here!()) {
        let _guard = LOCK.lock();
        println!("under way");
        let unwinds = || {
            let _locks = Locks(&LOCK);
            panic!("the first one");
        };
        let _ = gopark::go(move || gopark::no_park(unwinds)).join();
        println!("it came back");
        return;
    }
    let ended = Child::new(here!()).run();
    assert_eq!(ended.status.signal(), Some(SIGABRT), "{}\n{}", ended.status, ended.stderr);
    for says in ["the first one", "gopark::no_park"] {
        assert!(ended.stderr.contains(says), "{}", ended.stderr);
    }
    assert!(ended.stdout.contains("under way") && !ended.stdout.contains("it came back"));
}
