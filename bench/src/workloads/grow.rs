//! `stack::grow` in a hot loop, where the stack ends: Go's old hot-split
//! problem. An operation is one call, which runs an empty function on a segment
//! of 64 KiB; the first calls are not on the clock, and a figure is the median of
//! many rounds in one process.
//!
//! `grow_hot` calls from the end of the task's own stack, `ensure_hot` from the
//! end of a segment, through `stack::ensure` with a red zone that always hits.
//!
//! Only gopark has it: Go copies stacks, and the others' end where they end.

use std::hint::black_box;
use std::time::Instant;

use gopark::stack;

use crate::contenders;
use crate::sample::Sample;
use crate::stats::Stats;
use crate::workload::{Body, Case, Divide, Family, Row, Runtime, Sizes, identity, sum_below};

pub(super) const FAMILY: Family = Family {
    name: "grow",
    about: "a hot loop of stack::grow and of stack::ensure at a segment's edge",
    cases: &[Case {
        name: "grow",
        procs: 2,
        sizes: Sizes { full: 5_000_000, quick: 1_000_000, warm: 10_000 },
        units: identity,
        want: sum_below,
        bodies: &[(Runtime::Gopark, Body::Measured(measure))],
        rows: &[row("grow_hot", GROW), row("ensure_hot", ENSURE)],
    }],
};

const GROW: &str = "grow_ns";
const ENSURE: &str = "ensure_ns";

const fn row(name: &'static str, value: &'static str) -> Row {
    Row { name, value, divide: Divide::By(1.0), unit: "ns" }
}

/// What a call asks for.
const SEGMENT: usize = 64 << 10;
/// Of `ensure`.
const RED_ZONE: usize = 32 << 10;
/// So that a moment in which the machine does something else does not count.
const ROUNDS: u64 = 100;
/// Where the loops run: so little is left.
const EDGE: usize = 16 << 10;

fn measure(warm: u64, size: u64) -> Result<Sample, String> {
    contenders::gopark::as_first_task(move || {
        let grow = at_the_edge(&mut || {
            calls(warm, |i| stack::grow(SEGMENT, || black_box(i)))?;
            calls(size, |i| stack::grow(SEGMENT, || black_box(i)))
        })?;
        let ensure = stack::grow(SEGMENT, || {
            at_the_edge(&mut || {
                calls(warm, |i| stack::ensure(RED_ZONE, SEGMENT, || black_box(i)))?;
                calls(size, |i| stack::ensure(RED_ZONE, SEGMENT, || black_box(i)))
            })
        })?;
        Ok(Sample::default().with(GROW, grow).with(ENSURE, ensure))
    })
}

/// Runs `f` where hardly any of the contiguous stack is left.
#[inline(never)]
fn at_the_edge(f: &mut dyn FnMut() -> Result<f64, String>) -> Result<f64, String> {
    let mut pad = [0_u8; 1024];
    black_box(&mut pad);
    let result = if stack::remaining() < EDGE { f() } else { at_the_edge(f) };
    black_box(&mut pad);
    result
}

/// The nanoseconds of a call: the median of [`ROUNDS`] rounds.
fn calls(size: u64, call: impl Fn(u64) -> u64) -> Result<f64, String> {
    let each = size / ROUNDS;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let sum: u64 = (0..each).map(&call).sum();
        let elapsed = start.elapsed();
        if sum != sum_below(each) {
            return Err(format!("{each} calls gave {sum}, expected {}", sum_below(each)));
        }
        times.push(elapsed.as_nanos() as f64 / each as f64);
    }
    Ok(Stats::of(&times).ok_or("no call was asked for")?.median)
}
