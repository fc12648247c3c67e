//! Where tasks wait for each other, and for how long: Go's block and mutex profiles.
//!
//! Both are off until somebody asks for them, and then cost a look at one word at each park
//! and at each unlock that somebody has waited for. The two tell of the same from either end:
//!
//! | profile | whose stack | what is counted | which events |
//! |---|---|---|---|
//! | block | who has waited | from the park until somebody makes the task ready (a thread that is no worker: until it goes on) | waits for channels, locks, groups, conditions, tasks; not sleep, not input and output |
//! | mutex | who has made others wait: the end of the critical section | from the waiter's park until it is woken | unlocks of [`Mutex`](crate::sync::Mutex) and [`RwLock`](crate::sync::RwLock) for which somebody waits |
//!
//! Both add up from the moment they are turned on; turning them off keeps what they have.
//!
//! An event is written down by the thread on which it happens, outside of all sections,
//! into a table that few others use at the same time; if all of them are in use, the event
//! is not counted, because nobody shall wait for a profile.
#![expect(clippy::disallowed_types, reason = "events are written down outside of sections")]

use super::WaitReason;
use super::frames::{Looker, Trace};
use super::profile;
use crate::sched::{look, worker};
use crate::sys::{clock, section};
use crate::task::adopt;
use crate::task::record::{Record, flag};
use crate::task::state::Status;
use rustc_hash::FxHashMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, TryLockError};
use std::time::Duration;

/// Whether any of the two is on: all that others look at.
static ON: AtomicBool = AtomicBool::new(false);
static BLOCK_RATE: AtomicU64 = AtomicU64::new(0);
static MUTEX_FRACTION: AtomicU32 = AtomicU32::new(0);

/// Sets which part of the waits is in the [block profile](block_profile): on average one
/// for each `nanoseconds` that tasks have spent waiting. 1: all of them; 0, as at first: none.
/// Go: `runtime.SetBlockProfileRate`.
///
/// A wait that is shorter is in it with the chance of its part, and stands for so many more,
/// so that counts and times are right on average.
///
/// ```
/// gopark::inspect::set_block_profile_rate(1);
/// let (tx, rx) = gopark::chan::rendezvous();
/// let task = gopark::go(move || rx.recv());
/// gopark::sleep(std::time::Duration::from_millis(2));
/// tx.send(7).unwrap();
/// assert_eq!(task.join().unwrap(), Ok(7));
/// let profile = gopark::inspect::block_profile();
/// assert!(profile.text().starts_with("--- contention:\ncycles/second=1000000000\n"));
/// gopark::inspect::set_block_profile_rate(0);
/// ```
pub fn set_block_profile_rate(nanoseconds: u64) {
    BLOCK_RATE.store(nanoseconds, Ordering::Relaxed);
    turn();
}

/// Sets which part of the contended unlocks is in the [mutex profile](mutex_profile): on
/// average one of `fraction`; 0, as at first: none. Returns what it was. Go:
/// `runtime.SetMutexProfileFraction`.
///
/// ```
/// use gopark::inspect::{mutex_profile_fraction, set_mutex_profile_fraction};
///
/// assert_eq!(set_mutex_profile_fraction(5), 0);
/// assert_eq!(mutex_profile_fraction(), 5);
/// ```
pub fn set_mutex_profile_fraction(fraction: u32) -> u32 {
    let before = MUTEX_FRACTION.swap(fraction, Ordering::Relaxed);
    turn();
    before
}

/// What was [set](set_mutex_profile_fraction). Go: `runtime.SetMutexProfileFraction(-1)`.
pub fn mutex_profile_fraction() -> u32 {
    MUTEX_FRACTION.load(Ordering::Relaxed)
}

fn turn() {
    let on = BLOCK_RATE.load(Ordering::Relaxed) != 0 || mutex_profile_fraction() != 0;
    ON.store(on, Ordering::Relaxed);
}

/// To be asked at each park.
#[inline]
pub(crate) fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// `park` parks, from the time that it is given; then that is written down.
#[inline]
pub(crate) fn during<R>(reason: WaitReason, park: impl FnOnce(u64) -> R) -> R {
    let since = clock::now();
    let done = park(since);
    blocked(reason, since);
    done
}

/// The task was claimed: whoever does that says when, before it can be started.
#[inline]
pub(crate) fn ready(task: &Record) {
    if is_on() {
        task.describe_claim(clock::now());
    }
}

