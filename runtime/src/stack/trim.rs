//! Giving pages back: of parked tasks, and of stacks that nobody uses.
//!
//! # Parked tasks
//! Go shrinks a stack when the collector scans it: to a half, if less than a
//! quarter is in use, so that a task that grows and shrinks in turn does not
//! copy its stack each time. The same here, where shrinking is one `madvise`
//! and growing again some page faults: [`target`] is that rule, and `sched/sysmon.rs`
//! applies it to tasks that have been parked for a while, once in [`EVERY`],
//! until it has nothing to say.
//!
//! # Free stacks
//! A second in which a warm stack was not needed makes it likely that it will
//! not be soon. The pool knows the fewest warm stacks that it had in that time;
//! a half of those are given back, so that a pool is cold some seconds after its
//! last use, and one that is in use keeps what it uses. Of the stacks that stay,
//! pages beyond [`adapt::keep`] go.
#![expect(clippy::disallowed_types, reason = "sysmon only tries to take it")]

use super::class::Class;
use super::pool::{POOLS, Pool};
use super::{Stack, adapt, arena};
use crate::sys::mem::{self, PAGE};
use crate::sys::section;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A task that has been parked for less is left alone.
pub(crate) const AFTER: Duration = Duration::from_millis(200);
/// Time between two halvings of one stack.
pub(crate) const EVERY: Duration = Duration::from_millis(100);

/// Stacks of parked tasks that were halved so far.
static TRIMS: AtomicU64 = AtomicU64::new(0);

pub(super) fn count() -> u64 {
    TRIMS.load(Ordering::Relaxed)
}

/// What a stack of `committed` bytes is cut to when `used` are in use; `None`:
/// it stays as it is.
fn target(used: usize, committed: usize) -> Option<usize> {
    let half = (committed / 2).next_multiple_of(PAGE);
    (used < committed / 4 && half < committed).then_some(half)
}

/// What a parked task's stack is cut to, by what is seen of it from outside.
pub(crate) fn wanted(stack: Stack, sp: usize) -> Option<usize> {
    let used = stack.contains(sp).then(|| stack.top().addr() - sp)?;
    target(used, adapt::depth(stack))
}

/// Cuts the stack of a task that is held in its park.
pub(crate) fn trim(stack: Stack, to: usize) {
    adapt::cut(stack, to);
    TRIMS.fetch_add(1, Ordering::Relaxed);
}

/// Free stacks that are worked on at once; nothing is allocated for more. Many,
/// because neighbours are given back by one call.
const CHUNK: usize = 1 << 16;

/// Held by who works on free stacks: what he has taken out of a pool, another one
/// would not find there. sysmon, which is in a section, only tries to take it (N1).
static TURN: Mutex<()> = Mutex::new(());

/// Works on free stacks; has room for a chunk of them.
pub(crate) struct Scavenger(Vec<Stack>);

impl Scavenger {
    pub(crate) fn new() -> Scavenger {
        Scavenger(Vec::with_capacity(CHUNK))
    }

    /// Ends a period: gives back a half of what was not needed in it, and cuts
    /// what stays. Whether warm stacks are left. Does not wait for its turn.
    pub(crate) fn end_period(&mut self) -> bool {
        let Ok(_turn) = TURN.try_lock() else { return true };
        let mut left = false;
        for class in Class::all() {
            let pool = &POOLS[class.index()];
            let unused = pool.end_period();
            self.cool(pool, class, unused.div_ceil(2));
            self.cut(pool, class);
            left |= pool.is_warm();
        }
        left
    }

    /// Gives back all warm stacks that are nowhere promised; how many.
    pub(crate) fn give_back_all(&mut self) -> usize {
        section::check_outside();
        let _turn = TURN.lock();
        let cool = |class: Class| self.cool(&POOLS[class.index()], class, usize::MAX);
        Class::all().map(cool).sum()
    }

    fn cool(&mut self, pool: &Pool, class: Class, most: usize) -> usize {
        let mut count = 0;
        while count < most {
            pool.take_warm(class, CHUNK.min(most - count), &mut self.0);
            if self.0.is_empty() {
                break;
            }
            count += self.0.len();
            self.0.sort_unstable_by_key(|stack| stack.top().addr());
            // The guards between neighbours survive.
            for run in
                self.0.chunk_by(|a, b| a.top().addr() + arena::stride(class) == b.top().addr())
            {
                let (first, last) = (run[0], run[run.len() - 1]);
                let len = last.top().addr() - first.base().addr();
                // SAFETY: these slots are ours (K1), and nothing else lies between.
                unsafe { mem::give_back(first.base(), len) };
            }
            pool.put_cold(&self.0);
            self.0.clear();
        }
        count
    }

    fn cut(&mut self, pool: &Pool, class: Class) {
        loop {
            pool.take_uncut(class, CHUNK, &mut self.0);
            if self.0.is_empty() {
                return;
            }
            self.0.iter().for_each(|stack| adapt::cut(*stack, adapt::keep(class)));
            pool.put_cut(&self.0);
            self.0.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halved_while_less_than_a_quarter_is_used() {
        let pages =
            |used, committed: usize| target(used, committed * PAGE).map(|bytes| bytes / PAGE);
        assert_eq!(pages(700, 50), Some(25));
        assert_eq!(pages(700, 25), Some(13));
        assert_eq!(pages(700, 3), Some(2));
        assert_eq!(pages(700, 2), Some(1));
        assert_eq!(pages(700, 1), None);
        assert_eq!(pages(2 * PAGE, 8), None, "a quarter is not less than a quarter");
        assert_eq!(pages(2 * PAGE - 1, 8), Some(4));
        assert_eq!(pages(0, 0), None);
    }
}
