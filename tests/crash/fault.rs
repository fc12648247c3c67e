//! Faults: a stack that overflows names its task, and all others stay what they
//! are without us.

use crate::child::{Child, Ended, alone, here, inside};
use gopark::{Builder, TaskId};
use std::hint::black_box;
use std::os::unix::process::ExitStatusExt;

pub(crate) const SIGABRT: i32 = 6;
const SIGSEGV: i32 = 11;

/// Bytes of stack that a task has, and how the next larger limit is written.
const LIMIT: usize = if cfg!(debug_assertions) { 1 << 20 } else { 512 << 10 };
const LARGER: [&str; 2] =
    if cfg!(debug_assertions) { ["8 << 20", "8M"] } else { ["1 << 20", "1M"] };
const GUARD: usize = 64 << 10;

/// Goes down until nothing is left.
#[inline(never)]
pub(crate) fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 32]);
    if black_box(depth) == u64::MAX {
        return 0;
    }
    recurse(depth + 1) + frame[7]
}

#[track_caller]
pub(crate) fn says(ended: &Ended, parts: &[&str]) {
    for part in parts {
        assert!(ended.stderr.contains(part), "does not say {part:?}:\n{}", ended.stderr);
    }
}

/// What the message says of a task that was made at this line of this file.
/// `task` is its function, behind its name if it has one.
#[track_caller]
fn names(ended: &Ended, task: &str, line: u32) {
    names_limit(ended, task, line, LIMIT, LARGER);
}

/// `larger` is the next limit in Rust and in the environment.
#[track_caller]
fn names_limit(ended: &Ended, task: &str, line: u32, limit: usize, larger: [&str; 2]) {
    assert_eq!(ended.status.signal(), Some(SIGABRT), "{}\n{}", ended.status, ended.stderr);
    // Printed by the child before it went down.
    let id = ended.stdout.lines().find_map(|line| line.strip_prefix("task ")).expect("a number");
    let [builder, everywhere] = larger;
    says(
        ended,
        &[
            &format!("gopark: fatal error: stack overflow in task {id}{task}\n"),
            &format!("  created at {}:{line}\n", file!()),
            &format!(" bytes deep, the limit is {limit} ("),
            &format!(" gopark::Builder::stack_limit({builder})\n"),
            &format!(" GOPARK_STACK={everywhere} in the environment\n"),
            "gopark::stack::grow",
            &format!("\nframes of task {id}, innermost first:\n   0: "),
        ],
    );
    let depth = between(&ended.stderr, "  its stack is ", " bytes deep").parse::<usize>().unwrap();
    assert!((limit - 4096..limit + GUARD).contains(&depth), "{}", ended.stderr);
    assert!(!ended.stderr.contains("without names"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("has overflowed its stack"), "std takes it for a thread's");
    assert!(!ended.stdout.contains("it came back"), "{}", ended.stdout);
}

fn between<'a>(text: &'a str, before: &str, behind: &str) -> &'a str {
    let rest = text.split_once(before).expect(before).1;
    rest.split_once(behind).expect(behind).0
}

fn announce(id: TaskId) {
    // On a line of its own: with one CPU, libtest has begun one.
    println!("\ntask {id}");
}

/// Joins what does not come back.
pub(crate) fn await_the_end<T>(task: gopark::JoinHandle<T>) {
    announce(task.id());
    let _ = task.join();
    println!("it came back");
}

#[test]
fn an_overflow_in_a_task_names_it() {
    if inside(here!()) {
        let (tx, rx) = gopark::chan::rendezvous();
        let task = gopark::go(move || {
            rx.recv().unwrap();
            recurse(1)
        });
        announce(task.id());
        tx.send(()).unwrap();
        let _ = task.join();
        println!("it came back");
        return;
    }
    let line = line!() - 10;
    let task = ", crash::fault::an_overflow_in_a_task_names_it::{{closure}}";
    names(&Child::new(here!()).run(), task, line);
}

