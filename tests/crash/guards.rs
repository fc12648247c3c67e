//! Every size of stack ends in a guard, however guards are made.

use crate::child::{Child, here, inside};
use gopark::{Builder, chan};
use std::hint::black_box;
use std::os::unix::process::ExitStatusExt;

const SIGABRT: i32 = 6;
const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// Goes down until nothing is left.
#[inline(never)]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 512]);
    if black_box(depth) == u64::MAX {
        return 0;
    }
    recurse(depth + 1) + frame[7]
}

/// On a stack that others have used.
fn overflow(class: usize) {
    let at = |class| Builder::new().stack_limit(class);
    for n in 0..3 {
        assert_eq!(at(class).go(move || n).unwrap().join().unwrap(), n);
    }
    let (tx, rx) = chan::rendezvous();
    let deep = move || {
        rx.recv().unwrap();
        recurse(1)
    };
    let task = at(class).go(deep).unwrap();
    // On a line of its own: with one CPU, libtest has begun one.
    println!("\ntask {}", task.id());
    tx.send(()).unwrap();
    let _ = task.join();
    println!("it came back");
}

#[track_caller]
fn overflows(test: &str, debug: &str) {
    if inside(test) {
        return overflow(std::env::var("CLASS").unwrap().parse().unwrap());
    }
    for class in [64 * KIB, 256 * KIB, 512 * KIB, MIB, 8 * MIB, 64 * MIB] {
        let child = Child::new(test).env("GOPARK_DEBUG", debug);
        let ended = child.env("CLASS", class.to_string()).run();
        assert_eq!(ended.status.signal(), Some(SIGABRT), "{class}: {}", ended.stderr);
        let id = ended.stdout.lines().find_map(|line| line.strip_prefix("task ")).unwrap();
        let says = format!("gopark: fatal error: stack overflow in task {id}, ");
        assert!(ended.stderr.contains(&says), "{class}: {}", ended.stderr);
        assert!(!ended.stdout.contains("it came back"), "{class}: {}", ended.stdout);
    }
}

#[test]
fn guard_pages_end_stacks_of_every_size() {
    overflows(here!(), "guardpages=1");
}

#[test]
fn mappings_end_stacks_of_every_size() {
    overflows(here!(), "guardpages=0");
}
