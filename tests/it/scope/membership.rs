//! Where a task is born, and where it stays.

use super::go_in;
use crate::child::{alone, here};
use crate::support::{Gate, parked, until};
use gopark::inspect::{Snapshot, WaitReason};
use gopark::{Builder, Scope, TaskId};

fn members(scope: &Scope) -> Vec<TaskId> {
    Snapshot::of(scope).tasks.iter().map(|task| task.id).collect()
}

#[test]
fn without_a_scope_all_is_in_the_root() {
    let scope = Scope::current();
    assert_eq!((scope.id().get(), scope.name().as_str()), (0, "root"));
    assert_eq!(gopark::go(|| Scope::current().id().get()).join().unwrap(), 0);
}

#[test]
fn children_and_grandchildren_inherit() {
    let scope = Scope::new("family");
    let task = go_in(&scope, || {
        let child = gopark::go(|| {
            let grandchild = Builder::new().own_thread().go(|| Scope::current().id()).unwrap();
            (Scope::current().id(), grandchild.join().unwrap())
        });
        (Scope::current().id(), child.join().unwrap())
    });
    let id = scope.id();
    assert_eq!(task.join().unwrap(), (id, (id, id)));
    assert_eq!(scope.born(), 3);
}

#[test]
fn a_scope_says_what_it_is() {
    let scope = Scope::new("described");
    assert_eq!(scope.name(), "described");
    let text = format!("{scope:?}");
    assert!(text.contains("described") && text.contains(&scope.id().get().to_string()), "{text}");
    assert_ne!(scope.id(), Scope::new("other").id());
    assert_eq!(scope.clone().id(), scope.id());
}

#[test]
fn entered_scopes_nest_and_are_restored() {
    fn here() -> u64 {
        Scope::current().id().get()
    }
    fn walk() {
        let before = here();
        let (a, b) = (Scope::new("a"), Scope::new("b"));
        let in_a = a.enter();
        assert_eq!(here(), a.id().get());
        {
            let _in_b = b.enter();
            assert_eq!(here(), b.id().get());
            let _again = b.enter();
            let _back = a.enter();
            assert_eq!(here(), a.id().get());
            gopark::yield_now();
        }
        assert_eq!(here(), a.id().get());
        let unwound = std::panic::catch_unwind(|| {
            let _in = b.enter();
            panic!("out of the scope");
        });
        assert!(unwound.is_err());
        assert_eq!(here(), a.id().get(), "restored by the unwind");
        drop(in_a);
        assert_eq!(here(), before);
    }
    walk();
    gopark::go(walk).join().unwrap();
    std::thread::spawn(walk).join().unwrap();
}

#[test]
fn siblings_do_not_see_what_others_enter() {
    let tasks: Vec<_> = (0..16)
        .map(|n| {
            gopark::go(move || {
                let scope = Scope::new(format!("sibling {n}"));
                let _in = scope.enter();
                for _ in 0..100 {
                    gopark::yield_now();
                    assert_eq!(Scope::current().id(), scope.id());
                }
                gopark::go(|| Scope::current().id()).join().unwrap() == scope.id()
            })
        })
        .collect();
    assert!(tasks.into_iter().all(|task| task.join().unwrap()));
}

#[test]
fn what_is_made_after_the_guard_is_not_in_the_scope() {
    let scope = Scope::new("left");
    let inside = go_in(&scope, || ()).id();
    let outside = gopark::go(|| Scope::current().id().get());
    assert!(outside.id() > inside);
    assert_eq!(outside.join().unwrap(), 0);
    assert_eq!(scope.born(), 1);
}

#[test]
fn a_snapshot_of_a_scope_has_its_tasks_and_no_others() {
    let (scope, other) = (Scope::new("seen"), Scope::new("unseen"));
    let gate = Gate::new();
    let start = |scope: &Scope| {
        let held = gate.clone();
        go_in(scope, move || held.pass())
    };
    let mine: Vec<_> = (0..10).map(|_| start(&scope)).collect();
    let others: Vec<_> = (0..10).map(|_| start(&other)).collect();
    let ids: Vec<_> = mine.iter().map(|task| task.id()).collect();
    // A thread inside is no member.
    let _in = scope.enter();
    assert_eq!(members(&scope), ids);
    for task in Snapshot::of(&scope).tasks {
        assert_eq!((task.scope, task.scope_open), (scope.id(), true));
    }
    gate.open();
    mine.into_iter().chain(others).for_each(|task| task.join().unwrap());
    assert_eq!(members(&scope), []);
}