#[test]
fn an_overflow_in_a_task_with_a_name_says_the_name() {
    if inside(here!()) {
        let builder = Builder::new().name("the \"deep\" one");
        await_the_end(builder.go(|| recurse(1)).unwrap());
        return;
    }
    let line = line!() - 3;
    let task = concat!(
        " \"the \\\"deep\\\" one\"",
        ", crash::fault::an_overflow_in_a_task_with_a_name_says_the_name::{{closure}}"
    );
    names(&Child::new(here!()).run(), task, line);
}

#[test]
fn an_overflow_says_the_limit_that_the_task_has() {
    if inside(here!()) {
        let builder = Builder::new().stack_limit(50_000);
        await_the_end(builder.go(|| recurse(1)).unwrap());
        return;
    }
    let line = line!() - 3;
    let task = ", crash::fault::an_overflow_says_the_limit_that_the_task_has::{{closure}}";
    names_limit(&Child::new(here!()).run(), task, line, 64 << 10, ["256 << 10", "256K"]);
}

/// Steps of 64 KiB, so that little of the GiB is touched.
#[test]
fn an_overflow_of_the_largest_stack_advises_no_larger_one() {
    if inside(here!()) {
        let builder = Builder::new().stack_limit(1 << 30);
        await_the_end(builder.go(|| crate::frames::c::gopark_crash_large(1)).unwrap());
        return;
    }
    let ended = Child::new(here!()).run();
    assert_eq!(ended.status.signal(), Some(SIGABRT), "{}\n{}", ended.status, ended.stderr);
    let deep = "the limit is 1073741824 (1 GiB)\n  no limit is higher; to go deeper still: \
                gopark::stack::";
    says(&ended, &[deep, "gopark_crash_large"]);
    assert!(!ended.stderr.contains("stack_limit("), "{}", ended.stderr);
}

/// What the message says of the environment ends the overflow.
#[test]
fn an_overflow_is_mended_by_what_its_message_advises() {
    #[inline(never)]
    fn down(left: usize) -> usize {
        let frame = black_box([left; 128]);
        if left == 0 { frame[0] } else { down(left - 1) + (frame[1] - frame[0]) + 1 }
    }
    if inside(here!()) {
        // A little more than there is.
        let levels = LIMIT / size_of::<[usize; 128]>();
        assert_eq!(gopark::go(move || down(levels)).join().unwrap(), levels);
        println!("it came back");
        return;
    }
    let ended = Child::new(here!()).run();
    assert_eq!(ended.status.signal(), Some(SIGABRT), "{}\n{}", ended.status, ended.stderr);
    let advice = between(&ended.stderr, " GOPARK_STACK=", " in the environment\n");
    let mended = Child::new(here!()).env("GOPARK_STACK", advice).run();
    mended.passed(here!());
    assert!(mended.stdout.contains("it came back"), "{}", mended.stdout);
}

/// As on a kernel without guard pages.
#[test]
fn an_overflow_into_a_guard_that_is_a_mapping_names_the_task() {
    if inside(here!()) {
        await_the_end(gopark::go(|| recurse(1)));
        return;
    }
    let line = line!() - 3;
    let task = ", crash::fault::an_overflow_into_a_guard_that_is_a_mapping_names_the_task::\
                {{closure}}";
    names(&Child::new(here!()).env("GOPARK_DEBUG", "guardpages=0").run(), task, line);
}

/// After other tasks have used the same stack, on a later start.
#[test]
fn an_overflow_of_a_used_stack_names_the_task_that_has_it_now() {
    fn deep() -> u64 {
        recurse(1)
    }
    if inside(here!()) {
        for n in 0..1000 {
            assert_eq!(gopark::go(move || n).join().unwrap(), n);
        }
        await_the_end(gopark::go(deep));
        return;
    }
    let line = line!() - 3;
    let task = ", crash::fault::an_overflow_of_a_used_stack_names_the_task_that_has_it_now::deep";
    names(&Child::new(here!()).run(), task, line);
}

