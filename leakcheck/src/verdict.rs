//! Leaked or not: the decision, apart from where its facts come from.
//!
//! The loop looks, decides if it can, and waits for an event of the scope (a
//! task parked or ended) before it looks again. A look is one pass over the
//! tasks and no cut through time: what it saw of two tasks need not have been
//! true at once. So "nothing moves" is only believed when a second look finds
//! every task in the same uninterrupted state and nothing born meanwhile. What
//! could move something lies in the look too, and if it could not at the first
//! look, it could not in between.
//!
//! Tasks that wait for each other's locks need no stillness around them: nobody else
//! can help them. So they are believed as soon as a second look finds each of them in
//! the same uninterrupted wait, for a lock of the same owner.
//!
//! Two things happen without an event: a task that was ready gets a processor,
//! and something outside of the scope stops being able to wake anything. While
//! one of them is what the verdict hangs on, the loop looks again at growing
//! intervals.
//!
//! The deadline is for the tasks. Time that they have not had does not count: while
//! one is ready and gets no processor, and while the whole process stands still, which
//! shows in that a wait lasts much longer than it was told to.

use std::collections::HashSet;
use std::time::Duration;

use crate::settings::Timing;

/// First interval between looks where no event tells of a change.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
/// Longest such interval.
const LAST_PAUSE: Duration = Duration::from_millis(50);
/// How many deadlines a check lasts at most, waiting for processors included.
const OVERTIME: u32 = 10;

/// A task in one uninterrupted state: its number and its stamp.
pub(crate) type Stamped = (u64, u64);

/// One pass over the tasks of a scope.
pub(crate) struct Look<V> {
    /// Tasks alive that nobody asked to leave out.
    pub(crate) candidates: usize,
    /// Nothing was born during the pass, so it missed nothing.
    pub(crate) complete: bool,
    /// Every task is durably blocked and nothing could wake one.
    pub(crate) still: bool,
    /// Some task waits for a lock of its own, or several for each other's, so that no
    /// other task can help: as far as one pass can tell.
    pub(crate) deadlock: bool,
    /// Tasks that are ready and have no processor.
    pub(crate) ready: Vec<Stamped>,
    /// Whether the pass should be repeated although no event may come.
    pub(crate) restless: bool,
    /// What was seen.
    pub(crate) view: V,
}

/// Where the facts come from.
pub(crate) trait World {
    /// What a look keeps: enough to compare it with another, and to report.
    type View;

    /// Time since some fixed moment.
    fn now(&self) -> Duration;
    /// Tasks alive, cheaply; zero is exact.
    fn live(&self) -> usize;
    /// Events so far.
    fn epoch(&self) -> u32;
    /// Waits until there was an event after the `seen` ones, or for `timeout`.
    fn wait(&self, seen: u32, timeout: Duration);
    /// Looks at every task.
    fn look(&self) -> Look<Self::View>;
    /// Whether both looks saw the same tasks, each in the same uninterrupted state.
    fn same(earlier: &Self::View, later: &Self::View) -> bool;
    /// Whether both looks saw such a deadlock, of the same tasks in the same waits.
    fn same_deadlock(earlier: &Self::View, later: &Self::View) -> bool;
}

/// The decision.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict<V> {
    /// Nothing is left that should not be.
    Clean,
    /// Tasks are left.
    Leaked {
        /// What was seen last.
        view: V,
        /// Everything stood still and nothing could change that; else the
        /// deadline has passed, or there is a deadlock.
        proven: bool,
        /// Some tasks wait for each other, whatever the others do. What was seen
        /// before the last look, too.
        deadlock: Option<V>,
        /// Time since the check began.
        after: Duration,
    },
}