/// When the wait has ended that began then.
fn ended(since: u64) -> u64 {
    // In a call the same word says since when.
    let me = worker::current_task().filter(|me| me.state.read().status() == Status::Running);
    let claimed = me.map(Record::since).filter(|claimed| *claimed > since);
    // That it is counted was not known yet when it was claimed, or it has not parked.
    claimed.unwrap_or_else(clock::now)
}

fn blocked(reason: WaitReason, since: u64) {
    let rate = BLOCK_RATE.load(Ordering::Relaxed);
    let alone = matches!(reason, WaitReason::Sleep | WaitReason::IoWait | WaitReason::Offload);
    if rate == 0 || alone {
        return;
    }
    let time = ended(since).saturating_sub(since).max(1);
    if time >= rate {
        note(Which::Block, 1.0, time as f64);
    } else if chance(rate) <= time {
        note(Which::Block, rate as f64 / time as f64, rate as f64);
    }
}

/// Is this unlock one of those that are counted?
#[inline]
pub(crate) fn counts_unlock() -> bool {
    is_on() && {
        let fraction = mutex_profile_fraction();
        fraction != 0 && chance(fraction.into()) == 0
    }
}

/// Waiters that are woken, and for how many nanoseconds they have waited together.
#[derive(Clone, Copy, Default)]
pub(crate) struct Waited {
    pub(crate) count: u64,
    pub(crate) time: u64,
}

/// An unlock that [counts](counts_unlock) has woken these; all locks of the caller's are
/// released.
#[cold]
pub(crate) fn unlocked(woken: Waited) {
    if woken.count != 0 {
        let each = f64::from(mutex_profile_fraction().max(1));
        note(Which::Mutex, each * woken.count as f64, each * woken.time as f64);
    }
}

/// Below `n`.
fn chance(n: u64) -> u64 {
    static SEED: AtomicU64 = AtomicU64::new(0);
    // Steele, Lea, Flood: splitmix64.
    let mut z = SEED.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (z ^ (z >> 31)) % n
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Block,
    Mutex,
}

#[derive(Clone, Copy, Default)]
struct Sums {
    count: f64,
    time: f64,
}

/// A part of the events.
struct Table {
    looker: Looker,
    /// By the keys of the traces, which are kept.
    sums: FxHashMap<usize, (Trace, [Sums; 2])>,
    events: u32,
}

const TABLES: usize = 16;
static ALL: [Mutex<Option<Box<Table>>>; TABLES] = [const { Mutex::new(None) }; TABLES];

/// After so many events it is asked whether libraries were loaded.
const FRESH: u32 = 1024;

#[inline(never)]
fn note(which: Which, count: f64, time: f64) {
    let Some(me) = worker::current_task().or_else(adopt::existing) else { return };
    if !section::is_outside() || me.has(flag::SYSTEM) {
        return;
    }
    let (at, stack) = look::here();
    let first = table_of(me);
    let mut tables = (0..TABLES).map(|n| &ALL[(first + n) % TABLES]);
    let free = tables.find_map(|table| match table.try_lock() {
        Ok(table) => Some(table),
        Err(TryLockError::Poisoned(table)) => Some(table.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    });
    let Some(mut table) = free else { return };
    let table = table.get_or_insert_with(|| {
        Box::new(Table { looker: Looker::new(), sums: FxHashMap::default(), events: 0 })
    });
    if table.events.is_multiple_of(FRESH) {
        table.looker.refresh();
    }
    table.events = table.events.wrapping_add(1);
    let Some(trace) = table.looker.here(&at, stack) else { return };
    let (_, sums) = table.sums.entry(trace.key()).or_insert_with(|| (trace, Default::default()));
    let sums = &mut sums[which as usize];
    sums.count += count;
    sums.time += time;
}

/// Those who run at the same time use different ones, mostly.
fn table_of(me: &Record) -> usize {
    worker::current().map_or(me.id_number() as usize, |w| w.id as usize) % TABLES
}

/// Which waits there were, and where: see [`block_profile`] and [`mutex_profile`].
#[derive(Clone, Debug)]
pub struct Contention {
    which: &'static str,
    /// For how long it was looked, if that is known.
    #[cfg_attr(not(feature = "debug"), expect(dead_code, reason = "`go tool pprof` wants it"))]
    time: Option<Duration>,
    /// One for each stack, the longest first.
    pub records: Vec<Contended>,
}

/// Waits that have a stack in common.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Contended {
    /// How often, as far as is known from those that were counted.
    pub count: u64,
    /// How long together.
    pub delay: Duration,
    /// Of who has waited, or in a mutex profile of who has made others wait.
    pub trace: Trace,
}

