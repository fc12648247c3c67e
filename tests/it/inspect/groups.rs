//! All tasks in a few lines.

use crate::child::{alone, here};
use crate::support::{Gate, ONE_COOPERATIVE, Tick, parked, until_some};
use gopark::inspect::{Group, Status, WaitReason, groups};
use gopark::sync::Mutex;
use gopark::{JoinHandle, go};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn all_parked(tasks: &[JoinHandle<()>], reason: WaitReason) {
    tasks.iter().for_each(|task| drop(parked(task.id(), reason)));
}

fn end(tasks: Vec<JoinHandle<()>>) {
    tasks.into_iter().for_each(|task| task.join().unwrap());
}

/// The file is this one; the line is to be `line`.
#[track_caller]
fn is_at(place: &std::panic::Location<'_>, line: u32) {
    assert_eq!((place.file(), place.line()), (file!(), line));
}

#[test]
fn parked_tasks_are_counted_by_where_they_wait_and_were_made() {
    alone(here!(), &[], || {
        let (gate, lock) = (Gate::new(), Arc::new(Mutex::new(())));
        let (guard, begin) = (lock.lock(), Tick::now());
        let start = |first: bool| {
            let gate = gate.clone();
            go(move || {
                if first {
                    return gate.pass();
                }
                gate.pass();
            })
        };
        let made = line!() - 7;
        let mut gated: Vec<_> = (0..5).map(|_| start(true)).collect();
        gated.extend((0..2).map(|_| start(false)));
        let locked: Vec<_> = (0..3)
            .map(|_| {
                let lock = lock.clone();
                go(move || drop(lock.lock()))
            })
            .collect();
        let lock_line = line!() - 3;
        all_parked(&gated, WaitReason::ChanReceive);
        all_parked(&locked, WaitReason::MutexLock);
        // Both bounds: the first parked after `begin`, the last before now.
        let parked_by = Instant::now();
        gopark::sleep(Duration::from_millis(50));
        let waited = parked_by.elapsed();
        let found = groups();
        let counts: Vec<_> = found.iter().map(|group| group.count).collect();
        assert_eq!(counts, [5, 3, 2], "{found:?}");
        for group in &found {
            assert_eq!(group.status, Status::Waiting);
            let oldest = group.oldest.expect("they wait");
            assert!(oldest <= begin.elapsed(), "{oldest:?}");
            assert!(oldest >= waited, "{oldest:?}");
        }
        for (n, line) in [(0, made + 2), (1, lock_line), (2, made + 4)] {
            is_at(found[n].site.expect("they wait"), line);
            is_at(found[n].created_at, [made, lock_line, made][n]);
            assert!(found[n].entry.contains("groups::parked_tasks"), "{}", found[n].entry);
        }
        let reasons = [WaitReason::ChanReceive, WaitReason::MutexLock, WaitReason::ChanReceive];
        assert_eq!(found.iter().map(|g| g.reason).collect::<Vec<_>>(), reasons.map(Some));
        drop(guard);
        gate.open();
        end(gated);
        end(locked);
        until_some("all are gone", || groups().is_empty().then_some(()));
    });
}

/// Whichever of them is looked at first.
#[test]
fn the_age_of_a_group_is_that_of_its_oldest() {
    alone(here!(), &[], || {
        let (first, then) = (Gate::new(), Gate::new());
        let start = |late: bool| {
            let (first, then) = (first.clone(), then.clone());
            go(move || {
                if late {
                    first.pass();
                }
                then.pass();
            })
        };
        let tasks = vec![start(true), start(false), start(true)];
        all_parked(&tasks, WaitReason::ChanReceive);
        let age = Duration::from_millis(300);
        let found = until_some("they are that old", || {
            let found = groups();
            found.iter().all(|group| group.oldest >= Some(age)).then_some(found)
        });
        assert_eq!(found.iter().map(|group| group.count).collect::<Vec<_>>(), [2, 1]);
        first.open();
        let all = until_some("all are together", || groups().pop().filter(|all| all.count == 3));
        assert!(all.oldest >= Some(age), "{all}");
        then.open();
        end(tasks);
    });
}

/// A thread that waits is no task; a task that waits for its turn is.
#[test]
fn tasks_that_do_not_wait_are_grouped_by_what_they_do() {
    alone(here!(), ONE_COOPERATIVE, || {
        // Adopts this thread.
        let gate = Gate::new();
        let held = gate.clone();
        let first = move || {
            let tasks: Vec<_> = (0..4)
                .map(|_| {
                    let held = held.clone();
                    go(move || held.pass())
                })
                .collect();
            (groups(), tasks)
        };
        // It keeps the processor, after its slice too.
        let (found, tasks) = go(|| gopark::no_park(first)).join().unwrap();
        let of: Vec<_> = found.iter().map(|g| (g.count, g.status, g.reason, g.site)).collect();
        assert_eq!(of, [(4, Status::Runnable, None, None), (1, Status::Running, None, None)]);
        assert!(found.iter().all(|group| group.oldest.is_none()));
        gate.open();
        end(tasks);
    });
}

#[test]
fn a_group_is_one_line() {
    fn wait(gate: &Gate) {
        gate.pass();
    }
    let line = line!() - 2;
    let gate = Gate::new();
    let tasks: Vec<_> = (0..3)
        .map(|_| {
            let gate = gate.clone();
            go(move || wait(&gate))
        })
        .collect();
    let made = line!() - 3;
    all_parked(&tasks, WaitReason::ChanReceive);
    // Other tests may run in this process.
    let ours = |group: &Group| group.site.is_some_and(|s| s.file() == file!() && s.line() == line);
    let text = groups().into_iter().find(ours).expect("our group").to_string();
    let (file, entry) =
        (file!(), "it::inspect::groups::a_group_is_one_line::{{closure}}::{{closure}}");
    let start = format!("3 tasks: chan receive at {file}:{line} for up to ");
    assert!(text.starts_with(&start), "{text}");
    assert!(text.ends_with(&format!(" s; {entry}, made at {file}:{made}")), "{text}");
    gate.open();
    end(tasks);
}