#[test]
fn an_overflow_on_an_own_thread_names_its_task() {
    if inside(here!()) {
        await_the_end(Builder::new().own_thread().go(|| recurse(1)).unwrap());
        return;
    }
    let line = line!() - 3;
    let task = ", crash::fault::an_overflow_on_an_own_thread_names_its_task::{{closure}}";
    names(&Child::new(here!()).run(), task, line);
}

#[test]
fn an_overflow_behind_a_park_is_one_too() {
    if inside(here!()) {
        let task = gopark::go(|| {
            gopark::sleep(std::time::Duration::from_micros(1));
            gopark::yield_now();
            recurse(1)
        });
        await_the_end(task);
        return;
    }
    let line = line!() - 8;
    let task = ", crash::fault::an_overflow_behind_a_park_is_one_too::{{closure}}";
    names(&Child::new(here!()).run(), task, line);
}

/// Deep, but not too deep: 200 KiB are there in every build.
#[test]
fn a_deep_recursion_that_fits_comes_back() {
    #[inline(never)]
    fn down(left: usize) -> usize {
        let frame = black_box([left; 128]);
        if left == 0 { frame[0] } else { down(left - 1) + (frame[1] - frame[0]) + 1 }
    }
    alone(here!(), &[], || assert_eq!(gopark::go(|| down(150)).join().unwrap(), 150));
}

#[test]
fn an_overflow_of_an_ordinary_thread_is_reported_by_std() {
    if inside(here!()) {
        // The runtime's handler is installed, and was asked for a task before.
        gopark::go(|| ()).join().unwrap();
        let deep = std::thread::Builder::new().name("deep".into()).spawn(|| recurse(1));
        let _ = deep.unwrap().join();
        println!("it came back");
        return;
    }
    let ended = Child::new(here!()).run();
    assert_eq!(ended.status.signal(), Some(SIGABRT), "{}\n{}", ended.status, ended.stderr);
    says(&ended, &["thread 'deep'", "has overflowed its stack"]);
    assert!(!ended.stderr.contains("gopark: fatal error"), "{}", ended.stderr);
}

#[expect(unsafe_code, reason = "the fault that the test is about")]
fn read_nowhere() -> u8 {
    // SAFETY: none. Nothing is mapped there, and the process ends.
    unsafe { black_box(std::ptr::without_provenance::<u8>(8)).read_volatile() }
}

#[test]
fn a_bad_pointer_in_a_task_is_an_ordinary_fault() {
    if inside(here!()) {
        await_the_end(gopark::go(read_nowhere));
        return;
    }
    let ended = Child::new(here!()).run();
    assert_eq!(ended.status.signal(), Some(SIGSEGV), "{}\n{}", ended.status, ended.stderr);
    assert!(!ended.stderr.contains("stack overflow"), "{}", ended.stderr);
    assert!(!ended.stdout.contains("it came back"));
}

#[test]
fn a_bad_pointer_in_a_thread_is_an_ordinary_fault() {
    if inside(here!()) {
        gopark::go(|| ()).join().unwrap();
        let _ = std::thread::spawn(read_nowhere).join();
        println!("it came back");
        return;
    }
    let ended = Child::new(here!()).run();
    assert_eq!(ended.status.signal(), Some(SIGSEGV), "{}\n{}", ended.status, ended.stderr);
    assert!(!ended.stdout.contains("it came back"));
}

/// In a task's destructor, while it unwinds.
#[test]
fn an_overflow_while_unwinding_names_the_task() {
    struct Deep;
    impl Drop for Deep {
        fn drop(&mut self) {
            black_box(recurse(1));
        }
    }
    if inside(here!()) {
        let task = gopark::go(|| {
            let _deep = Deep;
            std::panic::resume_unwind(Box::new("down"));
        });
        await_the_end(task);
        return;
    }
    let line = line!() - 7;
    let task = ", crash::fault::an_overflow_while_unwinding_names_the_task::{{closure}}";
    names(&Child::new(here!()).run(), task, line);
}

/// A task's address on its own stack, near the top.
fn whereabouts() -> usize {
    let here = 0_u8;
    black_box(&raw const here).addr()
}

