//! Faults: a stack that overflows names its task, and all others stay what they
//! are without us.

use crate::child::{Child, Ended, alone, here, inside};
use gopark::{Builder, TaskId};
use std::hint::black_box;
use std::os::unix::process::ExitStatusExt;

const SIGABRT: i32 = 6;
const SIGSEGV: i32 = 11;

/// Goes down until nothing is left.
#[inline(never)]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 32]);
    if black_box(depth) == u64::MAX {
        return 0;
    }
    recurse(depth + 1) + frame[7]
}

#[track_caller]
fn says(ended: &Ended, parts: &[&str]) {
    for part in parts {
        assert!(ended.stderr.contains(part), "does not say {part:?}:\n{}", ended.stderr);
    }
}

/// What the message says of a task that was made at this line of this file.
#[track_caller]
fn names(ended: &Ended, entry: &str, line: u32) {
    assert_eq!(ended.status.signal(), Some(SIGABRT), "{}\n{}", ended.status, ended.stderr);
    // Printed by the child before it went down.
    let id = ended.stdout.lines().find_map(|line| line.strip_prefix("task ")).expect("a number");
    says(
        ended,
        &[
            &format!("gopark: fatal error: stack overflow in task {id}, {entry}\n"),
            &format!("  created at {}:{line}\n", file!()),
            "of its stack",
        ],
    );
    assert!(!ended.stderr.contains("has overflowed its stack"), "std takes it for a thread's");
    assert!(!ended.stdout.contains("it came back"), "{}", ended.stdout);
}

fn announce(id: TaskId) {
    println!("task {id}");
}

/// Joins what does not come back.
fn await_the_end<T>(task: gopark::JoinHandle<T>) {
    announce(task.id());
    let _ = task.join();
    println!("it came back");
}

#[test]
fn an_overflow_in_a_task_names_it() {
    if inside(here!()) {
        let (tx, rx) = gopark::chan::rendezvous();
        let task = gopark::go(move || {
            rx.recv().unwrap();
            recurse(1)
        });
        announce(task.id());
        tx.send(()).unwrap();
        let _ = task.join();
        println!("it came back");
        return;
    }
    let line = line!() - 10;
    let entry = "crash::fault::an_overflow_in_a_task_names_it::{{closure}}";
    names(&Child::new(here!()).run(), entry, line);
}

/// After other tasks have used the same stack, on a later start.
#[test]
fn an_overflow_of_a_used_stack_names_the_task_that_has_it_now() {
    fn deep() -> u64 {
        recurse(1)
    }
    if inside(here!()) {
        for n in 0..1000 {
            assert_eq!(gopark::go(move || n).join().unwrap(), n);
        }
        await_the_end(gopark::go(deep));
        return;
    }
    let line = line!() - 3;
    let entry = "crash::fault::an_overflow_of_a_used_stack_names_the_task_that_has_it_now::deep";
    names(&Child::new(here!()).run(), entry, line);
}

#[test]
fn an_overflow_on_an_own_thread_names_its_task() {
    if inside(here!()) {
        await_the_end(Builder::new().own_thread().go(|| recurse(1)).unwrap());
        return;
    }
    let line = line!() - 3;
    let entry = "crash::fault::an_overflow_on_an_own_thread_names_its_task::{{closure}}";
    names(&Child::new(here!()).run(), entry, line);
}

#[test]
fn an_overflow_behind_a_park_is_one_too() {
    if inside(here!()) {
        let task = gopark::go(|| {
            gopark::sleep(std::time::Duration::from_micros(1));
            gopark::yield_now();
            recurse(1)
        });
        await_the_end(task);
        return;
    }
    let line = line!() - 8;
    let entry = "crash::fault::an_overflow_behind_a_park_is_one_too::{{closure}}";
    names(&Child::new(here!()).run(), entry, line);
}

/// Deep, but not too deep: 200 KiB are there in every build.
#[test]
fn a_deep_recursion_that_fits_comes_back() {
    #[inline(never)]
    fn down(left: usize) -> usize {
        let frame = black_box([left; 128]);
        if left == 0 { frame[0] } else { down(left - 1) + (frame[1] - frame[0]) + 1 }
    }
    alone(here!(), &[], || assert_eq!(gopark::go(|| down(150)).join().unwrap(), 150));
}

#[test]
fn an_overflow_of_an_ordinary_thread_is_reported_by_std() {
    if inside(here!()) {
        // The runtime's handler is installed, and was asked for a task before.
        gopark::go(|| ()).join().unwrap();
        let deep = std::thread::Builder::new().name("deep".into()).spawn(|| recurse(1));
        let _ = deep.unwrap().join();
        println!("it came back");
        return;
    }
    let ended = Child::new(here!()).run();
    assert_eq!(ended.status.signal(), Some(SIGABRT), "{}\n{}", ended.status, ended.stderr);
    says(&ended, &["thread 'deep'", "has overflowed its stack"]);
    assert!(!ended.stderr.contains("gopark: fatal error"), "{}", ended.stderr);
}

#[expect(unsafe_code, reason = "the fault that the test is about")]
fn read_nowhere() -> u8 {
    // SAFETY: none. Nothing is mapped there, and the process ends.
    unsafe { black_box(std::ptr::without_provenance::<u8>(8)).read_volatile() }
}

#[test]
fn a_bad_pointer_in_a_task_is_an_ordinary_fault() {
    if inside(here!()) {
        await_the_end(gopark::go(read_nowhere));
        return;
    }
    let ended = Child::new(here!()).run();
    assert_eq!(ended.status.signal(), Some(SIGSEGV), "{}\n{}", ended.status, ended.stderr);
    assert!(!ended.stderr.contains("stack overflow"), "{}", ended.stderr);
    assert!(!ended.stdout.contains("it came back"));
}

#[test]
fn a_bad_pointer_in_a_thread_is_an_ordinary_fault() {
    if inside(here!()) {
        gopark::go(|| ()).join().unwrap();
        let _ = std::thread::spawn(read_nowhere).join();
        println!("it came back");
        return;
    }
    let ended = Child::new(here!()).run();
    assert_eq!(ended.status.signal(), Some(SIGSEGV), "{}\n{}", ended.status, ended.stderr);
    assert!(!ended.stdout.contains("it came back"));
}

/// Several at once: the first one's message is whole.
#[test]
fn overflows_of_several_tasks_at_once_end_the_process() {
    if inside(here!()) {
        let tasks: Vec<_> = (0..8).map(|_| gopark::go(|| recurse(1))).collect();
        tasks.into_iter().for_each(|task| drop(task.join()));
        println!("it came back");
        return;
    }
    for _ in 0..5 {
        let ended = Child::new(here!()).env("GOPARK_MAXPROCS", "4").run();
        assert_eq!(ended.status.signal(), Some(SIGABRT), "{}\n{}", ended.status, ended.stderr);
        says(&ended, &["gopark: fatal error: stack overflow in task "]);
    }
}

/// In a task's destructor, while it unwinds.
#[test]
fn an_overflow_while_unwinding_names_the_task() {
    struct Deep;
    impl Drop for Deep {
        fn drop(&mut self) {
            black_box(recurse(1));
        }
    }
    if inside(here!()) {
        let task = gopark::go(|| {
            let _deep = Deep;
            std::panic::resume_unwind(Box::new("down"));
        });
        await_the_end(task);
        return;
    }
    let line = line!() - 7;
    let entry = "crash::fault::an_overflow_while_unwinding_names_the_task::{{closure}}";
    names(&Child::new(here!()).run(), entry, line);
}
