//! Numbers, names, labels, counts.

use crate::child::{alone, here};
use crate::support::{Gate, info, parked, until};
use gopark::inspect::{Kind, Snapshot, WaitReason};
use gopark::{Builder, TaskId};
use std::collections::HashSet;

#[test]
fn numbers_start_at_one() {
    alone(here!(), &[], || {
        let first = gopark::run(|| {
            let all = Snapshot::all().tasks;
            let me = all.iter().find(|task| task.kind == Kind::Task).expect("the running task");
            (me.id, me.entry)
        });
        assert_eq!(first.0.get(), 1);
        assert!(first.1.contains("numbers_start_at_one"), "{first:?}");
        assert!(gopark::go(|| ()).id().get() > 1);
    });
}

#[test]
fn numbers_that_one_thread_gives_grow() {
    let mut last = gopark::go(|| ()).id();
    for _ in 0..1000 {
        let next = gopark::go(|| ()).id();
        assert!(next > last, "{next} came after {last}");
        last = next;
    }
}

#[test]
fn numbers_are_never_used_twice() {
    let spawners: Vec<_> = (0..4)
        .map(|n| {
            let spawn = || (0..2500).map(|_| gopark::go(|| ()).id()).collect::<Vec<TaskId>>();
            let task = (n % 2 == 0).then(|| gopark::go(spawn));
            let thread = (n % 2 != 0).then(|| std::thread::spawn(spawn));
            (task, thread)
        })
        .collect();
    let mut seen = HashSet::new();
    for (task, thread) in spawners {
        let ids = task.map(|task| task.join().unwrap());
        let ids = ids.or_else(|| thread.map(|thread| thread.join().unwrap())).unwrap();
        for id in ids {
            assert!(seen.insert(id), "{id} was given twice");
        }
    }
    assert_eq!(seen.len(), 10_000);
}

#[test]
fn a_number_prints_as_a_number() {
    let id = gopark::go(|| ()).id();
    assert_eq!(id.to_string(), id.get().to_string());
    assert_eq!(format!("{id:>12}").len(), 12);
    assert_eq!(format!("{id:?}"), format!("TaskId({id})"));
}

#[test]
fn names_labels_and_daemons_are_seen() {
    let gate = Gate::new();
    let held = gate.clone();
    let builder = Builder::new().name("reader").label("connection", "7").label("user", "ann");
    let task = builder.daemon().go(move || held.pass()).unwrap();
    let seen = parked(task.id(), WaitReason::ChanReceive);
    assert_eq!(seen.name.as_deref(), Some("reader"));
    let labels: Vec<_> = seen.labels.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(labels, [("connection", "7"), ("user", "ann")]);
    assert!(seen.daemon);
    gate.open();
    task.join().unwrap();
    // The record's next task has none of it.
    let plain = Gate::new();
    let held = plain.clone();
    let next = gopark::go(move || held.pass());
    let seen = parked(next.id(), WaitReason::ChanReceive);
    assert_eq!((seen.name, seen.labels, seen.daemon), (None, Vec::new(), false));
    plain.open();
    next.join().unwrap();
}

#[test]
fn a_builder_makes_equal_tasks() {
    let builder = Builder::new().name("twin");
    let gate = Gate::new();
    let twins: Vec<_> = (0..2)
        .map(|_| {
            let held = gate.clone();
            builder.clone().go(move || held.pass()).unwrap()
        })
        .collect();
    for twin in &twins {
        assert_eq!(parked(twin.id(), WaitReason::ChanReceive).name.as_deref(), Some("twin"));
    }
    gate.open();
    twins.into_iter().for_each(|twin| twin.join().unwrap());
}

#[test]
fn names_are_there_before_the_first_instruction() {
    for _ in 0..200 {
        let task = Builder::new().name("early").go(|| ()).unwrap();
        if let Some(seen) = info(task.id()) {
            // Gone again when the task is at its end.
            assert!(seen.name.is_none() || seen.name.as_deref() == Some("early"), "{seen:?}");
        }
        task.join().unwrap();
    }
}

#[test]
fn live_tasks_are_counted_and_threads_are_not() {
    alone(here!(), &[], || {
        assert_eq!(gopark::num_tasks(), 0);
        let gate = Gate::new();
        let tasks: Vec<_> = (0..100)
            .map(|_| {
                let held = gate.clone();
                gopark::go(move || held.pass())
            })
            .collect();
        assert_eq!(gopark::num_tasks(), 100, "also those that have not started");
        for task in &tasks {
            parked(task.id(), WaitReason::ChanReceive);
        }
        assert_eq!(gopark::num_tasks(), 100);
        let inside = gopark::go(gopark::num_tasks);
        assert_eq!(inside.join().unwrap(), 101);
        assert_eq!(gopark::num_tasks(), 100, "a joined task is not alive");
        gate.open();
        until("all have ended", || gopark::num_tasks() == 0);
        tasks.into_iter().for_each(|task| task.join().unwrap());
    });
}