/// Decides whether tasks are left.
pub(crate) fn decide<W: World>(world: &W, timing: Timing) -> Verdict<W::View> {
    let start = world.now();
    let mut last: Option<Seen<W::View>> = None;
    let mut excused = Duration::ZERO;
    let mut pause = FIRST_PAUSE;
    let mut extended = false;
    loop {
        let epoch = world.epoch();
        if world.live() == 0 {
            return Verdict::Clean;
        }
        let began = world.now();
        let look = world.look();
        let ended = world.now();
        let mut still_since = ended;
        if let Some(last) = &last {
            if look.still && last.look.still && W::same(&last.look.view, &look.view) {
                still_since = last.still_since;
            }
            let late = began.saturating_sub(last.until);
            if late > LAST_PAUSE || starved(&last.look.ready, &look.ready) {
                excused += began - last.began;
            }
            pause = if epoch == last.epoch { (pause * 2).min(LAST_PAUSE) } else { FIRST_PAUSE };
        }

        // By when the look began: what it takes itself is not the tasks' doing,
        // and with a hundred thousand of them it can take longer than all else.
        let spent = began - start;
        if !look.ready.is_empty() && !extended && spent >= timing.deadline.saturating_add(excused) {
            // Whether a task that is ready by now waits for a processor or runs
            // all the time shows only later.
            extended = true;
            excused = spent + LAST_PAUSE - timing.deadline;
        }
        let utmost = timing.deadline.saturating_mul(OVERTIME);
        let limit = match look.still {
            // On the way to the proof: one more look, not the deadline, is due.
            true => utmost,
            false => timing.deadline.saturating_add(excused).min(utmost),
        };
        let left = limit.saturating_sub(spent);
        let over = left.is_zero();
        if look.candidates == 0 && (look.complete || over) {
            return Verdict::Clean;
        }
        // Both looks were whole passes, and the later one began when the
        // stillness had lasted long enough: the double collect.
        let repeated = still_since < ended;
        let proven = look.still && repeated && began >= still_since.saturating_add(timing.settle);
        let earlier = last.as_ref().filter(|last| last.look.deadlock && look.deadlock);
        let deadlock = earlier.is_some_and(|it| W::same_deadlock(&it.look.view, &look.view));
        // If all else stands still as well, the whole is proven soon.
        if proven || over || (deadlock && !look.still) {
            let deadlock = last.filter(|_| deadlock).map(|last| last.look.view);
            return Verdict::Leaked { view: look.view, proven, deadlock, after: ended - start };
        }

        let timeout = if look.still {
            still_since.saturating_add(timing.settle).saturating_sub(ended)
        } else if look.deadlock {
            // Proven by a second look, which needs no time in between.
            Duration::ZERO
        } else if look.restless {
            pause
        } else {
            left
        };
        let timeout = timeout.min(left);
        rest(world, epoch, timeout, ended - began);
        last = Some(Seen { look, epoch, began, until: ended + timeout, still_since });
    }
}

/// A look, and when it was.
struct Seen<V> {
    look: Look<V>,
    /// Events before it.
    epoch: u32,
    began: Duration,
    /// When the next one was due at the latest.
    until: Duration,
    /// The end of the first of the equal looks of which this is the last.
    still_since: Duration,
}

/// Waits for an event or the timeout. When looking is expensive, events that
/// come quickly are taken together: at most half of the time goes into looking,
/// and tasks that all end cost a few looks and not one each.
fn rest<W: World>(world: &W, mut seen: u32, timeout: Duration, cost: Duration) {
    let start = world.now();
    let mut left = timeout;
    while !left.is_zero() {
        world.wait(seen, left);
        let past = world.now() - start;
        if past >= cost || world.live() == 0 {
            return;
        }
        left = timeout.min(cost).saturating_sub(past);
        seen = world.epoch();
    }
}

