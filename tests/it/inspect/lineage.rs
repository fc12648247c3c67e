//! Who made whom, also when they have ended.

use crate::child::{alone, here};
use crate::support::{Gate, info, until_some};
use gopark::inspect::{Ancestor, Kind, Snapshot, TaskInfo, keep_ancestors};
use gopark::{Builder, TaskId, go};

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
