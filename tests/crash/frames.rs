//! The frames that an overflow shows, and what becomes of the process while it
//! looks for their names.

use crate::allocator::{self, set_trap};
use crate::child::{Child, Ended, here, inside};
use crate::fault::{SIGABRT, await_the_end, recurse, says};
use std::hint::black_box;
use std::os::unix::process::ExitStatusExt;
use std::sync::OnceLock;
use std::thread::{self, Thread};

/// A frame that is shown: its number, and the last part of the function's name,
/// which is all that some profiles keep. Functions that were inlined into it
/// stand before.
type Frame<'a> = (usize, &'a str);

fn frames(ended: &Ended) -> Vec<Frame<'_>> {
    let list = ended.stderr.split_once("innermost first:\n").expect("a list").1;
    let mut frames: Vec<Frame<'_>> = Vec::new();
    for line in list.lines().filter(|line| !line.starts_with("             at ")) {
        let numbered = line
            .split_once(": ")
            .and_then(|(number, name)| Some((number.trim_start().parse().ok()?, name)));
        match numbered {
            Some((n, name)) => frames.push((n, short(name))),
            None if line.starts_with("      ...") => {}
            None if line.starts_with("      ") => frames.last_mut().unwrap().1 = short(line),
            None => break,
        }
    }
    frames
}

/// `f` of `a::b::f`, `f<T>` and `f::{{closure}}`.
fn short(name: &str) -> &str {
    let path = name.split('<').next().unwrap().trim();
    path.rsplit("::").find(|part| !part.starts_with('{')).unwrap_or("a closure")
}

