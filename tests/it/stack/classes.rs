//! What size a stack has.

use super::{GIB, KIB, MIB, down};
use crate::child::{Child, alone, here, inside};
use crate::support::{Gate, Tally, info, parked};
use gopark::inspect::WaitReason;
use gopark::runtime::Config;
use gopark::stack::{CLASSES, default_limit, remaining};
use gopark::{Builder, JoinHandle, TaskId, go};
use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;

const SIGABRT: i32 = 6;

/// What the entry to a task takes before its function runs, and what calls at
/// the bottom take.
const FRAMES: usize = 16 * KIB;

fn limit(id: TaskId) -> usize {
    info(id).expect("it lives").stack.expect("it has started").limit
}

fn of<T: Send + 'static>(bytes: usize, f: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    Builder::new().stack_limit(bytes).go(f).unwrap()
}

#[test]
fn there_are_seven() {
    let sizes = [64 * KIB, 256 * KIB, 512 * KIB, MIB, 8 * MIB, 64 * MIB, GIB];
    assert_eq!(CLASSES, sizes);
    alone(here!(), &[], || {
        let usual = if cfg!(debug_assertions) { MIB } else { 512 * KIB };
        assert_eq!(default_limit(), usual);
    });
}

/// The largest is not filled: that is memory that others need.
#[test]
fn a_task_can_use_all_of_its_class() {
    for class in CLASSES {
        let task = of(class, move || {
            let all = remaining();
            assert!(all <= class && all + FRAMES >= class, "{all} of {class}");
            let use_up = (class - FRAMES).min(100 * MIB);
            let left = down(use_up, remaining);
            let expected = all - use_up;
            assert!(left <= expected && left + FRAMES >= expected, "{left}, not {expected}");
            // All that was used is there again.
            assert!(remaining().abs_diff(all) < 4 * KIB);
        });
        task.join().unwrap_or_else(|error| panic!("class {class}: {error}"));
    }
}

#[test]
fn a_limit_is_rounded_up_to_a_class() {
    for (asked, class) in [
        (0, 64 * KIB),
        (1, 64 * KIB),
        (64 * KIB, 64 * KIB),
        (64 * KIB + 1, 256 * KIB),
        (300_000, 512 * KIB),
        (512 * KIB, 512 * KIB),
        (MIB - 1, MIB),
        (MIB + 1, 8 * MIB),
        (9 * MIB, 64 * MIB),
        (64 * MIB + 1, GIB),
        (GIB, GIB),
    ] {
        let gate = Gate::new();
        let held = gate.clone();
        let task = of(asked, move || {
            held.pass();
            remaining()
        });
        parked(task.id(), WaitReason::ChanReceive);
        assert_eq!(limit(task.id()), class, "for {asked} bytes");
        gate.open();
        let left = task.join().unwrap();
        assert!(left <= class && left + FRAMES >= class, "{left} left for {asked} bytes");
    }
}

#[test]
fn more_than_the_largest_is_an_error_and_nothing_was_started() {
    let started = Tally::new();
    for bytes in [GIB + 1, 1 << 40, usize::MAX] {
        for own_thread in [false, true] {
            let mark = started.mark();
            let builder = Builder::new().stack_limit(bytes);
            let builder = if own_thread { builder.own_thread() } else { builder };
            let error = builder.go(move || mark.check()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
            assert!(error.to_string().contains(&bytes.to_string()), "{error}");
            assert!(error.to_string().contains("1 GiB"), "{error}");
        }
    }
    assert_eq!(started.count(), 6, "the functions were dropped");
}

/// The same record, the same worker, one class after another.
#[test]
fn each_task_has_the_class_that_it_asked_for_whoever_was_there_before() {
    alone(here!(), &[("GOPARK_MAXPROCS", "1")], || {
        for n in 0..200 {
            let class = CLASSES[(n * 5) % 6];
            let left = of(class, remaining).join().unwrap();
            assert!(left <= class && left + FRAMES >= class, "{left} of {class} in round {n}");
        }
    });
}

#[test]
fn a_thread_of_its_own_has_the_class_too() {
    for class in [64 * KIB, 8 * MIB] {
        let task = Builder::new().own_thread().stack_limit(class).go(remaining).unwrap();
        let left = task.join().unwrap();
        assert!(left <= class && left + FRAMES >= class, "{left} of {class}");
    }
}

/// Each writes all over its own, and finds it as it was after all others did.
#[test]
fn stacks_do_not_touch_each_other() {
    let gate = Gate::new();
    let tasks: Vec<_> = (0..60)
        .map(|n| {
            let (held, class) = (gate.clone(), CLASSES[n % 5]);
            of(class, move || down(class - FRAMES, || held.pass()))
        })
        .collect();
    for task in &tasks {
        parked(task.id(), WaitReason::ChanReceive);
    }
    gate.open();
    tasks.into_iter().for_each(|task| task.join().unwrap());
}

/// Uses three megabytes, in every way to say how many there are.
fn three_megabytes(way: &str) {
    let deep = || down(3 * MIB, || println!("came down"));
    match way {
        "go" => go(deep).join().unwrap(),
        "explicit" => of(64 * KIB, deep).join().unwrap(),
        "own thread" => Builder::new().own_thread().go(deep).unwrap().join().unwrap(),
        "run" => gopark::run(deep),
        "config" => {
            Config::new().stack_limit(64 * KIB).start().unwrap();
            go(deep).join().unwrap();
        }
        _ => unreachable!("{way}"),
    }
}

#[test]
fn the_environment_mends_a_task_that_overflows() {
    if inside(here!()) {
        return three_megabytes(&std::env::var("WAY").unwrap());
    }
    for way in ["go", "explicit", "own thread", "run", "config"] {
        let broken = Child::new(here!()).env("WAY", way).run();
        assert_eq!(broken.status.signal(), Some(SIGABRT), "{way}: {}", broken.stderr);
        assert!(broken.stderr.contains("stack overflow"), "{way}: {}", broken.stderr);
        let mended = Child::new(here!()).env("WAY", way).env("GOPARK_STACK", "4M").run();
        mended.passed(here!());
        assert!(mended.stdout.contains("came down"), "{way}: {}", mended.stdout);
    }
}

#[test]
fn the_program_sets_what_tasks_get_that_ask_for_nothing() {
    alone(here!(), &[], || {
        Config::new().stack_limit(5 * MIB).start().unwrap();
        assert_eq!(default_limit(), 8 * MIB);
        let left = go(remaining).join().unwrap();
        assert!(left > 7 * MIB && left <= 8 * MIB, "{left}");
        // Who asks gets what was asked for.
        let left = of(64 * KIB, remaining).join().unwrap();
        assert!(left <= 64 * KIB, "{left}");
    });
}

#[test]
fn the_environment_lowers_only_what_nobody_asked_for() {
    alone(here!(), &[("GOPARK_STACK", "256K")], || {
        Config::new().stack_limit(64 * MIB).start().unwrap();
        assert_eq!(default_limit(), 256 * KIB);
        for (asked, class) in [(None, 256), (Some(64), 256), (Some(256), 256), (Some(512), 512)] {
            let builder = match asked {
                Some(asked) => Builder::new().stack_limit(asked * KIB),
                None => Builder::new(),
            };
            let (left, class) = (builder.go(remaining).unwrap().join().unwrap(), class * KIB);
            assert!(left <= class && left + FRAMES >= class, "{left} left for {asked:?}");
        }
    });
}