/// Whether some task was ready at both looks and did not run in between.
fn starved(before: &[Stamped], now: &[Stamped]) -> bool {
    if before.is_empty() || now.is_empty() {
        return false;
    }
    let before: HashSet<Stamped> = before.iter().copied().collect();
    now.iter().any(|task| before.contains(task))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::{Cell, RefCell};

    const MS: Duration = Duration::from_millis(1);
    const TIMING: Timing = Timing {
        settle: Duration::from_millis(20),
        deadline: Duration::from_millis(1000),
        hang: Duration::ZERO,
    };

    /// What is the case from some moment on.
    #[derive(Clone, Copy)]
    struct State {
        live: usize,
        still: bool,
        ready: Option<u64>,
        restless: bool,
        ignored: bool,
        deadlock: bool,
    }

    const PARKED: State = State {
        live: 1,
        still: true,
        ready: None,
        restless: false,
        ignored: false,
        deadlock: false,
    };
    const RUNNING: State = State { still: false, ..PARKED };
    const READY: State = State { ready: Some(1), restless: true, ..RUNNING };
    const OUTSIDE: State = State { still: false, restless: true, ..PARKED };
    const GONE: State = State { live: 0, still: false, ..PARKED };

    /// A world that follows a script: from when on, whether there is an event, what is so.
    struct Script {
        now: Cell<Duration>,
        looks: Cell<u32>,
        look_cost: Duration,
        /// Within this time nobody runs, who waits neither.
        stopped: (Duration, Duration),
        script: RefCell<Vec<(Duration, bool, State)>>,
    }

    impl Script {
        fn new(script: &[(u64, bool, State)]) -> Script {
            let script = script.iter().map(|(ms, event, state)| (MS * *ms as u32, *event, *state));
            Script {
                now: Cell::default(),
                looks: Cell::default(),
                look_cost: Duration::from_micros(10),
                stopped: (Duration::MAX, Duration::MAX),
                script: RefCell::new(script.collect()),
            }
        }

        fn at(&self, now: Duration) -> (usize, State) {
            let script = self.script.borrow();
            let n =
                script.iter().rposition(|(from, ..)| *from <= now).expect("the script starts at 0");
            (n, script[n].2)
        }

        fn milliseconds(&self) -> u128 {
            self.now.get().as_millis()
        }
    }

    impl World for Script {
        type View = usize;

        fn now(&self) -> Duration {
            self.now.get()
        }

        fn live(&self) -> usize {
            self.at(self.now.get()).1.live
        }

        fn epoch(&self) -> u32 {
            let script = self.script.borrow();
            script.iter().filter(|(from, event, _)| *event && *from <= self.now.get()).count()
                as u32
        }

        fn wait(&self, seen: u32, timeout: Duration) {
            if self.epoch() == seen {
                let end = self.now.get() + timeout;
                let script = self.script.borrow();
                let next = script.iter().find(|(from, event, _)| *event && *from > self.now.get());
                let end = next.map_or(end, |(from, ..)| (*from).min(end));
                let (from, to) = self.stopped;
                self.now.set(if self.now.get() < from && from <= end { end.max(to) } else { end });
            }
        }

        fn look(&self) -> Look<usize> {
            let (n, state) = self.at(self.now.get());
            self.looks.set(self.looks.get() + 1);
            self.now.set(self.now.get() + self.look_cost);
            Look {
                candidates: if state.ignored { 0 } else { state.live },
                complete: true,
                still: state.still,
                ready: state.ready.map(|stamp| (1, stamp)).into_iter().collect(),
                restless: state.restless,
                deadlock: state.deadlock,
                view: n,
            }
        }

        fn same(earlier: &usize, later: &usize) -> bool {
            earlier == later
        }

        fn same_deadlock(earlier: &usize, later: &usize) -> bool {
            earlier == later
        }
    }

    fn proven<V>(verdict: &Verdict<V>) -> Option<bool> {
        match verdict {
            Verdict::Clean => None,
            Verdict::Leaked { proven, .. } => Some(*proven),
        }
    }

    #[test]
    fn nothing_alive_passes_without_a_look() {
        let world = Script::new(&[(0, false, GONE)]);
        assert_eq!(decide(&world, TIMING), Verdict::Clean);
        assert_eq!(world.looks.get(), 0);
    }

    #[test]
    fn a_leak_is_proven_by_two_looks_after_settle() {
        let world = Script::new(&[(0, false, PARKED)]);
        assert_eq!(proven(&decide(&world, TIMING)), Some(true));
        assert_eq!(world.milliseconds(), 20);
        assert_eq!(world.looks.get(), 2);
    }

    #[test]
    fn settle_zero_decides_at_once_but_still_looks_twice() {
        let world = Script::new(&[(0, false, PARKED)]);
        let timing = Timing { settle: Duration::ZERO, ..TIMING };
        assert_eq!(proven(&decide(&world, timing)), Some(true));
        assert_eq!((world.milliseconds(), world.looks.get()), (0, 2));
    }

    #[test]
    fn an_event_starts_the_stillness_again() {
        let world = Script::new(&[(0, false, PARKED), (15, true, PARKED), (30, true, PARKED)]);
        assert_eq!(proven(&decide(&world, TIMING)), Some(true));
        assert_eq!(world.milliseconds(), 50);
    }

    #[test]
    fn a_change_without_an_event_is_seen_by_the_second_look() {
        let world = Script::new(&[(0, false, PARKED), (10, false, PARKED)]);
        assert_eq!(proven(&decide(&world, TIMING)), Some(true));
        assert_eq!(world.milliseconds(), 40);
    }

    #[test]
    fn a_task_that_ends_is_waited_for_without_looking() {
        let world = Script::new(&[(0, false, RUNNING), (700, true, GONE)]);
        assert_eq!(decide(&world, TIMING), Verdict::Clean);
        assert_eq!((world.milliseconds(), world.looks.get()), (700, 1));
    }

    #[test]
    fn the_deadline_ends_it() {
        let world = Script::new(&[(0, false, RUNNING)]);
        assert_eq!(proven(&decide(&world, TIMING)), Some(false));
        assert_eq!((world.milliseconds(), world.looks.get()), (1000, 2));
    }

    #[test]
    fn time_in_which_all_stood_still_does_not_count() {
        let mut world = Script::new(&[(0, false, RUNNING), (5300, true, GONE)]);
        world.stopped = (MS * 400, MS * 5000);
        assert_eq!(decide(&world, TIMING), Verdict::Clean);
        assert_eq!(world.milliseconds(), 5300);
        // But what was left of the deadline does.
        let mut world = Script::new(&[(0, false, OUTSIDE)]);
        world.stopped = (MS * 400, MS * 5000);
        assert_eq!(proven(&decide(&world, TIMING)), Some(false));
        assert!((5500..5700).contains(&world.milliseconds()), "{}", world.milliseconds());
    }

    #[test]
    fn a_foreign_thread_that_ends_is_noticed() {
        let world = Script::new(&[(0, false, OUTSIDE), (200, false, PARKED)]);
        assert_eq!(proven(&decide(&world, TIMING)), Some(true));
        assert!((220..=275).contains(&world.milliseconds()), "{}", world.milliseconds());
        assert!(world.looks.get() < 15, "{}", world.looks.get());
    }

    #[test]
    fn time_without_a_processor_does_not_count() {
        let world = Script::new(&[(0, false, READY), (5000, true, GONE)]);
        assert_eq!(decide(&world, TIMING), Verdict::Clean);
    }

    #[test]
    fn but_only_up_to_ten_deadlines() {
        let world = Script::new(&[(0, false, READY)]);
        assert_eq!(proven(&decide(&world, TIMING)), Some(false));
        assert_eq!(world.milliseconds(), 10_000);
    }

    #[test]
    fn ready_at_the_deadline_is_not_late() {
        let world = Script::new(&[(0, false, OUTSIDE), (990, false, READY), (1020, true, GONE)]);
        assert_eq!(decide(&world, TIMING), Verdict::Clean);
    }

    #[test]
    fn a_look_that_takes_longer_than_the_deadline_decides_nothing() {
        let mut world = Script::new(&[(0, false, READY), (2500, true, PARKED)]);
        world.look_cost = MS * 1200;
        assert_eq!(proven(&decide(&world, TIMING)), Some(true));
    }

    #[test]
    fn a_task_that_runs_and_is_ready_in_turn_has_no_excuse() {
        let turns: Vec<(u64, bool, State)> =
            (0..3000).map(|n| (n, false, State { ready: Some(n), ..READY })).collect();
        let world = Script::new(&turns);
        assert_eq!(proven(&decide(&world, TIMING)), Some(false));
        assert!(world.milliseconds() < 1100, "{}", world.milliseconds());
    }

    #[test]
    fn a_deadlock_is_proven_by_two_looks_whatever_else_runs() {
        let world = Script::new(&[(0, false, State { deadlock: true, ..RUNNING })]);
        let verdict = decide(&world, TIMING);
        assert!(matches!(verdict, Verdict::Leaked { proven: false, deadlock: Some(_), .. }));
        assert_eq!((world.milliseconds(), world.looks.get()), (0, 2));
    }

    #[test]
    fn a_deadlock_that_was_none_is_forgotten() {
        let dead = State { deadlock: true, ..RUNNING };
        // The script is looked up when a look begins: each look takes a millisecond.
        let mut world =
            Script::new(&[(0, false, dead), (1, true, dead), (2, true, RUNNING), (3, true, GONE)]);
        world.look_cost = MS;
        assert_eq!(decide(&world, TIMING), Verdict::Clean);
    }

    #[test]
    fn a_deadlock_among_tasks_that_stand_still_is_part_of_the_whole() {
        let world = Script::new(&[(0, false, State { deadlock: true, ..PARKED })]);
        let verdict = decide(&world, TIMING);
        assert!(matches!(verdict, Verdict::Leaked { proven: true, deadlock: Some(_), .. }));
        assert_eq!(world.milliseconds(), 20);
    }

    #[test]
    fn what_is_left_out_is_not_waited_for() {
        let world = Script::new(&[(0, false, State { ignored: true, ..RUNNING })]);
        assert_eq!(decide(&world, TIMING), Verdict::Clean);
        assert_eq!(world.milliseconds(), 0);
    }

    #[test]
    fn expensive_looks_take_many_events_together() {
        let events: Vec<(u64, bool, State)> = (0..500).map(|n| (n, n > 0, RUNNING)).collect();
        let mut world = Script::new(&events);
        world.script.borrow_mut().push((MS * 500, true, GONE));
        world.look_cost = MS * 50;
        assert_eq!(decide(&world, TIMING), Verdict::Clean);
        assert!(world.looks.get() <= 6, "{}", world.looks.get());
        assert!(world.milliseconds() <= 550, "{}", world.milliseconds());
    }
}
