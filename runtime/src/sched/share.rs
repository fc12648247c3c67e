//! How many tasks a thief takes.
//!
//! In default mode a started task stays on its worker. So what a thief takes and starts
//! it has for good, also when it was only faster: a worker on which sixty servers have
//! been started waits for their clients, looks idle, and would start half of these,
//! too. From then on it has three times as much to do as the other, and no cure.
//!
//! So a thief takes no more than evens out how many started tasks each has, counting
//! those in the ring as the victim's. That is in vain if the thief's tasks wait for other
//! things: so it is modest some hundred times only, now and then. That is long enough for
//! a burst of tasks to be started; and where many tasks end soon, a worker with many
//! that wait loses a hundredth of its time and else takes half, as in migrating mode,
//! where nothing stays. And before it sleeps it takes one in any case: whoever has the
//! ring may compute for long, and no processor is idle while a task waits.

use super::SCHED;
use super::processor::Processor;
use super::worker::Worker;
use crate::sys::clock;
use core::cell::Cell;

/// How often it is modest, in a time during which it is not again. A search looks ten
/// times, and waits between, some 20 µs in all.
const TIMES: u32 = 500;
/// In nanoseconds.
const NOW_AND_THEN: u64 = 100_000_000;

/// A worker's; belongs to its thread (W1).
pub(crate) struct Modesty {
    /// When it began to count.
    since: Cell<u64>,
    left: Cell<u32>,
}

impl Modesty {
    pub(crate) const fn new() -> Modesty {
        Modesty { since: Cell::new(0), left: Cell::new(TIMES) }
    }

    /// What `thief` takes at most of the victim's ring.
    pub(super) fn most(&self, thief: &Worker, victim: &Processor) -> u32 {
        if SCHED.migrating() {
            return u32::MAX;
        }
        let Some(holder) = victim.holder() else { return u32::MAX };
        let (mine, theirs) = (thief.bound_alive.get(), holder.bound_alive.get());
        self.share(mine, theirs, victim.ring.len(), clock::coarse)
    }

    fn share(&self, mine: usize, theirs: usize, ring: u32, now: impl FnOnce() -> u64) -> u32 {
        let ring = ring as usize;
        let fair = (theirs + ring).saturating_sub(mine).div_ceil(2);
        if fair >= ring - ring / 2 || !self.lasts(now()) {
            return u32::MAX;
        }
        // Less than the ring has.
        fair as u32
    }

    fn lasts(&self, now: u64) -> bool {
        if now.saturating_sub(self.since.get()) >= NOW_AND_THEN {
            self.since.set(now);
            self.left.set(TIMES);
        }
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        left != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: u64 = 7 * NOW_AND_THEN;

    fn share(mine: usize, theirs: usize, ring: u32) -> u32 {
        Modesty::new().share(mine, theirs, ring, || T)
    }

    #[test]
    fn who_has_fewer_takes_half() {
        for (mine, theirs, ring) in [(0, 0, 1), (0, 0, 2), (0, 1, 200), (9, 9, 5), (3, 80, 60)] {
            assert_eq!(share(mine, theirs, ring), u32::MAX, "{mine} {theirs} {ring}");
        }
    }

    #[test]
    fn who_has_more_takes_what_makes_them_even() {
        assert_eq!(share(64, 2, 62), 0);
        assert_eq!(share(64, 30, 64), 15);
        assert_eq!(share(10, 9, 5), 2);
        assert_eq!(share(1000, 1, 200), 0);
    }

    #[test]
    fn nobody_is_modest_for_long_or_often() {
        let modesty = Modesty::new();
        let share = |at| modesty.share(64, 2, 62, || at);
        for n in 0..TIMES {
            assert_eq!(share(T + u64::from(n)), 0, "{n}");
        }
        for later in [u64::from(TIMES), NOW_AND_THEN / 2, NOW_AND_THEN - 1] {
            assert_eq!(share(T + later), u32::MAX, "{later}");
        }
        assert_eq!(share(T + NOW_AND_THEN), 0);
    }

    #[test]
    fn the_clock_is_read_only_where_it_matters() {
        Modesty::new().share(0, 4, 8, || unreachable!("half is fair"));
    }
}
