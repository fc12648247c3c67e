//! Frames on segments: backtraces walk across them, and overflows hit a guard.

use crate::child::{Child, here, inside};
use crate::stack::{KIB, MIB, everywhere, use_up};
use gopark::stack::grow;
use std::backtrace::Backtrace;
use std::hint::black_box;
use std::os::unix::process::ExitStatusExt;

const SIGABRT: i32 = 6;

#[inline(never)]
fn the_function_that_grows(nested: usize, bytes: usize) -> String {
    let text = grow(bytes, || {
        if nested == 0 {
            Backtrace::force_capture().to_string()
        } else {
            the_function_that_grows(nested - 1, bytes)
        }
    });
    black_box(text)
}

#[test]
fn backtraces_walk_across() {
    everywhere(|| {
        // Some of these lie above the stack that is left for them, some below.
        for bytes in [64 * KIB, 256 * KIB, MIB, 8 * MIB] {
            let text = black_box(the_function_that_grows(3, bytes));
            let count = |name: &str| text.lines().filter(|line| line.contains(name)).count();
            assert!(count("::the_function_that_grows") >= 4, "{text}");
            assert!(count("call_on") >= 4, "{text}");
            // This function, beyond all of them.
            let test = here!();
            let last = text.rfind("::the_function_that_grows").expect("seen above");
            assert!(text[last..].contains(&test[test.find("::").unwrap()..]), "{text}");
        }
    });
}

/// Fills stacks until nothing is left.
#[inline(never)]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 32]);
    if black_box(depth) == u64::MAX {
        return 0;
    }
    recurse(depth + 1) + frame[7]
}

#[track_caller]
fn overflows(test: &str) -> String {
    let ended = Child::new(test).run();
    assert_eq!(ended.status.signal(), Some(SIGABRT), "{}\n{}", ended.status, ended.stderr);
    assert!(ended.stderr.contains("gopark: fatal error: stack overflow"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("has overflowed its stack"), "{}", ended.stderr);
    assert!(!ended.stdout.contains("it came back"), "{}", ended.stdout);
    ended.stderr
}

#[test]
fn an_overflow_of_a_tasks_segment_hits_its_guard() {
    if !inside(here!()) {
        let text = overflows(here!());
        // The frames beyond both segments are shown too.
        let (_, beyond) = text.rsplit_once("call_on").expect("a seam");
        assert!(beyond.contains("::an_overflow_of_a_tasks_segment_hits_its_guard"), "{text}");
        return;
    }
    let _ = gopark::go(|| grow(64 * KIB, || grow(MIB, || recurse(1)))).join();
    println!("it came back");
}

#[test]
fn an_overflow_of_a_threads_segment_hits_its_guard() {
    if !inside(here!()) {
        overflows(here!());
        return;
    }
    // Nothing else has started the runtime.
    let _ = std::thread::spawn(|| grow(64 * KIB, || recurse(1))).join();
    println!("it came back");
}

/// A segment that was used before has its guard still.
#[test]
fn an_overflow_of_a_used_segment_hits_its_guard() {
    if !inside(here!()) {
        overflows(here!());
        return;
    }
    let task = gopark::go(|| {
        for _ in 0..10 {
            grow(64 * KIB, || use_up(32 * KIB));
        }
        grow(64 * KIB, || recurse(1))
    });
    let _ = task.join();
    println!("it came back");
}