#[expect(unsafe_code, reason = "the fault that the test is about")]
fn write_to(address: usize) {
    // SAFETY: none. A guard is there, and the process ends.
    unsafe { std::ptr::with_exposed_provenance_mut::<u8>(address).write_volatile(1) }
}

/// The middle of the guard below the stack that has its top there.
fn guard_below(near_top: usize) -> usize {
    near_top - LIMIT - GUARD / 2
}

#[track_caller]
fn is_an_ordinary_fault(ended: &Ended) {
    assert_eq!(ended.status.signal(), Some(SIGSEGV), "{}\n{}", ended.status, ended.stderr);
    assert!(ended.stdout.contains("here it comes"), "{}", ended.stdout);
    assert!(!ended.stderr.contains("gopark: fatal error"), "{}", ended.stderr);
    assert!(!ended.stdout.contains("it came back"));
}

/// A task that waits, and where it is.
fn bystander() -> usize {
    let (tx, rx) = gopark::chan::rendezvous();
    drop(gopark::go(move || {
        tx.send(whereabouts()).unwrap();
        let _ = gopark::chan::never::<()>().recv();
    }));
    rx.recv().unwrap()
}

#[test]
fn a_task_that_writes_into_the_guard_of_another_has_not_overflowed() {
    if inside(here!()) {
        let other = bystander();
        println!("here it comes");
        await_the_end(gopark::go(move || write_to(guard_below(other))));
        return;
    }
    is_an_ordinary_fault(&Child::new(here!()).run());
}

/// The next stack's guard begins where a stack ends, and there the task is.
#[test]
fn a_task_that_writes_beyond_its_first_frame_has_not_overflowed_the_next_stack() {
    if inside(here!()) {
        let (tx, places) = gopark::chan::bounded(8);
        let mut tasks: Vec<_> = (0..8)
            .map(|n| {
                let (go, wait) = gopark::chan::rendezvous();
                let tx = tx.clone();
                let task = gopark::go(move || {
                    tx.send((whereabouts(), n)).unwrap();
                    write_to(wait.recv().unwrap());
                });
                (Some(task), go)
            })
            .collect();
        let mut places: Vec<(usize, usize)> = (0..8).map(|_| places.recv().unwrap()).collect();
        places.sort();
        let neighbours = places.windows(2).find(|two| two[1].0 - two[0].0 < LIMIT + 2 * GUARD);
        let (task, go) = &mut tasks[neighbours.expect("two side by side")[0].1];
        println!("here it comes");
        go.send(neighbours.unwrap()[0].0 + GUARD / 2).unwrap();
        await_the_end(task.take().unwrap());
        return;
    }
    is_an_ordinary_fault(&Child::new(here!()).run());
}

#[test]
fn a_task_that_writes_into_its_own_guard_from_far_above_has_not_overflowed() {
    if inside(here!()) {
        println!("here it comes");
        await_the_end(gopark::go(|| write_to(guard_below(whereabouts()))));
        return;
    }
    is_an_ordinary_fault(&Child::new(here!()).run());
}

#[test]
fn a_thread_that_writes_into_a_guard_has_not_overflowed() {
    if inside(here!()) {
        let other = bystander();
        println!("here it comes");
        write_to(guard_below(other));
        println!("it came back");
        return;
    }
    is_an_ordinary_fault(&Child::new(here!()).run());
}

/// Nothing repeats it when the handler returns.
#[test]
#[expect(unsafe_code, reason = "the default action is to be the previous one")]
fn a_signal_that_was_sent_takes_the_default_action() {
    unsafe extern "C" {
        fn signal(signal: i32, action: usize) -> usize;
        fn raise(signal: i32) -> i32;
    }
    if inside(here!()) {
        const SIG_DFL: usize = 0;
        // SAFETY: resets an action, before the runtime starts.
        unsafe { signal(SIGSEGV, SIG_DFL) };
        gopark::go(|| ()).join().unwrap();
        println!("here it comes");
        // SAFETY: the process ends.
        unsafe { raise(SIGSEGV) };
        println!("it came back");
        return;
    }
    is_an_ordinary_fault(&Child::new(here!()).run());
}