/// Where tasks have waited for each other while [`set_block_profile_rate`] was not 0. Go:
/// `pprof.Lookup("block")`.
pub fn block_profile() -> Contention {
    Contention { which: "contention", time: None, records: records(Which::Block) }
}

/// Where locks were released for which others had waited, while
/// [`set_mutex_profile_fraction`] was not 0. Go: `pprof.Lookup("mutex")`.
///
/// ```
/// let profile = gopark::inspect::mutex_profile();
/// assert!(profile.records.is_empty());
/// ```
pub fn mutex_profile() -> Contention {
    Contention { which: "mutex", time: None, records: records(Which::Mutex) }
}

fn records(which: Which) -> Vec<Contended> {
    section::check_outside();
    let mut found: FxHashMap<Vec<usize>, (Trace, Sums)> = FxHashMap::default();
    for table in &ALL {
        let table = table.lock().unwrap_or_else(PoisonError::into_inner);
        for (trace, sums) in table.iter().flat_map(|table| table.sums.values()) {
            let sums = sums[which as usize];
            if sums.count > 0.0 {
                let one = found.entry(trace.addresses().to_vec());
                let (_, all) = one.or_insert_with(|| (trace.clone(), Sums::default()));
                all.count += sums.count;
                all.time += sums.time;
            }
        }
    }
    let records = found.into_values().map(|(trace, sums)| Contended {
        count: sums.count.round() as u64,
        delay: Duration::from_nanos(sums.time as u64),
        trace,
    });
    let mut records: Vec<_> = records.collect();
    records.sort_by_key(|record| std::cmp::Reverse(record.delay));
    records
}

impl Contention {
    /// What has been added in this time, since there was no more than that.
    #[cfg(feature = "debug")]
    pub(crate) fn since(mut self, before: &Contention, time: Duration) -> Contention {
        let old: FxHashMap<&[usize], &Contended> =
            before.records.iter().map(|record| (record.trace.addresses(), record)).collect();
        for record in &mut self.records {
            if let Some(old) = old.get(record.trace.addresses()) {
                record.count = record.count.saturating_sub(old.count);
                record.delay = record.delay.saturating_sub(old.delay);
            }
        }
        self.records.retain(|record| record.count != 0 || !record.delay.is_zero());
        self.records.sort_by_key(|record| std::cmp::Reverse(record.delay));
        self.time = Some(time);
        self
    }

    /// In the form of Go's `/debug/pprof/block?debug=1` and `mutex?debug=1`: for each stack
    /// its nanoseconds (which are the cycles), its number and its addresses, the longest
    /// first.
    pub fn text(&self) -> String {
        // Writing to a string does not fail.
        let mut text = format!("--- {}:\ncycles/second=1000000000\n", self.which);
        if self.which == "mutex" {
            let _ = writeln!(text, "sampling period={}", mutex_profile_fraction());
        }
        for record in &self.records {
            let _ = write!(text, "{} {} @", record.delay.as_nanos(), record.count);
            profile::write_stack(&mut text, Some(&record.trace), std::iter::empty());
        }
        text
    }

    /// In the form that `go tool pprof` reads: a compressed `profile.proto`, as Go's
    /// `/debug/pprof/block` and `mutex` give it. Needs the feature `debug`.
    ///
    /// # Errors
    /// Those of `out`.
    ///
    /// ```
    /// let mut file = Vec::new();
    /// gopark::inspect::block_profile().profile(&mut file)?;
    /// assert!(file.starts_with(&[0x1f, 0x8b]));
    /// # std::io::Result::Ok(())
    /// ```
    #[cfg(feature = "debug")]
    pub fn profile(&self, out: impl std::io::Write) -> std::io::Result<()> {
        let mut profile = super::Profile::of(&[("contentions", "count"), ("delay", "nanoseconds")]);
        profile.period("contentions", "count", 1);
        profile.duration(self.time.unwrap_or_default());
        for record in &self.records {
            let stack = profile.shown(&record.trace);
            let delay = u64::try_from(record.delay.as_nanos()).unwrap_or(u64::MAX);
            profile.add_values(&stack, &[record.count, delay], std::iter::empty());
        }
        profile.finish(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chances_are_even() {
        let mut seen = [0; 10];
        (0..10_000).for_each(|_| seen[chance(10) as usize] += 1);
        assert!(seen.iter().all(|n| (800..1200).contains(n)), "{seen:?}");
        assert_eq!(chance(1), 0);
    }
}
