//! What the tests of channels and locks share.

use gopark::JoinHandle;
use gopark::inspect::{Snapshot, WaitReason};
use gopark_tests::Patience;
use std::ops::RangeInclusive;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Who runs a part of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Task,
    Thread,
}

/// Both kinds.
pub(crate) const EACH: [Who; 2] = [Who::Task, Who::Thread];

/// All pairs of the two kinds.
pub(crate) const PAIRS: [(Who, Who); 4] = [
    (Who::Task, Who::Task),
    (Who::Task, Who::Thread),
    (Who::Thread, Who::Task),
    (Who::Thread, Who::Thread),
];

/// A task or thread that was started.
pub(crate) enum Running<T> {
    Task(JoinHandle<T>),
    Thread(std::thread::JoinHandle<T>),
}

impl Who {
    pub(crate) fn start<F, T>(self, f: F) -> Running<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        match self {
            Who::Task => Running::Task(gopark::go(f)),
            Who::Thread => Running::Thread(std::thread::spawn(f)),
        }
    }

    /// Lets others of its kind run.
    pub(crate) fn yield_now(self) {
        match self {
            Who::Task => gopark::yield_now(),
            Who::Thread => std::thread::yield_now(),
        }
    }
}

impl<T> Running<T> {
    fn is_finished(&self) -> bool {
        match self {
            Running::Task(task) => task.is_finished(),
            Running::Thread(thread) => thread.is_finished(),
        }
    }

    /// Its result; a panic in it is one here.
    #[track_caller]
    pub(crate) fn join(self) -> T {
        match self {
            Running::Task(task) => task.join().expect("the task ends well"),
            Running::Thread(thread) => thread.join().expect("the thread ends well"),
        }
    }
}

/// Counts who is parked at a call that stands between two lines of a test.
///
/// Tests that use it wait for a park instead of sleeping for as long as one is
/// hoped to take.
pub(crate) struct Here {
    from: &'static Location<'static>,
}

impl Here {
    /// The calls that count stand after this one.
    #[track_caller]
    pub(crate) fn start() -> Here {
        Here { from: Location::caller() }
    }

    /// Waits until exactly `count` tasks and threads are parked for `reason` at
    /// calls that stand between the start and this line.
    #[track_caller]
    pub(crate) fn parked(&self, count: usize, reason: WaitReason) {
        let lines = self.from.line()..=Location::caller().line();
        let mut patience = Patience::new(Duration::from_secs(30));
        loop {
            let seen = self.count(&lines, reason);
            if seen == count {
                return;
            }
            assert!(
                !patience.is_over(),
                "{seen} instead of {count} are parked at {}:{lines:?} for {}",
                self.from.file(),
                reason.as_str(),
            );
            std::thread::yield_now();
        }
    }

    /// Starts somebody who gives up after a while, and waits until `count` are parked,
    /// with him. Starts another one if he has given up before he was seen.
    #[track_caller]
    pub(crate) fn parked_in_time<T>(
        &self,
        count: usize,
        reason: WaitReason,
        start: impl Fn() -> Running<T>,
    ) -> Running<T> {
        let lines = self.from.line()..=Location::caller().line();
        loop {
            let one = start();
            while !one.is_finished() {
                if self.count(&lines, reason) == count {
                    return one;
                }
                std::thread::yield_now();
            }
            one.join();
        }
    }

    fn count(&self, lines: &RangeInclusive<u32>, reason: WaitReason) -> usize {
        let parked = Snapshot::all().tasks.into_iter().filter_map(|task| task.wait);
        parked
            .filter(|wait| {
                wait.reason == reason
                    && wait.site.file() == self.from.file()
                    && lines.contains(&wait.site.line())
            })
            .count()
    }
}

/// Counts for each of a number of values how often it was dropped.
#[derive(Clone)]
pub(crate) struct Ledger {
    drops: Arc<Vec<AtomicU32>>,
}

/// A value of a [`Ledger`].
pub(crate) struct Entry {
    pub(crate) number: usize,
    ledger: Ledger,
}

impl Ledger {
    pub(crate) fn new(len: usize) -> Ledger {
        Ledger { drops: Arc::new((0..len).map(|_| AtomicU32::new(0)).collect()) }
    }

    /// The value with this number. Make each once.
    pub(crate) fn entry(&self, number: usize) -> Entry {
        Entry { number, ledger: self.clone() }
    }

    /// How often the value was dropped.
    pub(crate) fn drops(&self, number: usize) -> u32 {
        self.drops[number].load(Ordering::Relaxed)
    }

    /// Fails unless every value was dropped exactly once.
    #[track_caller]
    pub(crate) fn all_dropped_once(&self) {
        for number in 0..self.drops.len() {
            assert_eq!(self.drops(number), 1, "drops of value {number}");
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.ledger.drops[self.number].fetch_add(1, Ordering::Relaxed);
    }
}

/// Random numbers that a seed repeats (xorshift).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 8) % limit
    }
}

/// Prints how to repeat a random test if it fails.
pub(crate) struct Seed(pub(crate) u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed with seed {}", self.0);
        }
    }
}

/// Runs a function when dropped.
pub(crate) struct OnDrop<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
