//! What happens on the main thread, where libtest runs nothing: its stack is the
//! kernel's, grows as it is touched, and ends at a limit; what happens in a
//! program without other threads (`deadlock.rs`), and what tools see of a process
//! (`tools.rs`).
//!
//! A harness of its own, which understands what nextest and `cargo test` ask.

#[path = "../it/child.rs"]
#[expect(dead_code, unused_imports, unused_macros, reason = "not all of it is used here")]
mod child;
mod deadlock;
#[path = "../no_alloc.rs"]
mod no_alloc;
mod tools;

use child::{Child, inside};
use gopark::stack::{ensure, grow, high_water, remaining};
use std::env;
use std::hint::black_box;
use std::os::unix::process::ExitStatusExt;

#[global_allocator]
static ALLOCATOR: no_alloc::Checked = no_alloc::Checked;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const SIGABRT: i32 = 6;

const STACK: &[(&str, fn())] = &[
    ("a_closure_runs_on_a_segment", a_closure_runs_on_a_segment),
    ("what_remains_is_there", what_remains_is_there),
    ("a_stack_without_limit_is_large", a_stack_without_limit_is_large),
    ("a_stack_without_limit_ends_above_a_mapping", a_stack_without_limit_ends_above_a_mapping),
    ("the_depth_is_known", the_depth_is_known),
    ("an_overflow_of_a_segment_hits_its_guard", an_overflow_of_a_segment_hits_its_guard),
];

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    let tests = STACK.iter().chain(deadlock::TESTS).chain(tools::TESTS);
    if has("--list") {
        if !has("--ignored") {
            tests.for_each(|(name, _)| println!("{name}: test"));
        }
        return;
    }
    let wanted = args.iter().find(|arg| !arg.starts_with('-'));
    for (name, test) in tests {
        if wanted.is_none_or(|wanted| name.contains(wanted.as_str())) {
            println!("running 1 test: {name}");
            test();
        }
    }
}

#[inline(never)]
fn down_to(left: usize) -> usize {
    let here = remaining();
    let frame = black_box([here; 16]);
    let deepest = if here <= left { here } else { down_to(left) };
    assert_eq!(frame[15], here, "somebody wrote into this frame");
    deepest
}

fn a_closure_runs_on_a_segment() {
    let before = remaining();
    let inside = grow(64 * MIB, || {
        down_to(MIB);
        gopark::yield_now();
        gopark::go(|| ()).join().unwrap();
        remaining()
    });
    assert!((64 * MIB - KIB..64 * MIB).contains(&inside), "{inside}");
    assert_eq!(remaining(), before);
    assert!(ensure(usize::MAX, MIB, remaining) < MIB);
}

/// Runs a test with another limit of the main thread's stack.
fn limited(limit: &str, name: &str) {
    let script = format!("ulimit -S -s {limit} && exec \"$0\" \"$@\"");
    Child::started_by(&script, name).run().passed(name);
}

fn what_remains_is_there() {
    let name = "what_remains_is_there";
    if !inside(name) {
        return limited("3000", name);
    }
    let usable = 3000 * KIB;
    // The kernel puts arguments and environment on it first.
    assert!((usable - 300 * KIB..usable).contains(&remaining()), "{}", remaining());
    down_to(6 * KIB);
}

fn a_stack_without_limit_is_large() {
    let name = "a_stack_without_limit_is_large";
    if !inside(name) {
        return limited("unlimited", name);
    }
    assert!(remaining() > 64 * MIB, "{}", remaining());
    down_to(remaining() - 32 * MIB);
    // The search for the deepest page ends where nothing is mapped.
    assert!((32 * MIB..34 * MIB).contains(&high_water()), "{}", high_water());
}

/// Maps a page at an address that is free.
#[expect(unsafe_code, reason = "a mapping beside the stack")]
fn map_page(at: usize) {
    unsafe extern "C" {
        fn mmap(at: *mut u8, len: usize, prot: i32, flags: i32, fd: i32, offset: i64) -> *mut u8;
    }
    const READ_WRITE: i32 = 3;
    const PRIVATE_ANONYMOUS_FIXED_NOREPLACE: i32 = 0x2 | 0x20 | 0x10_0000;
    let at = std::ptr::without_provenance_mut(at);
    // SAFETY: a new mapping, refused where there is one.
    let got = unsafe { mmap(at, 4 * KIB, READ_WRITE, PRIVATE_ANONYMOUS_FIXED_NOREPLACE, -1, 0) };
    assert_eq!(got, at);
}

/// The kernel keeps a stack away from what is below it.
fn a_stack_without_limit_ends_above_a_mapping() {
    let name = "a_stack_without_limit_ends_above_a_mapping";
    if !inside(name) {
        return limited("unlimited", name);
    }
    let local = 0_u8;
    let page = black_box(&raw const local).addr() & !(4 * KIB - 1);
    // Before anybody asks for the first time.
    map_page(page - 16 * MIB);
    assert!((14 * MIB..16 * MIB).contains(&remaining()), "{}", remaining());
    down_to(6 * KIB);
}

fn the_depth_is_known() {
    let before = high_water();
    assert!(before < MIB, "{before}");
    down_to(remaining() - 2 * MIB);
    let after = high_water();
    assert!((2 * MIB..before + 2 * MIB + 8 * KIB).contains(&after), "{before} {after}");
}

fn an_overflow_of_a_segment_hits_its_guard() {
    #[inline(never)]
    fn recurse(depth: u64) -> u64 {
        let frame = black_box([depth; 32]);
        if black_box(depth) == u64::MAX { 0 } else { recurse(depth + 1) + frame[7] }
    }
    let name = "an_overflow_of_a_segment_hits_its_guard";
    if inside(name) {
        grow(MIB, || recurse(1));
        println!("it came back");
        return;
    }
    let ended = Child::new(name).run();
    assert_eq!(ended.status.signal(), Some(SIGABRT), "{}\n{}", ended.status, ended.stderr);
    assert!(ended.stderr.contains("gopark: fatal error: stack overflow"), "{}", ended.stderr);
    assert!(!ended.stdout.contains("it came back"), "{}", ended.stdout);
}
