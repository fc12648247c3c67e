//! What a task runs, and in which function that is written: the program's, whichever of our
//! functions has started it.

use crate::child::{alone, here};
use crate::support::{Gate, until_some};
use gopark::context::Context;
use gopark::inspect::{Snapshot, TaskInfo};
use gopark::sync::{Group, WaitGroup};
use gopark::{Scope, scope, spawn_future};

/// The one task of the scope, when it is parked.
fn only(scope: &Scope) -> TaskInfo {
    until_some("it is parked", || {
        let mut tasks = Snapshot::of(scope).tasks;
        tasks.retain(|task| task.wait.is_some());
        tasks.pop()
    })
}

#[test]
fn whoever_starts_it_a_task_runs_what_the_program_has_written() {
    alone(here!(), &[], || {
        let ours = |start: &dyn Fn(Gate)| {
            let (within, gate) = (Scope::new("one"), Gate::new());
            {
                let _in = within.enter();
                start(gate.clone());
            }
            let task = only(&within);
            gate.open();
            assert_eq!(task.created_at.file(), file!());
            let me =
                "it::inspect::origin::whoever_starts_it_a_task_runs_what_the_program_has_written";
            for name in [task.entry, task.creator] {
                assert!(name.starts_with(me), "{name}");
            }
            assert_eq!(task.entry.matches("closure").count(), 3, "{}", task.entry);
        };
        ours(&|gate| drop(gopark::go(move || gate.pass())));
        ours(&|gate| drop(WaitGroup::new().go(move || gate.pass())));
        ours(&|gate| {
            Group::<(), ()>::new().go(move || {
                gate.pass();
                Ok(())
            });
        });
        ours(&|gate| {
            let pass = move || {
                gate.pass();
                Ok(())
            };
            assert!(Group::<(), ()>::new().try_go(pass));
        });
        ours(&|gate| drop(spawn_future(async move { gate.pass() })));
        ours(&|gate| drop(Context::background().with_cancel().0.after_func(move || gate.pass())));
        ours(&|gate| {
            drop(gopark::time::after_func(std::time::Duration::ZERO, move || gate.pass()));
        });
    });
}

#[test]
fn so_does_one_that_borrows() {
    alone(here!(), &[], || {
        let (within, gate) = (Scope::new("one"), Gate::new());
        let _in = within.enter();
        let task = scope(|s| {
            let gate = &gate;
            s.go(move || gate.pass());
            let task = only(&within);
            gate.open();
            task
        });
        let me = "it::inspect::origin::so_does_one_that_borrows::";
        assert!(task.entry.starts_with(me) && task.creator.starts_with(me), "{task:?}");
    });
}
