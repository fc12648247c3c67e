//! How long a thief leaves tasks to the processor that has them.
//!
//! Tasks that are made together often talk to each other, and they are made faster
//! than a thief can look: whoever makes four of them and waits for them has started
//! all of them a microsecond later. A thief that takes one meanwhile saves nothing.
//! It parts it from its siblings, in default mode for good, and from then on each
//! message goes from one thread to another.
//!
//! So a thief takes what has waited for a while under its eyes:
//! - ten microseconds, if the processor has not changed its task meanwhile. Its task
//!   computes, or blocks;
//! - twice as long, if it has. Then it comes to those that wait, as a rule; but two
//!   that wake each other go before them up to 61 times (`find.rs`);
//! - not at all, if many wait: it would take long to come to the last.
//!
//! Go leaves only the task that was made last to its maker, for 3 µs. There a started
//! one follows who wakes it, so siblings that were parted come together again. Still
//! migrating mode gains as much by this.
//!
//! No task is left waiting beside an idle processor: a thief that gives up its search
//! looks once more before it sleeps (w4 of `idle.rs`), and if a task waits then, however
//! short, it searches again.

use core::cell::Cell;

/// In nanoseconds, while the victim changes tasks.
const HOLD: u32 = 20_000;
/// The same, while it does not.
const STILL: u32 = 10_000;
/// Tasks in a ring that are not left waiting.
const MANY: u32 = 8;

/// What a thief has seen of one victim. Belongs to the holder of the thief's processor.
///
/// Times are the lower halves of the clock's, and count if they are not from before the
/// search began. Two that are four seconds apart are taken for the same once in a
/// hundred thousand times, and then a task waits for a moment more or less.
pub(crate) struct Sight {
    tick: Cell<u32>,
    /// When its tick was last seen to have changed.
    moved: Cell<u32>,
    /// Since when there is something to take; before the search if there is nothing.
    waits: Cell<u32>,
}

/// What a thief sees.
pub(super) struct Look {
    /// Decisions of the victim so far.
    pub(super) tick: u64,
    /// Tasks in its ring.
    pub(super) ring: u32,
    /// Is there one that runs next?
    pub(super) next: bool,
}

/// What it may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ripe {
    /// There is nothing.
    Nothing,
    /// Nothing yet.
    NotYet,
    /// Of the ring.
    Ring,
    /// Of the ring, or what runs next.
    All,
}

impl Sight {
    pub(crate) const fn new() -> Sight {
        Sight { tick: Cell::new(u32::MAX), moved: Cell::new(0), waits: Cell::new(0) }
    }

    /// What the thief may take now, in a search that began at `begun`.
    pub(super) fn ripe(&self, look: &Look, begun: u64, now: u64) -> Ripe {
        let searched = now.wrapping_sub(begun) as u32;
        let age = |time: &Cell<u32>| (now as u32).wrapping_sub(time.get());
        let tick = look.tick as u32;
        let moved = self.tick.replace(tick) != tick;
        if moved || age(&self.moved) > searched {
            self.moved.set(now as u32);
        }
        if look.ring == 0 && !look.next {
            self.waits.set((begun as u32).wrapping_sub(1));
            return Ripe::Nothing;
        }
        if age(&self.waits) > searched {
            self.waits.set(now as u32);
        }
        let (waited, still) = (age(&self.waits), age(&self.moved));
        if look.ring < MANY && waited < HOLD && (waited < STILL || still < STILL) {
            return Ripe::NotYet;
        }
        // What runs next would run in a moment if the victim changed tasks.
        if moved { Ripe::Ring } else { Ripe::All }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: u64 = 77 << 31;

    /// At each of the times after the search began: tick, ring, next, and what is ripe.
    fn search(sight: &Sight, begun: u64, looks: &[(u32, u64, u32, bool, Ripe)]) {
        for (n, &(at, tick, ring, next, ripe)) in looks.iter().enumerate() {
            let now = begun + u64::from(at);
            assert_eq!(sight.ripe(&Look { tick, ring, next }, begun, now), ripe, "{n}");
        }
    }

    #[test]
    fn who_computes_soon_loses_what_waits() {
        for (ring, next) in [(1, false), (0, true), (MANY - 1, true)] {
            let looks = [
                (0, 7, ring, next, Ripe::NotYet),
                (STILL - 1, 7, ring, next, Ripe::NotYet),
                (STILL, 7, ring, next, Ripe::All),
            ];
            search(&Sight::new(), T, &looks);
        }
    }

    #[test]
    fn who_changes_tasks_is_left_in_peace_for_longer() {
        let looks = [
            (0, 7, 2, false, Ripe::NotYet),
            (STILL, 8, 2, false, Ripe::NotYet),
            (2 * STILL - 1, 8, 2, false, Ripe::NotYet),
            (HOLD - 1, 9, 2, false, Ripe::NotYet),
            (HOLD, 9, 2, false, Ripe::All),
            (HOLD + 1, 10, 2, true, Ripe::Ring),
        ];
        search(&Sight::new(), T, &looks);
    }

    #[test]
    fn time_begins_again_when_nothing_waits() {
        let looks = [
            (0, 7, 2, false, Ripe::NotYet),
            (HOLD, 9, 0, false, Ripe::Nothing),
            (HOLD + 1, 10, 1, true, Ripe::NotYet),
            (2 * HOLD, 11, 1, true, Ripe::NotYet),
            (2 * HOLD + 1, 11, 1, true, Ripe::All),
        ];
        search(&Sight::new(), T, &looks);
    }

    #[test]
    fn what_was_seen_in_a_former_search_does_not_count() {
        let sight = Sight::new();
        search(&sight, T, &[(0, 7, 1, false, Ripe::NotYet)]);
        let looks = [(0, 7, 1, false, Ripe::NotYet), (STILL, 7, 1, false, Ripe::All)];
        search(&sight, T + u64::from(3 * HOLD), &looks);
    }

    #[test]
    fn many_need_not_wait() {
        search(&Sight::new(), T, &[(0, 7, MANY, true, Ripe::Ring), (1, 7, MANY, true, Ripe::All)]);
    }
}
