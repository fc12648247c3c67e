//! `run`: the first task.

use crate::support::{Gate, parked, thread_id, until};
use gopark::Scope;
use gopark::inspect::WaitReason;
use std::panic::{catch_unwind, panic_any};
use std::sync::mpsc;

#[test]
fn it_returns_what_the_task_returns() {
    assert_eq!(gopark::run(|| String::from("value")), "value");
}

#[test]
fn it_is_a_task_on_a_worker() {
    let here = thread_id();
    assert_ne!(gopark::run(thread_id), here);
    assert!(gopark::run(|| catch_unwind(|| gopark::goexit()).is_err()), "goexit needs a task");
}

#[test]
fn it_returns_while_others_live() {
    let gate = Gate::new();
    let held = gate.clone();
    let child = gopark::run(move || {
        gopark::go(move || {
            held.pass();
            "outlived"
        })
    });
    parked(child.id(), WaitReason::ChanReceive);
    gate.open();
    assert_eq!(child.join().unwrap(), "outlived");
}

#[test]
fn it_resumes_the_panic_of_the_task() {
    let text = catch_unwind(|| gopark::run(|| panic!("through"))).unwrap_err();
    assert_eq!(text.downcast_ref::<&str>(), Some(&"through"));
    let value = catch_unwind(|| gopark::run(|| panic_any(7_u8))).unwrap_err();
    assert_eq!(value.downcast_ref::<u8>(), Some(&7));
}

#[test]
#[should_panic(expected = "the first task ended without a value: the task called goexit")]
fn without_a_value_it_panics() {
    gopark::run(|| -> u32 { gopark::goexit() });
}

#[test]
fn it_nests() {
    let sum = gopark::run(|| 1 + gopark::run(|| 2 + gopark::run(|| 3)));
    assert_eq!(sum, 6);
    let task = gopark::go(|| gopark::run(|| "inside a task"));
    assert_eq!(task.join().unwrap(), "inside a task");
}

#[test]
fn a_caller_that_is_parked_in_it_is_seen_to_join() {
    let (gate, (tx, rx)) = (Gate::new(), mpsc::channel());
    let held = gate.clone();
    let line = line!() + 2;
    let caller = std::thread::spawn(move || {
        gopark::run(move || {
            tx.send(()).unwrap();
            held.pass();
        });
    });
    rx.recv().unwrap();
    until("the caller is parked", || {
        gopark::inspect::Snapshot::all().tasks.iter().any(|task| {
            task.wait.is_some_and(|wait| {
                wait.reason == WaitReason::Join
                    && (wait.site.file(), wait.site.line()) == (file!(), line)
            })
        })
    });
    gate.open();
    caller.join().unwrap();
}

/// What a test starts through `run` is the test's.
#[test]
fn it_is_born_in_the_scope_of_its_caller() {
    let scope = Scope::new("runs");
    let inside = {
        let _in = scope.enter();
        gopark::run(|| Scope::current().id())
    };
    assert_eq!(inside, scope.id());
    assert_eq!(scope.born(), 1);
}