/// A pool's task that works for a while for another scope is still the pool's.
#[test]
fn a_task_that_enters_another_scope_stays_a_member_of_its_own() {
    alone(here!(), &[], || {
        let (home, away) = (Scope::new("home"), Scope::new("away"));
        let (gate, guest) = (Gate::new(), away.clone());
        let held = gate.clone();
        let task = go_in(&home, move || {
            let _in = guest.enter();
            held.pass();
        });
        let seen = parked(task.id(), WaitReason::ChanReceive);
        assert_eq!((home.live(), away.live()), (1, 0));
        assert_eq!(seen.scope, home.id(), "it was born at home");
        assert_eq!(members(&home), [task.id()]);
        assert_eq!(members(&away), []);
        assert_eq!(away.reap().ended, 0, "the other scope's owner must not end it");
        gate.open();
        task.join().unwrap();
        assert_eq!((home.live(), away.live()), (0, 0));
    });
}

#[test]
fn a_task_that_never_leaves_a_scope_is_counted_where_it_was_born() {
    let (home, away) = (Scope::new("home"), Scope::new("away"));
    let guest = away.clone();
    go_in(&home, move || std::mem::forget(guest.enter())).join().unwrap();
    until("the task is counted", || home.live() == 0);
    let late = go_in(&away, || ());
    let id = late.id();
    late.join().unwrap();
    assert_eq!((home.live(), away.live()), (0, 0), "after {id}");
    let gate = Gate::new();
    let held = gate.clone();
    let leak = go_in(&away, move || held.pass());
    assert_eq!(away.live(), 1, "a leak is not hidden by the guest's death");
    gate.open();
    leak.join().unwrap();
}

#[test]
fn a_job_can_carry_the_scope_of_its_submitter() {
    let scope = Scope::new("submitter");
    let job = {
        let _in = scope.enter();
        let from = Scope::current();
        move || {
            let _in = from.enter();
            gopark::go(|| Scope::current().id())
        }
    };
    let child = std::thread::spawn(job).join().unwrap();
    assert_eq!(child.join().unwrap(), scope.id());
}

#[test]
fn a_scope_is_open_until_its_last_handle_is_dropped() {
    let scope = Scope::new("open");
    let gate = Gate::new();
    let held = gate.clone();
    let task = go_in(&scope, move || held.pass());
    let open = || {
        let seen = parked(task.id(), WaitReason::ChanReceive);
        (seen.scope_open, seen.scope)
    };
    let id = scope.id();
    let second = scope.clone();
    assert_eq!(open(), (true, id));
    drop(scope);
    assert_eq!(open(), (true, id));
    drop(second);
    assert_eq!(open(), (false, id));
    gate.open();
    task.join().unwrap();
}

#[test]
fn a_task_that_moves_is_alive_in_one_scope_at_a_time() {
    let (home, away) = (Scope::new("home"), Scope::new("away"));
    let (gates, guest) = ([Gate::new(), Gate::new()], away.clone());
    let held = gates.clone();
    let task = go_in(&home, move || {
        let moved = guest.move_in();
        assert_eq!(Scope::current().id(), guest.id());
        held[0].pass();
        drop(moved);
        assert_ne!(Scope::current().id(), guest.id());
        held[1].pass();
    });
    let counts = || (home.live(), away.live(), home.born(), away.born());
    parked(task.id(), WaitReason::ChanReceive);
    assert_eq!(counts(), (0, 1, 1, 1));
    assert_eq!((members(&home), members(&away)), (vec![], vec![task.id()]));
    gates[0].open();
    until("it is back", || members(&home) == [task.id()]);
    assert_eq!(counts(), (1, 0, 2, 1));
    gates[1].open();
    task.join().unwrap();
    assert_eq!(counts(), (0, 0, 2, 1));
}

#[test]
fn a_task_that_panics_away_from_home_dies_at_home() {
    let (home, away) = (Scope::new("home"), Scope::new("away"));
    let guest = away.clone();
    drop(go_in(&home, move || {
        let _moved = guest.move_in();
        panic!("away");
    }));
    until("it has ended", || home.live() == 0 && away.live() == 0);
    assert_eq!((home.take_panics().len(), away.take_panics().len()), (1, 0));
}

#[test]
fn a_thread_that_moves_only_enters() {
    let scope = Scope::new("threads");
    let moved = scope.move_in();
    assert_eq!((Scope::current().id(), scope.live()), (scope.id(), 0));
    drop(moved);
    assert_ne!(Scope::current().id(), scope.id());
}

/// Guards that are not dropped in the order of a stack restore what they found.
/// What that was is nobody else's scope later.
#[test]
fn guards_that_are_dropped_in_another_order_hand_over_no_scope() {
    alone(here!(), &[], || {
        let (a, b) = (Scope::new("a"), Scope::new("b"));
        let (in_a, in_b) = (a.enter(), b.enter());
        drop((in_a, in_b));
        drop((a, b));
        let others: Vec<_> = (0..20).map(|n| Scope::new(format!("other {n}"))).collect();
        let child = gopark::go(|| Scope::current().id()).join().unwrap();
        assert!(others.iter().all(|other| other.id() != child), "a child of another's scope");
        assert!(others.iter().all(|other| other.born() == 0));
    });
}
