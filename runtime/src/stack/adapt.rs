//! How many pages of a free stack are worth keeping.
//!
//! A stack that a deep task has left has many pages; the next task may need them
//! again, or none of them for ever. Which it is, the kernel knows, and asking it
//! at every end would cost more than everything else there. So each processor
//! now and then picks a *probe*: a stack that is handed out gives its deeper
//! pages back first, and when its task ends, its depth is what that task used.
//! From these depths the number to keep of each class follows: up by a half of
//! the difference, down by a quarter. A probe takes away only what is beyond
//! half of that number, so where all tasks are deep, it costs half of one
//! task's page faults.
//!
//! Go has the same for the size that new stacks start with (`runtime: adaptive
//! initial stack size`, Go 1.19). Starting with several pages would gain nothing
//! here: to populate them with one `MADV_POPULATE_WRITE` takes as long as to
//! fault them in one after the other.

use super::Stack;
use super::class::Class;
use crate::sys::mem::{self, PAGE};
use core::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Pages to keep, by class.
static KEEP: [AtomicUsize; Class::COUNT] = [const { AtomicUsize::new(1) }; Class::COUNT];

/// Bytes of a free stack that are worth keeping.
pub(crate) fn keep(class: Class) -> usize {
    KEEP[class.index()].load(Ordering::Relaxed) * PAGE
}

/// Starts between two probes: few where depths change, many where they do not.
const OFTEN: u32 = 16;
const SELDOM: u32 = 1024;

/// The probe of one processor; its holder uses it.
pub(super) struct Probe {
    /// Starts until the next one.
    left: Cell<u32>,
    interval: Cell<u32>,
    stack: Cell<Option<Stack>>,
}

impl Probe {
    pub(super) const fn new() -> Probe {
        Probe { left: Cell::new(OFTEN), interval: Cell::new(OFTEN), stack: Cell::new(None) }
    }

    /// A stack is handed out; nothing on it is in use.
    #[inline]
    pub(super) fn taken(&self, stack: Stack) {
        let left = self.left.get() - 1;
        self.left.set(left);
        if left == 0 {
            self.begin(stack);
        }
    }

    #[cold]
    fn begin(&self, stack: Stack) {
        self.left.set(self.interval.get());
        cut(stack, floor(keep(stack.class())));
        self.stack.set(Some(stack));
    }

    /// A stack comes back; nothing on it is in use.
    #[inline]
    pub(super) fn left(&self, stack: Stack) {
        if self.stack.get() == Some(stack) {
            self.end(stack);
        }
    }

    #[cold]
    fn end(&self, stack: Stack) {
        self.stack.set(None);
        let before = KEEP[stack.class().index()].load(Ordering::Relaxed);
        let depth = depth(stack).div_ceil(PAGE).max(1);
        let now = next(before, depth);
        KEEP[stack.class().index()].store(now, Ordering::Relaxed);
        if depth > 2 * now {
            cut(stack, now * PAGE);
        }
        let steady = before.abs_diff(depth) <= before / 2;
        let interval = if steady { (2 * self.interval.get()).min(SELDOM) } else { OFTEN };
        self.interval.set(interval);
    }
}

/// How much of `keep` a probe leaves.
fn floor(keep: usize) -> usize {
    (keep / 2).next_multiple_of(PAGE).max(PAGE)
}

/// The pages to keep after a task used `depth` of them.
fn next(keep: usize, depth: usize) -> usize {
    if depth > keep { keep + (depth - keep).div_ceil(2) } else { keep - (keep - depth).div_ceil(4) }
}

/// Bytes from the deepest resident page to the top.
pub(crate) fn depth(stack: Stack) -> usize {
    let top = stack.top().addr();
    mem::lowest_resident(stack.base().addr()..top).map_or(0, |lowest| top - lowest)
}

/// Gives back all but the uppermost `keep` bytes, a multiple of the page.
/// Nothing below them is in use.
pub(crate) fn cut(stack: Stack, keep: usize) {
    let len = stack.class().usable() - keep.min(stack.class().usable());
    // SAFETY: the caller owns the stack, or holds the task that does (K1), and
    // says that nobody needs what lies there.
    unsafe { mem::give_back(stack.base(), len) };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(mut keep: usize, depths: &[usize]) -> usize {
        for depth in depths {
            // What a probe can see.
            keep = next(keep, (*depth).max(floor(keep * PAGE) / PAGE));
        }
        keep
    }

    #[test]
    fn the_number_follows_what_tasks_use() {
        assert_eq!(after(1, &[1; 10]), 1);
        assert_eq!(after(1, &[700; 12]), 700);
        assert_eq!(after(700, &[1; 60]), 1);
        assert!((20..60).contains(&after(1, &[50, 20, 50, 20, 50, 20, 50, 20])));
    }

    #[test]
    fn one_deep_task_among_many_is_forgotten() {
        let mut depths = vec![1; 40];
        depths[3] = 100;
        assert_eq!(after(1, &depths), 1);
    }
}
