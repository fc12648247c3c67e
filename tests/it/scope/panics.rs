//! Panics that nobody joined.

use super::go_in;
use crate::support::{Gate, until};
use gopark::{Builder, Scope};
use std::panic::panic_any;

#[test]
fn a_detached_panic_is_kept_with_all_that_is_known() {
    let scope = Scope::new("unseen");
    let id = {
        let _in = scope.enter();
        let task = Builder::new().name("careless").go(|| panic!("nobody looks")).unwrap();
        let id = task.id();
        drop(task);
        id
    };
    let line = line!() - 5;
    until("the task has ended", || scope.live() == 0);
    let panics = scope.take_panics();
    let [panic] = panics.as_slice() else { panic!("one panic, not {panics:?}") };
    assert_eq!(panic.task, id);
    assert_eq!(panic.name.as_deref(), Some("careless"));
    assert_eq!(panic.message, "nobody looks");
    assert_eq!((panic.created_at.file(), panic.created_at.line()), (file!(), line));
    assert!(panic.entry.contains("a_detached_panic_is_kept"), "{}", panic.entry);
    assert!(scope.take_panics().is_empty(), "taken once");
}

#[test]
fn a_handle_dropped_after_the_panic_leaves_it_too() {
    let scope = Scope::new("late");
    let number = 7;
    let task = go_in(&scope, move || panic!("number {number}"));
    until("the task has ended", || task.is_finished());
    assert!(scope.take_panics().is_empty(), "somebody may join yet");
    drop(task);
    let panics = scope.take_panics();
    assert_eq!(panics.len(), 1);
    assert_eq!((panics[0].message.as_str(), &panics[0].name), ("number 7", &None));
}

#[test]
fn a_joined_panic_is_seen() {
    let scope = Scope::new("seen");
    assert!(go_in(&scope, || panic!("looked at")).join().is_err());
    assert!(scope.take_panics().is_empty());
}

#[test]
fn a_panic_without_text_is_kept_too() {
    let scope = Scope::new("number");
    drop(go_in(&scope, || panic_any(7)));
    until("the task has ended", || scope.live() == 0);
    assert_eq!(scope.take_panics()[0].message, "a panic whose payload is not text");
}

#[test]
fn a_childs_panic_belongs_to_the_scope_and_to_no_other() {
    let (scope, other) = (Scope::new("parent"), Scope::new("other"));
    go_in(&scope, || drop(gopark::go(|| panic!("child")))).join().unwrap();
    until("the child has ended", || scope.live() == 0);
    assert_eq!(scope.take_panics().len(), 1);
    assert!(other.take_panics().is_empty());
}

#[test]
fn a_task_of_the_scope_that_panics_elsewhere_is_kept_here() {
    let (scope, away) = (Scope::new("home"), Scope::new("away"));
    let guest = away.clone();
    drop(go_in(&scope, move || {
        let _in = guest.enter();
        panic!("away from home");
    }));
    until("the task has ended", || scope.live() == 0);
    assert_eq!((scope.take_panics().len(), away.take_panics().len()), (1, 0));
}

#[test]
fn every_one_of_many_is_kept() {
    let scope = Scope::new("many");
    let gate = Gate::new();
    for n in 0..100 {
        let held = gate.clone();
        drop(go_in(&scope, move || {
            held.pass();
            std::panic::resume_unwind(Box::new(format!("panic {n}")));
        }));
    }
    gate.open();
    until("all have ended", || scope.live() == 0);
    let mut messages: Vec<_> = scope.take_panics().into_iter().map(|p| p.message).collect();
    messages.sort();
    messages.dedup();
    assert_eq!(messages.len(), 100);
}
