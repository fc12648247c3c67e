//! OS threads that use primitives.

use crate::child::{alone, here};
use crate::support::{Gate, until};
use gopark::inspect::{Kind, Snapshot, Status, TaskInfo, WaitReason};
use gopark::{Scope, TaskId, chan};
use std::cell::RefCell;
use std::collections::HashSet;

fn threads() -> Vec<TaskInfo> {
    Snapshot::all().tasks.into_iter().filter(|task| task.kind == Kind::Thread).collect()
}

#[test]
fn a_thread_is_adopted_at_its_first_use_and_forgotten_at_its_end() {
    alone(here!(), &[], || {
        gopark::maxprocs();
        assert_eq!(threads().len(), 0);
        let gate = Gate::new();
        let held = gate.clone();
        let line = line!() + 1;
        let thread = std::thread::spawn(move || held.pass());
        until("it is parked", || threads().iter().any(|seen| seen.wait.is_some()));
        let seen = threads().into_iter().find(|seen| seen.wait.is_some()).unwrap();
        assert_eq!((seen.status, seen.entry, seen.parent), (Status::Waiting, "thread", None));
        let wait = seen.wait.unwrap();
        assert_eq!(wait.reason, WaitReason::ChanReceive);
        assert_eq!((wait.site.file(), wait.site.line()), (file!(), line));
        assert!(seen.durably_blocked());
        // The opener is adopted, too.
        gate.open();
        thread.join().unwrap();
        until("it is forgotten", || threads().iter().all(|now| now.id != seen.id));
        assert_eq!(threads().len(), 1);
    });
}

#[test]
fn numbers_of_threads_are_numbers_of_tasks() {
    let mut seen = HashSet::new();
    for _ in 0..50 {
        let thread = std::thread::spawn(|| {
            let task = gopark::go(|| ());
            let parent = Snapshot::all().tasks.into_iter().find(|seen| seen.id == task.id());
            (task.id(), parent.and_then(|seen| seen.parent))
        });
        let (task, parent) = thread.join().unwrap();
        assert!(seen.insert(task));
        assert!(parent.is_none_or(|parent| seen.insert(parent)));
    }
}

#[test]
fn many_threads_come_and_go() {
    for _ in 0..20 {
        let (tx, rx) = chan::bounded(3);
        let threads: Vec<_> = (0..20)
            .map(|n| {
                let tx = tx.clone();
                std::thread::spawn(move || tx.send(n).unwrap())
            })
            .collect();
        drop(tx);
        let mut got: Vec<i32> = rx.iter().collect();
        got.sort_unstable();
        assert!(got.into_iter().eq(0..20));
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

/// Uses a channel when its thread has no thread-locals left that could be asked
/// for: whatever the order of their destructors.
struct Last(chan::Sender<Option<TaskId>>);

impl Drop for Last {
    fn drop(&mut self) {
        let child = gopark::go(|| ());
        let me = Snapshot::all().tasks.into_iter().find(|seen| seen.id == child.id());
        self.0.send(me.and_then(|seen| seen.parent)).unwrap();
        child.join().unwrap();
    }
}

thread_local! {
    static BEFORE: RefCell<Option<Last>> = const { RefCell::new(None) };
    static AFTER: RefCell<Option<Last>> = const { RefCell::new(None) };
}

#[test]
fn destructors_of_thread_locals_may_use_channels_and_tasks() {
    alone(here!(), &[], || {
        for _ in 0..100 {
            let (tx, rx) = chan::rendezvous();
            let thread = std::thread::spawn(move || {
                BEFORE.set(Some(Last(tx.clone())));
                // The runtime's own thread-local comes between the two.
                drop(Scope::current());
                AFTER.set(Some(Last(tx)));
            });
            assert!(rx.recv().is_ok());
            assert!(rx.recv().is_ok());
            assert!(rx.recv().is_err(), "both have ended");
            thread.join().unwrap();
        }
        // Records without an owner were used again: all are gone but a few.
        until("the records are free", || {
            std::thread::spawn(|| drop(Scope::current())).join().unwrap();
            threads().len() <= 3
        });
    });
}

#[test]
fn a_thread_belongs_to_the_scope_it_is_in() {
    let scope = Scope::new("threads");
    let inside = scope.clone();
    let (gate, held) = (Gate::new(), Gate::new());
    let (pass, wait) = (gate.clone(), held.clone());
    let thread = std::thread::spawn(move || {
        let entered = inside.enter();
        pass.pass();
        drop(entered);
        wait.pass();
    });
    let mine = || threads().into_iter().filter(|seen| seen.scope == scope.id()).count();
    until("it is inside", || {
        threads().iter().any(|seen| seen.scope == scope.id() && seen.wait.is_some())
    });
    assert_eq!((mine(), scope.live()), (1, 0), "a thread is not counted as a task");
    assert!(Snapshot::of(&scope).tasks.is_empty());
    gate.open();
    until("it has left", || mine() == 0);
    held.open();
    thread.join().unwrap();
}

#[test]
fn reaping_leaves_threads_alone() {
    let scope = Scope::new("threads");
    let (inside, gate) = (scope.clone(), Gate::new());
    let held = gate.clone();
    let thread = std::thread::spawn(move || {
        let _in = inside.enter();
        held.pass();
    });
    until("it is inside", || {
        threads().iter().any(|seen| seen.scope == scope.id() && seen.wait.is_some())
    });
    assert_eq!(scope.reap(), gopark::Reaped::default());
    gate.open();
    thread.join().unwrap();
}
