//! How many stacks there are, whose, and what they take.

use super::{KIB, MIB, PAGE, all_parked, down, status};
use crate::child::{alone, here};
use crate::support::{Gate, ONE_COOPERATIVE, info, parked, until};
use gopark::inspect::{Kind, Snapshot, WaitReason};
use gopark::stack::{default_limit, grow, scavenge, usage};
use gopark::{Builder, JoinHandle, Scope, chan, go, num_tasks};

/// Parked tasks of the smallest class, and nothing else.
struct Crowd {
    gate: Gate,
    tasks: Vec<JoinHandle<()>>,
}

impl Crowd {
    /// All of them wait at one place, with those that do already.
    fn of(count: usize) -> Crowd {
        let before = num_tasks();
        let gate = Gate::new();
        let small = |gate: Gate| Builder::new().stack_limit(64 * KIB).go(move || gate.pass());
        let tasks = (0..count).map(|_| small(gate.clone()).unwrap()).collect();
        all_parked(before + count);
        Crowd { gate, tasks }
    }

    fn end(self) {
        self.gate.open();
        self.tasks.into_iter().for_each(|task| task.join().unwrap());
    }
}

#[test]
fn nothing_is_there_before_the_first_task() {
    alone(here!(), &[], || {
        let usage = usage();
        let all = [usage.reserved, usage.committed, usage.in_use, usage.page_tables];
        assert_eq!(all, [0; 4], "{usage:?}");
        let counts = [usage.segments, usage.tasks, usage.counted, usage.pooled];
        assert_eq!(counts, [0; 4], "{usage:?}");
        assert_eq!((usage.growths, usage.trims), (0, 0));
    });
}

#[test]
fn a_task_is_counted_by_go_and_owns_a_stack_when_it_has_started() {
    alone(here!(), ONE_COOPERATIVE, || {
        let gate = Gate::new();
        let held = gate.clone();
        let first = move || {
            let tasks: Vec<_> = (0..100)
                .map(|_| {
                    let held = held.clone();
                    go(move || held.pass())
                })
                .collect();
            let early = usage();
            assert_eq!((early.counted, early.tasks), (101, 1));
            // Who has not started has no stack to be seen.
            assert!(tasks.iter().all(|task| info(task.id()).unwrap().stack.is_none()));
            tasks
        };
        // It keeps the processor, after its slice too.
        let tasks = go(|| gopark::no_park(first)).join().unwrap();
        all_parked(100);
        let late = usage();
        assert_eq!((late.counted, late.tasks), (100, 100));
        gate.open();
        tasks.into_iter().for_each(|task| task.join().unwrap());
        until("all are gone", || usage().counted == 0);
        let after = usage();
        assert_eq!((after.tasks, after.in_use), (0, 0));
        assert_eq!(after.pooled, 100, "each left a warm stack");
        assert_eq!(after.reserved, late.reserved);
    });
}

/// The kernel's own figures are the measure.
#[test]
fn bytes_are_those_of_the_kernel() {
    const COUNT: usize = 4000;
    alone(here!(), &[], || {
        // What is made once.
        Crowd::of(COUNT / 10).end();
        let before = (usage(), status("RssAnon"), status("VmPTE"), status("VmSize"));
        let crowd = Crowd::of(COUNT);
        let after = (usage(), status("RssAnon"), status("VmPTE"), status("VmSize"));
        let (usage, old) = (after.0, before.0);
        assert!(usage.in_use >= COUNT * PAGE, "{usage:?}");
        assert!(usage.in_use <= usage.committed, "{usage:?}");
        assert!(usage.committed <= usage.reserved, "{usage:?}");
        // Parked depth stays inside a page.
        assert!(usage.committed <= COUNT * 2 * PAGE, "{usage:?}");
        // Records, handles, names of the tasks and the harness come on top.
        let more = usage.committed - old.committed;
        let resident = after.1 - before.1;
        assert!(resident >= more - MIB, "{resident} resident, {more} committed");
        assert!(resident <= more + COUNT * 2 * KIB, "{resident} resident, {more} committed");
        let tables = usage.page_tables - old.page_tables;
        let all_tables = after.2 - before.2;
        assert!(tables.abs_diff(all_tables) <= 64 * PAGE, "{tables}, but {all_tables}");
        let reserved = usage.reserved - old.reserved;
        assert!(after.3 - before.3 >= reserved, "{reserved} reserved");
        assert!(reserved >= COUNT / 2 * 128 * KIB, "{reserved} reserved");
        crowd.end();
    });
}