/// How many frames are said to be left out.
fn elided(ended: &Ended) -> usize {
    let line = ended.stderr.lines().find(|line| line.ends_with(" frames elided ..."));
    line.expect("some are elided").split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// It is a closure in the test.
#[track_caller]
fn is_function_of_the_task(last: &Frame<'_>, test: &str, ended: &Ended) {
    assert!([test, "a closure"].contains(&last.1), "{last:?} of {test}\n{}", ended.stderr);
    assert!(!ended.stderr.contains("cannot be found"), "{}", ended.stderr);
}

#[track_caller]
fn aborted(ended: &Ended) {
    assert_eq!(ended.status.signal(), Some(SIGABRT), "{}\n{}", ended.status, ended.stderr);
    says(ended, &["gopark: fatal error: stack overflow in task ", "innermost first:\n   0: "]);
}

/// Goes down a hundred frames, and then on in `recurse`.
#[inline(never)]
fn approach(left: u64) -> u64 {
    let frame = black_box([left; 8]);
    let below = if left == 0 { recurse(1) } else { approach(left - 1) };
    below + frame[3]
}

#[test]
fn both_ends_of_the_stack_are_shown() {
    if inside(here!()) {
        await_the_end(gopark::go(|| approach(99)));
        return;
    }
    let ended = Child::new(here!()).run();
    aborted(&ended);
    let frames = frames(&ended);
    let (inner, outer) = frames.split_at(50);
    for (n, frame) in inner.iter().enumerate() {
        assert_eq!(*frame, (n, "recurse"), "{}", ended.stderr);
    }
    let first = 50 + elided(&ended);
    for (n, frame) in (first..).zip(outer) {
        assert_eq!(frame.0, n, "{}", ended.stderr);
    }
    assert_eq!(outer.len(), 50, "{}", ended.stderr);
    let (last, approaches) = outer.split_last().unwrap();
    assert!(approaches.iter().all(|frame| frame.1 == "approach"), "{}", ended.stderr);
    is_function_of_the_task(last, "both_ends_of_the_stack_are_shown", &ended);
    says(&ended, &["/crash/fault.rs:", "/crash/frames.rs:"]);
}

/// The list goes on where `grow` was called.
#[test]
fn frames_go_on_beyond_the_segment() {
    fn grows() -> u64 {
        gopark::stack::grow(64 << 10, || {
            gopark::stack::grow(64 << 10, || recurse(1)) + black_box(1)
        })
    }
    if inside(here!()) {
        await_the_end(gopark::go(|| grows() + 1));
        return;
    }
    let ended = Child::new(here!()).run();
    aborted(&ended);
    says(
        &ended,
        &["  the segment it is on is ", "the limit is 65536 (64 KiB)\n", "gopark::stack::grow"],
    );
    assert!(!ended.stderr.contains("GOPARK_STACK"), "{}", ended.stderr);
    let frames = frames(&ended);
    let (inner, outer) = frames.split_at(50);
    assert!(inner.iter().all(|frame| frame.1 == "recurse"), "{}", ended.stderr);
    assert!(outer.iter().filter(|frame| frame.1 == "call_on").count() == 2, "{}", ended.stderr);
    is_function_of_the_task(outer.last().unwrap(), "frames_go_on_beyond_the_segment", &ended);
}

/// Its thread has std's small signal stack, and another one after `grow`.
#[test]
fn a_thread_that_is_no_task_overflows_a_segment() {
    fn grows() -> u64 {
        gopark::stack::grow(64 << 10, || recurse(1)) + black_box(1)
    }
    if inside(here!()) {
        let thread = thread::Builder::new().name("a \"thread\"".into()).spawn(grows);
        let _ = thread.unwrap().join();
        println!("it came back");
        return;
    }
    let ended = Child::new(here!()).run();
    assert_eq!(ended.status.signal(), Some(SIGABRT), "{}\n{}", ended.status, ended.stderr);
    let head = "gopark: fatal error: stack overflow in thread \"a \\\"thread\\\"\", which is no task\n  \
                the segment it is on is ";
    says(&ended, &[head, "\nframes of the thread, innermost first:\n   0: "]);
    let frames = frames(&ended);
    assert!(frames[..50].iter().all(|frame| frame.1 == "recurse"), "{}", ended.stderr);
    assert!(frames.iter().any(|frame| frame.1 == "grows"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("without names"), "{}", ended.stderr);
}

/// Several at once: one message, and it is whole.
#[test]
fn overflows_of_several_tasks_at_once_end_the_process() {
    if inside(here!()) {
        let tasks: Vec<_> = (0..8).map(|_| gopark::go(|| recurse(1))).collect();
        tasks.into_iter().for_each(|task| drop(task.join()));
        println!("it came back");
        return;
    }
    for _ in 0..5 {
        let ended = Child::new(here!()).env("GOPARK_MAXPROCS", "4").run();
        assert_eq!(ended.status.signal(), Some(SIGABRT), "{}\n{}", ended.status, ended.stderr);
        let heads = ended.stderr.matches("gopark: fatal error: stack overflow in task ").count();
        assert_eq!(heads, 1, "{}", ended.stderr);
        assert!(frames(&ended).len() == 100 && elided(&ended) > 0, "{}", ended.stderr);
    }
}

/// C without stack probes steps over pages.
#[expect(unsafe_code, reason = "calls into C")]
pub(crate) mod c {
    use super::*;

    #[link(name = "gopark_crash", kind = "static")]
    unsafe extern "C" {
        safe fn gopark_crash_small(depth: i64) -> i64;
        safe fn gopark_crash_pages(depth: i64) -> i64;
        pub(crate) safe fn gopark_crash_large(depth: i64) -> i64;
    }

    #[track_caller]
    fn is_caught(test: &str, name: &str) {
        let ended = Child::new(test).run();
        aborted(&ended);
        let frames = frames(&ended);
        assert!(frames[..5].iter().all(|frame| frame.1 == name), "{}", ended.stderr);
        is_function_of_the_task(frames.last().unwrap(), test.rsplit("::").next().unwrap(), &ended);
    }

    #[test]
    fn small_frames() {
        if inside(here!()) {
            return await_the_end(gopark::go(|| gopark_crash_small(1)));
        }
        is_caught(here!(), "gopark_crash_small");
    }

    #[test]
    fn frames_of_some_pages() {
        if inside(here!()) {
            return await_the_end(gopark::go(|| gopark_crash_pages(1)));
        }
        is_caught(here!(), "gopark_crash_pages");
    }

    #[test]
    fn frames_nearly_as_large_as_the_guard() {
        if inside(here!()) {
            // Not what another test starts: equal functions become one when optimised.
            return await_the_end(gopark::go(|| gopark_crash_large(2)));
        }
        is_caught(here!(), "gopark_crash_large");
    }
}

/// A Rust function whose prologue probes several pages.
#[test]
fn large_frames_in_rust() {
    #[inline(never)]
    fn large(depth: u8) -> u8 {
        let frame = black_box([depth; 20_000]);
        if black_box(false) { depth } else { large(depth.wrapping_add(1)) ^ frame[7] }
    }
    if inside(here!()) {
        return await_the_end(gopark::go(|| large(1)));
    }
    let ended = Child::new(here!()).run();
    aborted(&ended);
    assert!(frames(&ended)[..5].iter().all(|frame| frame.1 == "large"), "{}", ended.stderr);
}

/// The message that is left when the names cannot be had.
#[track_caller]
fn goes_without_names(ended: &Ended, why: &str) {
    aborted(ended);
    says(ended, &["  created at ", "GOPARK_STACK=", "without names, because ", why, "addr2line"]);
    let addresses = ended.stderr.matches(": 0x").count();
    assert!(addresses == 100 && elided(ended) > 0, "{}", ended.stderr);
    assert_eq!(ended.stderr.matches(" (program + 0x").count(), addresses, "{}", ended.stderr);
}

/// Names are looked up with the allocator, whose lock is held by the very
/// allocation that went down.
#[test]
fn an_overflow_inside_of_the_allocator_is_told_too() {
    if inside(here!()) {
        await_the_end(gopark::go(|| {
            set_trap(|| {
                let _guard = allocator::lock();
                black_box(recurse(1));
            });
            black_box(Box::new(1))
        }));
        return;
    }
    goes_without_names(&Child::new(here!()).run(), "may hold a lock");
}

#[test]
fn a_fault_on_the_way_to_the_names_ends_nothing_but_them() {
    #[expect(unsafe_code, reason = "the fault that the test is about")]
    fn fault() {
        // SAFETY: none. Nothing is mapped there.
        unsafe { black_box(std::ptr::without_provenance_mut::<u8>(8)).write_volatile(1) }
    }
    if inside(here!()) {
        await_the_end(gopark::go(|| {
            set_trap(fault);
            recurse(1)
        }));
        return;
    }
    goes_without_names(&Child::new(here!()).run(), "ended by signal 11");
}

#[test]
fn an_abort_on_the_way_to_the_names_ends_nothing_but_them() {
    if inside(here!()) {
        await_the_end(gopark::go(|| {
            set_trap(|| std::process::abort());
            recurse(1)
        }));
        return;
    }
    goes_without_names(&Child::new(here!()).run(), "ended by signal 6");
}

/// While the names are looked up, `main` returns or somebody calls `exit`: the
/// process dies of the overflow.
#[test]
fn an_exit_waits_for_the_message() {
    static MAIN: OnceLock<Thread> = OnceLock::new();
    fn let_main_exit() -> ! {
        MAIN.get().unwrap().unpark();
        loop {
            thread::park();
        }
    }
    if inside(here!()) {
        MAIN.set(thread::current()).unwrap();
        drop(gopark::go(|| {
            set_trap(|| let_main_exit());
            recurse(1)
        }));
        thread::park();
        std::process::exit(0);
    }
    goes_without_names(&Child::new(here!()).run(), "may hold a lock");
}
