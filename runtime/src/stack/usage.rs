//! How much of everything there is. This file stands above the scheduler: it
//! asks every processor and every task.

use super::arena;
use super::class::Class;
use super::pool::{Local, POOLS};
use super::trim::{self, Scavenger};
use crate::sched::worker;
use crate::sched::{self, SCHED};
use crate::sys::mem::{self, PAGE};
use crate::task::record::Record;
use crate::task::registry;
use std::sync::atomic::{AtomicU64, Ordering};

/// Address space and memory of all stacks of the process.
///
/// Counts are exact while nothing starts or ends. Go: the `Stack` fields of
/// `runtime.MemStats`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Usage {
    /// Bytes of address space, guards included.
    pub reserved: usize,
    /// Bytes that are backed by memory.
    pub committed: usize,
    /// Bytes between the stack pointer and the top of each task that has started
    /// and does not run now, in whole pages.
    pub in_use: usize,
    /// Bytes of page tables: a page for each 2 MiB of address space in which a
    /// stack was ever used.
    pub page_tables: usize,
    /// Calls of [`grow`](super::grow) so far.
    pub growths: u64,
    /// Times that a parked task's stack was halved so far.
    pub trims: u64,
    /// Segments in use: calls of [`grow`](super::grow) under way.
    pub segments: usize,
    /// Tasks that own a stack.
    pub tasks: usize,
    /// Tasks that are alive, started or not: each has a slot reserved.
    pub counted: usize,
    /// Stacks without a task that keep their memory for the next one.
    pub pooled: usize,
}

/// Measures all stacks.
///
/// Takes about a microsecond for each, because the kernel is asked what is
/// committed. Blocks nobody. Starts the runtime if it is not running.
///
/// ```
/// let usage = gopark::stack::usage();
/// assert!(usage.committed <= usage.reserved);
/// ```
pub fn usage() -> Usage {
    sched::start_default();
    let mut usage = Usage { trims: trim::count(), ..Usage::default() };
    let (mut in_pools, mut permits, mut slots) = (0, 0, 0);
    let mut unused = Vec::new();
    for class in Class::all() {
        let pool = POOLS[class.index()].counts();
        let (mut stacks_here, mut permits_here) = (0, 0);
        for p in SCHED.all_processors() {
            let (stacks, permits) = p.stacks.counts(class);
            stacks_here += stacks;
            permits_here += permits;
        }
        usage.pooled += pool.warm + stacks_here;
        let fresh: usize = pool.fresh.iter().map(|fresh| fresh.left()).sum();
        in_pools += pool.warm + stacks_here + pool.cold + fresh;
        permits += pool.permits + permits_here;
        slots += pool.slots;
        unused.extend(pool.fresh.iter().map(|f| (f.start(), f.left() * arena::stride(class))));
    }
    let locals = SCHED.all_processors().map(|p| &p.stacks);
    let (growths, segments) = locals
        .map(Local::growths)
        .fold(THREADS.read(), |sum, more| (sum.0 + more.0, sum.1.wrapping_add(more.1)));
    usage.growths = growths;
    usage.segments = segments as usize;
    usage.tasks = slots.saturating_sub(in_pools + usage.segments);
    usage.counted = slots.saturating_sub(permits + usage.segments);
    for (start, end, _) in arena::each() {
        usage.reserved += end - start;
        let fresh = unused.iter().filter(|(from, _)| (start..end).contains(from));
        let end = end - fresh.map(|(_, len)| len).sum::<usize>();
        usage.committed += mem::resident(start..end);
        usage.page_tables += (end.div_ceil(TABLE) - start / TABLE) * PAGE;
    }
    registry::each_unlocked(|record| usage.in_use += in_use(record).next_multiple_of(PAGE));
    usage
}

/// Bytes that one page of a page table maps.
const TABLE: usize = PAGE / 8 * PAGE;

fn in_use(record: &Record) -> usize {
    let place = record.place();
    let sp = record.sp.load(Ordering::Relaxed).addr();
    match place.stack() {
        Some(stack) if stack.contains(sp) => stack.top().addr() - sp,
        _ => 0,
    }
}

/// Gives the memory of stacks that nobody uses back to the kernel, now; returns
/// how many stacks it was.
///
/// The runtime does that by itself some seconds after their last use. A busy
/// processor keeps up to 64 stacks. Takes up to a microsecond for each. Go:
/// `debug.FreeOSMemory`. Starts the runtime if it is not running.
///
/// ```
/// gopark::go(|| ()).join().unwrap();
/// gopark::stack::scavenge();
/// ```
pub fn scavenge() -> usize {
    sched::start_default();
    worker::with_processor(|here| here.into_iter().for_each(|p| p.stacks.flush(0)));
    SCHED.flush_idle(0);
    Scavenger::new().give_back_all()
}

/// Calls of `grow`, where no processor counts them.
struct Threads {
    growths: AtomicU64,
    segments: AtomicU64,
}

static THREADS: Threads = Threads { growths: AtomicU64::new(0), segments: AtomicU64::new(0) };

impl Threads {
    fn read(&self) -> (u64, u64) {
        (self.growths.load(Ordering::Relaxed), self.segments.load(Ordering::Relaxed))
    }
}

/// A call of `grow` has its segment. `local` is that of the caller's processor.
#[inline]
pub(super) fn segment_began(local: Option<&Local>) {
    match local {
        Some(local) => local.segment_began(),
        None => {
            THREADS.growths.fetch_add(1, Ordering::Relaxed);
            THREADS.segments.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// It has given its segment back, perhaps on another processor.
#[inline]
pub(super) fn segment_ended(local: Option<&Local>) {
    match local {
        Some(local) => local.segment_ended(),
        None => {
            THREADS.segments.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