#[test]
fn scavenging_gives_back_what_nobody_uses() {
    const COUNT: usize = 1000;
    alone(here!(), &[], || {
        let kept = Crowd::of(10);
        let used = usage().committed;
        let (mut full, mut given) = (0, 0);
        // The runtime does the same by itself, but slower.
        until("a call gives stacks back", || {
            let crowd = Crowd::of(COUNT);
            full = status("RssAnon");
            crowd.end();
            given = scavenge();
            given > 0
        });
        assert!(given <= COUNT, "{given}");
        until("none is warm", || {
            scavenge();
            usage().pooled == 0
        });
        let now = usage();
        assert!(now.committed <= used + 4 * PAGE, "{} committed, not {used}", now.committed);
        assert!(status("RssAnon") + COUNT * PAGE <= full + MIB, "{}", status("RssAnon"));
        assert_eq!(scavenge(), 0, "nothing is left");
        // Cold stacks are as good as any.
        let crowd = Crowd::of(COUNT);
        assert_eq!(usage().reserved, now.reserved);
        crowd.end();
        kept.end();
    });
}

/// Without being asked.
#[test]
fn what_nobody_uses_for_some_time_goes_back() {
    const COUNT: usize = 1000;
    alone(here!(), &[], || {
        Crowd::of(COUNT).end();
        until("most are cold", || {
            let usage = usage();
            usage.pooled <= COUNT / 4 && usage.committed <= COUNT / 2 * PAGE
        });
    });
}

#[test]
fn an_observer_sees_limit_and_depth() {
    let gate = Gate::new();
    drop(Scope::current());
    let mut threads = Snapshot::all().tasks.into_iter().filter(|task| task.kind == Kind::Thread);
    assert!(threads.all(|thread| thread.stack.is_none()));
    let depths = [0, 10 * KIB, 100 * KIB];
    let tasks = depths.map(|bytes| {
        let held = gate.clone();
        let park = move || if bytes == 0 { held.pass() } else { down(bytes, || held.pass()) };
        Builder::new().stack_limit(256 * KIB).go(park).unwrap()
    });
    for (task, bytes) in tasks.iter().zip(depths) {
        let stack = parked(task.id(), WaitReason::ChanReceive).stack.unwrap();
        assert_eq!((stack.limit, stack.segments), (256 * KIB, 0));
        let depth = stack.depth.unwrap();
        // A frame of `down` more, which is large without optimisation, and those of the wait.
        let most = bytes + 12 * KIB;
        assert!((bytes..most).contains(&depth), "{depth} with {bytes} in use");
    }
    gate.open();
    tasks.into_iter().for_each(|task| task.join().unwrap());
    // One that runs is somewhere else before anybody could be told.
    let (tx, rx) = chan::rendezvous();
    let running = go(move || info(rx.recv().unwrap()).unwrap().stack.unwrap());
    tx.send(running.id()).unwrap();
    assert_eq!(running.join().unwrap().depth, None);
}

#[test]
fn segments_are_counted_while_they_are_in_use() {
    alone(here!(), &[], || {
        let gate = Gate::new();
        let held = gate.clone();
        let task = go(move || {
            for _ in 0..10 {
                grow(64 * KIB, || ());
            }
            grow(64 * KIB, || grow(64 * KIB, || held.pass()));
        });
        let stack = parked(task.id(), WaitReason::ChanReceive).stack.unwrap();
        assert_eq!((stack.segments, stack.depth), (2, None));
        assert_eq!(stack.limit, default_limit());
        let now = usage();
        assert_eq!((now.segments, now.growths, now.tasks, now.counted), (2, 12, 1, 1));
        gate.open();
        task.join().unwrap();
        // Threads have them too.
        assert_eq!(grow(64 * KIB, || usage().segments), 1);
        until("nothing is counted any more", || usage().counted == 0);
        let after = usage();
        assert_eq!((after.segments, after.growths, after.tasks), (0, 13, 0));
    });
}

#[test]
fn a_snapshot_has_the_stacks_too() {
    alone(here!(), &[], || {
        let crowd = Crowd::of(10);
        // Stacks may be trimmed between the two.
        until("both say the same", || Snapshot::all().stacks() == usage());
        assert_eq!(Snapshot::all().stacks().tasks, 10);
        crowd.end();
    });
}
