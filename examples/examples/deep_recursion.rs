//! A stack that grows, shrinks, goes beyond its reservation, and overflows: in
//! numbers, and in the message.
//!
//! With `GOPARK_DEBUG=shrinkstackoff=1` in the environment nothing shrinks.

use gopark::stack::{self, Usage};
use gopark::{Builder, chan};
use std::env;
use std::hint::black_box;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// Recurses until less than `left` bytes of the stack are left, calls `f` there,
/// and comes back.
fn descend<R>(left: usize, f: &mut dyn FnMut() -> R) -> R {
    let mut data = [0_u8; 256];
    black_box(&mut data); // or the compiler leaves it out
    let result = if stack::remaining() < left { f() } else { descend(left, f) };
    black_box(&mut data);
    result
}

/// A task goes to one depth after another.
fn growing() {
    println!("=== growing: one task of the 8 MiB class\n");
    stack::scavenge();
    let before = stack::usage().committed;
    let task = Builder::new().stack_limit(8 * MIB).go(move || {
        println!("{:>12}{:>16}{:>16}", "KiB deep", "KiB high water", "KiB committed");
        let all = stack::remaining();
        for deep in [0, 10, 100, 1_000, 5_000, 100] {
            descend(all - deep * KIB, &mut || {
                let deep = (all - stack::remaining()) / KIB;
                let [high, committed] = [stack::high_water(), stack::usage().committed - before];
                println!("{deep:>12}{:>16}{:>16}", high / KIB, committed / KIB);
            });
        }
    });
    task.expect("address space").join().expect("the task returns");
}

/// A task was 200 KiB deep and waits.
fn shrinking() {
    println!("\n=== shrinking: one task of the default class, parked after 200 KiB\n");
    stack::scavenge();
    let before = stack::usage();
    let (deep, was_deep) = chan::bounded(1);
    let (end, ending) = chan::rendezvous::<()>();
    let task = gopark::go(move || {
        let left = stack::remaining() - 200 * KIB;
        descend(left, &mut || ());
        deep.send(stack::usage()).expect("the example receives");
        ending.recv()
    });
    let mut last = was_deep.recv().expect("the task sends");

    println!("{:>12}{:>16}{:>16}", "ms parked", "KiB committed", "trims");
    let show = |since: Instant, usage: Usage| {
        let (ms, trims) = (since.elapsed().as_millis(), usage.trims - before.trims);
        let committed = (usage.committed - before.committed) / KIB;
        println!("{ms:>12}{committed:>16}{trims:>16}");
        committed
    };
    let parked = Instant::now();
    let mut committed = show(parked, last);
    let off = env::var("GOPARK_DEBUG").is_ok_and(|set| set.contains("shrinkstackoff=1"));
    let patience = Duration::from_secs(if off { 1 } else { 30 });
    while committed > 8 && parked.elapsed() < patience {
        let now = stack::usage();
        if now.committed != last.committed {
            (last, committed) = (now, show(parked, now));
        }
        thread::sleep(Duration::from_millis(5));
    }
    println!("\n{committed} KiB stay committed");
    end.close();
    let _closed = task.join().expect("the task returns");
}

/// Recurses with a new segment of 1 MiB whenever less than 32 KiB are left.
/// Returns how many bytes of data there were, and how many segments.
fn chained(levels: usize) -> (usize, usize) {
    stack::ensure(32 * KIB, MIB, || {
        let mut data = [0_u8; 256];
        black_box(&mut data);
        let last = levels == 1;
        let below = if last { (0, stack::usage().segments) } else { chained(levels - 1) };
        (below.0 + black_box(&mut data).len(), below.1)
    })
}

/// 64 MiB of recursion, in segments and in one piece.
fn beyond() {
    println!("\n=== beyond the reservation: a task of {} KiB\n", stack::default_limit() / KIB);
    let task = gopark::go(|| {
        let (used, segments) = chained(64 * MIB / 256);
        println!("{} MiB through ensure, on {segments} segments", used / MIB);
        stack::grow(65 * MIB, || {
            let all = stack::remaining();
            let used = descend(all - 64 * MIB, &mut || all - stack::remaining());
            println!("{} MiB through grow, on one segment", used / MIB);
        });
    });
    task.join().expect("the task returns");
}

/// Runs this program again, which then recurses without end.
fn overflowing() {
    println!("\n=== overflowing: a task of the 256 KiB class, in a process of its own\n");
    let this = env::current_exe().expect("a program");
    let child = Command::new(this).arg("overflow").output().expect("it runs");
    let said = String::from_utf8_lossy(&child.stderr);
    let lines: Vec<&str> = said.trim().lines().collect();
    for (index, line) in lines.iter().enumerate() {
        // The message, and of the frames the innermost and the outermost two.
        if index < 11 || line.contains("elided") || index + 4 >= lines.len() {
            println!("    {line}");
        }
    }
    println!("\nthe process ended with {}", child.status);
}

fn overflow() {
    let task =
        Builder::new().name("bottomless").stack_limit(256 * KIB).go(|| descend(0, &mut || ()));
    task.expect("address space").join().expect("it never returns");
}

fn main() {
    if env::args().nth(1).as_deref() == Some("overflow") {
        return overflow();
    }
    growing();
    shrinking();
    beyond();
    overflowing();
}
