//! `goexit`: a task ends where it stands.

use crate::support::{Gate, Tally, parked};
use gopark::JoinError;
use gopark::inspect::WaitReason;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

struct Says(&'static str, Arc<Mutex<Vec<&'static str>>>);

impl Drop for Says {
    fn drop(&mut self) {
        self.1.lock().unwrap().push(self.0);
    }
}

#[test]
fn goexit_runs_destructors_from_the_inside_out() {
    fn deeper(log: &Arc<Mutex<Vec<&'static str>>>) {
        let _inner = Says("inner", log.clone());
        gopark::goexit();
    }
    let log = Arc::new(Mutex::new(Vec::new()));
    let written = log.clone();
    let captured = Says("captured", log.clone());
    let task = gopark::go(move || {
        let _captured = &captured;
        let _outer = Says("outer", written.clone());
        deeper(&written);
        written.lock().unwrap().push("never");
    });
    assert!(matches!(task.join(), Err(JoinError::Exited)));
    assert_eq!(*log.lock().unwrap(), ["inner", "outer", "captured"]);
}

#[test]
fn goexit_of_one_task_leaves_its_children_alone() {
    let gate = Gate::new();
    let held = gate.clone();
    let (tx, rx) = std::sync::mpsc::channel();
    let parent = gopark::go(move || -> () {
        tx.send(gopark::go(move || {
            held.pass();
            "child"
        }))
        .unwrap();
        gopark::goexit()
    });
    assert!(matches!(parent.join(), Err(JoinError::Exited)));
    let child = rx.recv().unwrap();
    parked(child.id(), WaitReason::ChanReceive);
    gate.open();
    assert_eq!(child.join().unwrap(), "child");
}

#[test]
fn goexit_of_a_detached_task_is_no_panic() {
    let scope = gopark::Scope::new("exits");
    let drops = Tally::new();
    {
        let _in = scope.enter();
        let mark = drops.mark();
        drop(gopark::go(move || -> () {
            let _mark = mark;
            gopark::goexit()
        }));
    }
    crate::support::until("the task has ended", || scope.live() == 0);
    assert_eq!(drops.count(), 1);
    assert!(scope.take_panics().is_empty());
}

#[test]
fn goexit_with_a_result_that_is_boxed_frees_the_box() {
    let drops = Tally::new();
    let mark = drops.mark();
    let task = gopark::go(move || -> [u64; 100] {
        let _mark = mark;
        gopark::goexit()
    });
    assert!(matches!(task.join(), Err(JoinError::Exited)));
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_catch_stops_goexit_like_any_unwind() {
    let task = gopark::go(|| {
        let caught = catch_unwind(|| gopark::goexit()).is_err();
        (caught, std::thread::panicking())
    });
    assert_eq!(task.join().unwrap(), (true, false));
}

#[test]
#[should_panic(expected = "gopark::goexit called outside of a task")]
fn goexit_outside_of_a_task_panics() {
    gopark::goexit();
}

#[test]
fn a_task_that_ends_while_it_panics_keeps_the_panic() {
    struct Ends;
    impl Drop for Ends {
        fn drop(&mut self) {
            let _ = catch_unwind(AssertUnwindSafe(|| gopark::goexit()));
        }
    }
    let task = gopark::go(|| {
        let _ends = Ends;
        panic!("first");
    });
    assert_eq!(task.join().unwrap_err().to_string(), "the task panicked: first");
}
