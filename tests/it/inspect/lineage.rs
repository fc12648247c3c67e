//! Who made whom, also when they have ended.

use crate::child::{alone, here};
use crate::support::{Gate, info, until_some};
use gopark::inspect::{
    Ancestor, Kind, Snapshot, TaskInfo, Trace, keep_ancestors, keep_creation_stacks,
};
use gopark::time::{AfterFunc, after_func};
use gopark::{Builder, Scope, TaskId, chan, go};
use std::time::Duration;

fn ancestors(id: TaskId) -> Vec<Ancestor> {
    info(id).expect("it is alive").ancestors()
}

fn grandchild(gate: Gate) -> TaskId {
    let middle = Builder::new().name("middle");
    let middle = move || middle.go(move || go(move || gate.pass()).id()).unwrap().join().unwrap();
    let first = Builder::new().name("first").go(middle).unwrap();
    first.join().unwrap()
}

#[test]
fn ancestors_are_known_when_they_have_ended() {
    alone(here!(), &[], || {
        keep_ancestors();
        let gate = Gate::new();
        let found = ancestors(grandchild(gate.clone()));
        let names: Vec<_> = found.iter().map(|it| it.name.as_deref()).collect();
        assert_eq!(names, [Some("middle"), Some("first"), None]);
        let kinds: Vec<_> = found.iter().map(|it| it.kind).collect();
        assert_eq!(kinds, [Kind::Task, Kind::Task, Kind::Thread]);
        for it in &found[..2] {
            assert!(it.entry.starts_with("it::inspect::lineage::grandchild::{{"), "{it:?}");
            assert!(it.creator.starts_with("it::inspect::lineage::grandchild"), "{it:?}");
            assert_eq!(it.created_at.file(), file!());
        }
        assert!(found[0].created_at.line() < found[1].created_at.line());
        assert!(found[1].id < found[0].id);
        gate.open();
    });
}

#[test]
fn nobody_is_noted_unless_asked_for() {
    alone(here!(), &[], || {
        let gate = Gate::new();
        let id = grandchild(gate.clone());
        assert_eq!(ancestors(id), []);
        let parent = info(id).unwrap().parent;
        assert!(parent.is_some_and(|parent| parent != id));
        gate.open();
    });
}

/// A task starts the next one and ends, again and again.
fn relay(left: usize, gate: Gate) {
    go(move || match left {
        0 => gate.pass(),
        _ => relay(left - 1, gate),
    });
}

#[test]
fn of_a_long_line_the_nearest_are_known() {
    alone(here!(), &[], || {
        keep_ancestors();
        let gate = Gate::new();
        // Made before, and kept beside it.
        let early = grandchild(gate.clone());
        relay(20_000, gate.clone());
        let id = until_some("the last one waits", || {
            let all = Snapshot::all().tasks;
            let waits = |it: &TaskInfo| it.wait.is_some() && it.kind == Kind::Task;
            all.into_iter().find(|it| it.id != early && waits(it)).map(|it| it.id)
        });
        let line = ancestors(id);
        assert_eq!(line.len(), 64);
        assert_eq!(info(id).unwrap().parent, Some(line[0].id));
        assert!(line.iter().all(|it| it.entry.contains("lineage::relay::")), "{line:?}");
        let mut ids: Vec<_> = line.iter().map(|it| it.id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 64, "each once");
        assert_eq!(ancestors(early).len(), 3);
        gate.open();
    });
}

/// The names of the functions that are shown.
fn names(stack: &Trace) -> Vec<String> {
    stack.frames().map(|frame| frame.function.clone()).collect()
}

#[inline(never)]
fn starts(gate: Gate) -> TaskId {
    std::hint::black_box(Builder::new().name("made here").go(move || gate.pass()).unwrap().id())
}

#[inline(never)]
fn has_started(gate: Gate) -> TaskId {
    std::hint::black_box(starts(gate))
}

#[test]
fn stacks_of_makers_are_kept_if_asked_for() {
    alone(here!(), &[], || {
        let gate = Gate::new();
        let before = has_started(gate.clone());
        keep_creation_stacks();
        keep_ancestors();
        let own = has_started(gate.clone());
        let inner = gate.clone();
        let childs = go(move || go(move || has_started(inner)).join().unwrap()).join().unwrap();

        assert_eq!(info(before).unwrap().creation_stack, None);
        let stack = info(own).unwrap().creation_stack.expect("it is kept");
        let functions = names(&stack);
        assert!(functions[0].ends_with("lineage::starts"), "{functions:?}");
        assert!(functions[1].ends_with("lineage::has_started"), "{functions:?}");
        assert!(functions[2].contains("stacks_of_makers_are_kept"), "{functions:?}");
        assert!(functions.iter().all(|it| !it.contains("gopark::")), "{functions:?}");
        assert!(stack.all().len() > functions.len(), "the runtime's are there, too");
        // Its name is kept beside.
        assert_eq!(info(own).unwrap().name.as_deref(), Some("made here"));

        // Of makers that have ended.
        let line = ancestors(childs);
        let line: Vec<_> = line.iter().map(|it| it.creation_stack.as_ref().map(names)).collect();
        let [Some(parent), Some(theirs), None] = &line[..] else { panic!("{line:?}") };
        let is_in_task = |it: &[String]| it.iter().all(|it| it.ends_with("{{closure}}"));
        assert!(parent.len() == 1 && is_in_task(parent), "the task's function only: {parent:?}");
        assert!(theirs.iter().any(|it| it.contains("stacks_of_makers_are_kept")), "{theirs:?}");
        gate.open();
    });
}

/// What stands for a function that is not to run any more is somebody else's soon.
#[test]
fn stacks_of_what_never_ran_are_nobodys() {
    alone(here!(), &[], || {
        let scope = Scope::new("wants them");
        scope.keep_creation_stacks();
        {
            let _in = scope.enter();
            let functions = [(); 50].map(|()| after_func(Duration::from_secs(3600), || ()));
            assert!(functions.iter().all(AfterFunc::stop));
        }
        let gate = Gate::new();
        let others = [(); 100].map(|()| {
            go({
                let gate = gate.clone();
                move || gate.pass()
            })
            .id()
        });
        let is_kept = |id: &&TaskId| info(**id).unwrap().creation_stack.is_some();
        assert_eq!(others.iter().filter(is_kept).count(), 0);
        gate.open();
    });
}

#[test]
fn stacks_are_kept_in_the_scope_that_wants_them() {
    alone(here!(), &[], || {
        let kept = |id: TaskId| info(id).unwrap().creation_stack.is_some();
        let gate = Gate::new();
        let scope = Scope::new("wants them");
        scope.keep_creation_stacks();
        {
            let _in = scope.enter();
            assert!(kept(starts(gate.clone())));
            let within = Scope::new("opened in it");
            let _within = within.enter();
            assert!(kept(starts(gate.clone())));
        }
        assert!(!kept(starts(gate.clone())), "outside");
        gate.open();
        // One that is used again wants nothing.
        until_some("all have ended", || (scope.live() == 0).then_some(()));
        let id = scope.id();
        drop(scope);
        let (stop, stopped) = chan::rendezvous::<()>();
        for n in 0..20 {
            let other = Scope::new("other");
            assert!(other.id() > id);
            let _in = other.enter();
            let stopped = stopped.clone();
            assert!(!kept(go(move || stopped.recv()).id()), "{n}");
        }
        drop(stop);
    });
}
