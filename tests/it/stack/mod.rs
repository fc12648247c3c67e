//! Stacks: how deep a task can go, what it takes, what is left of it after, and
//! what happens where the system gives no more.

mod accounting;
mod classes;
mod depth;
mod grow;
mod guards;
mod locked;
mod refused;
mod trim;

use crate::support::until;
use gopark::inspect::{WaitReason, groups};
use gopark::stack::remaining;
use std::fs::{self, File};
use std::hint::black_box;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Of every machine that the tests run on.
pub(crate) const PAGE: usize = 4096;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const GIB: usize = 1 << 30;

/// About the address of the stack pointer.
#[inline(always)]
fn stack_pointer() -> usize {
    let byte = 0u8;
    black_box(&raw const byte).addr()
}

/// Calls `f` in a frame so many bytes below the caller's; every page between
/// them has been written to, and holds what it held when `f` returns.
#[inline(never)]
pub(crate) fn down<R>(bytes: usize, f: impl FnOnce() -> R) -> R {
    let (mut f, mut result) = (Some(f), None);
    descend(stack_pointer() - bytes, &mut || result = f.take().map(|f| f()));
    result.expect("the bottom was reached")
}

#[inline(never)]
fn descend(goal: usize, f: &mut dyn FnMut()) {
    let written = [stack_pointer(); 64];
    let frame = black_box(written);
    if stack_pointer() > goal {
        descend(goal, f);
    } else {
        f();
    }
    assert!(black_box(frame) == written, "a frame has changed");
}

/// What the kernel says of the pages of this process.
struct PageMap(File);

impl PageMap {
    fn open() -> PageMap {
        PageMap(File::open("/proc/self/pagemap").expect("the system has /proc"))
    }

    /// Is the page in memory?
    fn there(&self, address: usize) -> bool {
        let mut entry = [0; 8];
        self.read(address, &mut entry);
        is_there(&entry)
    }

    fn read(&self, address: usize, entries: &mut [u8]) {
        let place = address / PAGE * 8;
        self.0.read_exact_at(entries, place as u64).expect("an entry for each page");
    }
}

fn is_there(entry: &[u8]) -> bool {
    entry[7] & 0x80 != 0
}

/// Bytes of the range that are in memory.
fn resident(range: Range<usize>) -> usize {
    let count = range.end.div_ceil(PAGE) - range.start / PAGE;
    let mut entries = vec![0; 8 * count];
    PageMap::open().read(range.start, &mut entries);
    entries.chunks(8).filter(|entry| is_there(entry)).count() * PAGE
}

/// A figure of `/proc/self/status`, in bytes.
fn status(name: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("the system has /proc");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("the line");
    let number = line.trim_start_matches(':').trim().trim_end_matches(" kB");
    number.parse::<usize>().expect("a number") * KIB
}

/// Waits until so many tasks are parked at a gate; there are no others.
fn all_parked(count: usize) {
    until("all are parked", || {
        groups().first().is_some_and(|group| {
            group.count == count && group.reason == Some(WaitReason::ChanReceive)
        })
    });
}

/// Runs the body in a task and in a thread.
fn everywhere(body: impl Fn() + Send + Sync + 'static) {
    let body = Arc::new(body);
    let task = body.clone();
    gopark::go(move || task()).join().unwrap();
    std::thread::spawn(move || body()).join().unwrap();
}

/// Goes down until at most `left` bytes remain, calls the function there, and
/// returns how much remained.
#[inline(never)]
fn down_to(left: usize, then: &mut dyn FnMut()) -> usize {
    let here = remaining();
    let frame = black_box([here; 16]);
    let deepest = if here <= left {
        then();
        here
    } else {
        down_to(left, then)
    };
    assert_eq!(frame[15], here, "somebody wrote into this frame");
    deepest
}

/// Recursion that uses this many bytes and comes back.
fn use_up(bytes: usize) {
    down_to(remaining() - bytes, &mut || ());
}
