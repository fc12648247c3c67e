//! Who joins when, and what comes out.

use crate::child::{alone, here};
use crate::support::{Gate, Tally, parked, until};
use gopark::inspect::{Kind, WaitReason};
use gopark::{JoinError, JoinHandle};
use std::panic::panic_any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

#[test]
fn a_task_gives_its_value_to_a_thread() {
    assert_eq!(gopark::go(|| 6 * 7).join().unwrap(), 42);
}

#[test]
fn a_task_gives_its_value_to_a_task() {
    let outer = gopark::go(|| {
        let inner = gopark::go(|| String::from("inner"));
        inner.join().unwrap() + " and outer"
    });
    assert_eq!(outer.join().unwrap(), "inner and outer");
}

#[test]
fn a_join_parks_a_task_until_the_other_ends() {
    let gate = Gate::new();
    let held = gate.clone();
    let slow = gopark::go(move || {
        held.pass();
        7
    });
    let joiner = gopark::go(move || slow.join().unwrap());
    let seen = parked(joiner.id(), WaitReason::Join);
    assert!(seen.durably_blocked(), "only the end of the other ends a join: {seen:?}");
    gate.open();
    assert_eq!(joiner.join().unwrap(), 7);
}

#[test]
fn a_join_blocks_a_thread_until_the_task_ends() {
    let gate = Gate::new();
    let held = gate.clone();
    let slow = gopark::go(move || {
        held.pass();
        7
    });
    let line = line!() + 1;
    let joiner = std::thread::spawn(move || slow.join().unwrap());
    until("the thread is parked", || {
        gopark::inspect::Snapshot::all().tasks.iter().any(|task| {
            task.kind == Kind::Thread
                && task.wait.is_some_and(|wait| {
                    wait.reason == WaitReason::Join
                        && wait.site.file() == file!()
                        && wait.site.line() == line
                })
        })
    });
    gate.open();
    assert_eq!(joiner.join().unwrap(), 7);
}

#[test]
fn a_late_join_finds_the_task_finished() {
    let gate = Gate::new();
    let held = gate.clone();
    let task = gopark::go(move || {
        held.pass();
        "done"
    });
    parked(task.id(), WaitReason::ChanReceive);
    assert!(!task.is_finished());
    gate.open();
    until("the task has ended", || task.is_finished());
    assert_eq!(task.join().unwrap(), "done");
}

#[test]
fn what_a_task_did_is_visible_after_the_join() {
    for n in 0..1000 {
        let flag = Arc::new(AtomicBool::new(false));
        let inside = flag.clone();
        let task = gopark::go(move || inside.store(true, Ordering::Relaxed));
        if n % 2 == 0 {
            until("the task has ended", || task.is_finished());
        }
        task.join().unwrap();
        assert!(flag.load(Ordering::Relaxed));
    }
}

#[test]
fn a_handle_may_be_joined_on_another_thread() {
    let task = gopark::go(|| vec![1, 2, 3]);
    let sum: i32 = std::thread::spawn(move || task.join().unwrap().iter().sum()).join().unwrap();
    assert_eq!(sum, 6);
}

#[test]
fn a_dropped_handle_detaches() {
    let gate = Gate::new();
    let held = gate.clone();
    let (tx, rx) = mpsc::channel();
    drop(gopark::go(move || {
        held.pass();
        tx.send("went on").unwrap();
    }));
    gate.open();
    assert_eq!(rx.recv(), Ok("went on"));
}

#[test]
fn many_join_each_other_in_a_chain() {
    let mut last: JoinHandle<usize> = gopark::go(|| 0);
    for _ in 0..1000 {
        let before = last;
        last = gopark::go(move || before.join().unwrap() + 1);
    }
    assert_eq!(last.join().unwrap(), 1000);
}

#[test]
fn a_panic_with_a_literal_comes_out_at_the_join() {
    let Err(JoinError::Panicked(payload)) = gopark::go(|| panic!("literal")).join() else {
        panic!("the task panicked")
    };
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"literal"));
}

