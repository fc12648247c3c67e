//! Memory of scopes is used again; nothing of the former one may show.

use super::go_in;
use crate::child::{alone, here};
use crate::support::{Gate, parked, until};
use gopark::Scope;
use gopark::inspect::WaitReason;
use std::collections::HashSet;

#[test]
fn a_new_scope_starts_from_nothing() {
    alone(here!(), &[], || {
        let mut seen = HashSet::new();
        for n in 0..50 {
            let scope = Scope::new(format!("round {n}"));
            assert!(seen.insert(scope.id()), "{:?} was given twice", scope.id());
            assert_eq!(scope.name(), format!("round {n}"));
            assert_eq!((scope.live(), scope.born()), (0, 0), "in round {n}");
            assert!(scope.take_panics().is_empty());
            drop(go_in(&scope, || std::panic::resume_unwind(Box::new("unseen"))));
            until("the task has ended", || scope.live() == 0);
        }
    });
}

#[test]
fn a_scope_with_a_leaked_task_is_not_used_again() {
    alone(here!(), &[], || {
        let gate = Gate::new();
        let leaked = Scope::new("leaks");
        let held = gate.clone();
        let leak = go_in(&leaked, move || held.pass());
        let id = leaked.id();
        drop(leaked);
        for n in 0..50 {
            let scope = Scope::new(format!("later {n}"));
            assert_eq!((scope.live(), scope.born()), (0, 0));
            assert_ne!(scope.id(), id);
        }
        assert_eq!(parked(leak.id(), WaitReason::ChanReceive).scope, id);
        gate.open();
        leak.join().unwrap();
    });
}

/// A task that outlives the handles of its scope asks for its scope.
#[test]
fn two_new_scopes_are_never_one() {
    alone(here!(), &[], || {
        let gate = Gate::new();
        let task = {
            let scope = Scope::new("closed early");
            let held = gate.clone();
            go_in(&scope, move || {
                held.pass();
                drop(Scope::current());
            })
        };
        gate.open();
        task.join().unwrap();
        let (a, b) = (Scope::new("a"), Scope::new("b"));
        assert_ne!(a.id(), b.id());
        assert_eq!((a.name().as_str(), b.name().as_str()), ("a", "b"));
    });
}

/// A scope that a task reopened is nobody else's while that handle lives.
#[test]
fn a_handle_keeps_its_scope() {
    alone(here!(), &[], || {
        let gate = Gate::new();
        let task = {
            let scope = Scope::new("reopened");
            let held = gate.clone();
            go_in(&scope, move || {
                held.pass();
                Scope::current()
            })
        };
        gate.open();
        let reopened = task.join().unwrap();
        let id = reopened.id();
        let others: Vec<_> = (0..20).map(|n| Scope::new(format!("other {n}"))).collect();
        assert_eq!((reopened.id(), reopened.name().as_str()), (id, "reopened"));
        assert!(others.iter().all(|other| other.id() != id));
    });
}

/// Nobody is moved to another scope because the handle of his was dropped.
#[test]
fn an_entered_scope_stays_the_same() {
    alone(here!(), &[], || {
        let entered = Scope::new("entered").enter();
        let mine = Scope::current().id();
        let others: Vec<_> = (0..20).map(|n| Scope::new(format!("other {n}"))).collect();
        assert_eq!(Scope::current().id(), mine);
        let child = gopark::go(|| Scope::current().id()).join().unwrap();
        assert!(others.iter().all(|other| other.id() != child), "a child of another's scope");
        drop(entered);
    });
}

/// A panic that comes out after the scope was given to somebody else is not
/// the new owner's.
#[test]
fn a_late_panic_is_not_blamed_on_the_next_owner() {
    alone(here!(), &[], || {
        let task = go_in(&Scope::new("first"), || {
            std::panic::resume_unwind(Box::new("late"));
        });
        until("the task has ended", || task.is_finished());
        let next: Vec<_> = (0..20).map(|n| Scope::new(format!("next {n}"))).collect();
        drop(task);
        assert!(next.iter().all(|scope| scope.take_panics().is_empty()));
    });
}
