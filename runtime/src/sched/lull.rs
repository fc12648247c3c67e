//! How long a worker waits for its bound tasks before it goes to sleep.
//!
//! Two tasks that are bound to two workers and send each other values have nothing to
//! run by turns. If the one that waits gives its processor up and sleeps, each value
//! costs its sender a system call and the receiver the time that the kernel takes to
//! wake a thread: some twenty microseconds for what is done in three tenths of one if
//! the receiver looks at its inbox meanwhile. And the other cannot do so in a search
//! (`idle.rs`): of two workers that search, one must not.
//!
//! So a worker *lingers*: it keeps its processor and looks at nothing but its inbox,
//! which is in no cache line of those who work. A worker whose tasks wait for other
//! things would do so in vain each time. So it is only done where the last waits were
//! short, also those that it has slept through.
//!
//! Whoever lingers is no spinner, and its processor is not idle: for the others it is
//! as if it ran a task for that long. It goes through the search and the last look
//! afterwards, and leaves at once when somebody wants the processor.

use core::cell::Cell;

/// For how long at most, in nanoseconds: about what sleeping and waking cost.
const LONGEST: u64 = 10_000;
/// A wait of so many nanoseconds would not have been in vain. The wake-up is counted.
const SHORT: u64 = 20_000;

/// So many more waits were short than long, which count for [`LONG_WAIT`].
const ENOUGH: u32 = 2;
const MOST: u32 = 8;
const LONG_WAIT: u32 = 2;

/// A worker's; belongs to its thread (W1).
pub(crate) struct Lull {
    /// When it ran out of tasks; 0 if it did not.
    since: Cell<u64>,
    luck: Cell<u32>,
}

impl Lull {
    pub(crate) const fn new() -> Lull {
        Lull { since: Cell::new(0), luck: Cell::new(0) }
    }

    /// Another thread's is like new.
    pub(crate) fn forget(&self) {
        self.since.set(0);
        self.luck.set(0);
    }

    /// Is it worth lingering?
    #[inline]
    pub(super) fn is_short(&self) -> bool {
        self.luck.get() >= ENOUGH
    }

    /// The worker lingers. Until when at most.
    pub(super) fn begin(&self, now: u64) -> u64 {
        self.since.set(now);
        now + LONGEST
    }

    /// The worker goes to sleep, perhaps after it has lingered.
    pub(super) fn begin_to_sleep(&self, now: impl FnOnce() -> u64) {
        if self.since.get() == 0 {
            self.since.set(now());
        }
    }

    /// A bound task has come while it lingered.
    pub(super) fn end(&self) {
        self.since.set(0);
        self.luck.set((self.luck.get() + 1).min(MOST));
    }

    /// It is awake and has a processor; was it for a bound task?
    pub(super) fn end_of_sleep(&self, now: impl FnOnce() -> u64, bound: bool) {
        let since = self.since.replace(0);
        if since == 0 {
            return;
        }
        if bound && now().saturating_sub(since) < SHORT {
            self.end();
        } else {
            self.luck.set(self.luck.get().saturating_sub(LONG_WAIT));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: u64 = 1_000_000_000;

    fn sleep(lull: &Lull, time: u64, bound: bool) {
        lull.begin_to_sleep(|| T);
        lull.end_of_sleep(|| T + time, bound);
    }

    #[test]
    fn it_is_worth_it_after_some_short_waits() {
        let lull = Lull::new();
        for n in 0..ENOUGH {
            assert!(!lull.is_short(), "{n}");
            sleep(&lull, SHORT - 1, true);
        }
        assert!(lull.is_short());
    }

    #[test]
    fn it_is_not_after_long_ones_however_often_it_was() {
        let lull = Lull::new();
        for _ in 0..1000 {
            lull.begin(T);
            lull.end();
        }
        for n in 0..(MOST - ENOUGH) / LONG_WAIT + 1 {
            assert!(lull.is_short(), "{n}");
            sleep(&lull, SHORT, true);
        }
        assert!(!lull.is_short());
    }

    #[test]
    fn a_wait_begins_when_the_worker_has_begun_to_linger() {
        let lull = Lull::new();
        lull.begin(T);
        lull.begin_to_sleep(|| unreachable!("it has lingered"));
        lull.end_of_sleep(|| T + 1, true);
        assert_eq!(lull.luck.get(), 1);
    }

    #[test]
    fn waking_for_others_or_giving_way_to_them_is_no_short_wait() {
        let lull = Lull::new();
        sleep(&lull, 1, true);
        sleep(&lull, 1, false);
        assert_eq!(lull.luck.get(), 0);
        sleep(&lull, 1, true);
        // It has passed its processor on with tasks to run.
        lull.end_of_sleep(|| unreachable!("it did not wait"), true);
        assert_eq!(lull.luck.get(), 1);
    }
}