#[test]
fn a_panic_with_a_formatted_text_comes_out_at_the_join() {
    let number = 7;
    let Err(JoinError::Panicked(payload)) = gopark::go(move || panic!("no {number}")).join() else {
        panic!("the task panicked")
    };
    assert_eq!(payload.downcast_ref::<String>().map(String::as_str), Some("no 7"));
}

#[test]
fn a_panic_with_any_value_comes_out_at_the_join() {
    #[derive(Debug, PartialEq)]
    struct Code(u64);
    let Err(JoinError::Panicked(payload)) = gopark::go(|| panic_any(Code(7))).join() else {
        panic!("the task panicked")
    };
    assert_eq!(*payload.downcast::<Code>().unwrap(), Code(7));
}

#[test]
fn the_payload_of_a_panic_is_dropped_once() {
    for joined in [true, false] {
        let drops = Tally::new();
        let mark = drops.mark();
        let task = gopark::go(move || panic_any(mark));
        until("the task has ended", || task.is_finished());
        if joined {
            let error = task.join().unwrap_err();
            assert_eq!(drops.count(), 0, "the error owns the payload");
            drop(error);
        } else {
            drop(task);
        }
        assert_eq!(drops.count(), 1, "joined: {joined}");
    }
}

#[test]
fn a_panic_ends_only_its_own_task() {
    let gate = Gate::new();
    let held = gate.clone();
    let sibling = gopark::go(move || {
        held.pass();
        assert!(!std::thread::panicking());
        "alive"
    });
    assert!(gopark::go(|| panic!("alone")).join().is_err());
    gate.open();
    assert_eq!(sibling.join().unwrap(), "alive");
}

#[test]
fn a_panic_may_be_caught_inside_the_task() {
    let task = gopark::go(|| {
        let caught = std::panic::catch_unwind(|| panic!("inside")).is_err();
        gopark::yield_now();
        (caught, std::thread::panicking())
    });
    assert_eq!(task.join().unwrap(), (true, false));
}

#[test]
fn a_panicking_task_may_park_in_a_destructor() {
    struct Parks(Gate);
    impl Drop for Parks {
        fn drop(&mut self) {
            assert!(std::thread::panicking());
            self.0.pass();
        }
    }
    // Its siblings would look as if they were unwinding too.
    alone(here!(), &[], || {
        let gate = Gate::new();
        let parks = Parks(gate.clone());
        let task = gopark::go(move || {
            let _parks = parks;
            panic!("slowly");
        });
        parked(task.id(), WaitReason::ChanReceive);
        gate.open();
        assert_eq!(task.join().unwrap_err().to_string(), "the task panicked: slowly");
    });
}

#[test]
fn errors_say_what_happened() {
    let text = |error: JoinError| (error.to_string(), format!("{error:?}"));
    let panicked = gopark::go(|| panic!("why")).join().unwrap_err();
    assert_eq!(text(panicked), ("the task panicked: why".into(), "Panicked(..)".into()));
    let other = gopark::go(|| panic_any(7)).join().unwrap_err();
    assert_eq!(text(other), ("the task panicked".into(), "Panicked(..)".into()));
    let exited = gopark::go(|| -> () { gopark::goexit() }).join().unwrap_err();
    assert_eq!(text(exited), ("the task called goexit".into(), "Exited".into()));
}

#[test]
#[should_panic(expected = "resumed here")]
fn an_error_resumes_the_panic() {
    gopark::go(|| panic!("resumed here")).join().unwrap_err().resume();
}

#[test]
#[should_panic(expected = "the task called goexit")]
fn an_error_without_a_panic_resumes_as_one() {
    gopark::go(|| -> () { gopark::goexit() }).join().unwrap_err().resume();
}

#[test]
fn a_handle_says_what_it_is() {
    let gate = Gate::new();
    let held = gate.clone();
    let task = gopark::go(move || held.pass());
    let text = format!("{task:?}");
    assert!(text.contains(&format!("id: TaskId({})", task.id())), "{text}");
    assert!(text.contains("is_finished: false"), "{text}");
    gate.open();
    task.join().unwrap();
}
