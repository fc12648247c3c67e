//! What the threads of the process compute: Go's CPU profile.
//!
//! A [signal](crate::sys::prof) interrupts each thread after each hundredth of a second
//! that it has computed. Its handler walks the stack there and then, and leaves the
//! addresses in one of a few tables, whichever is free; whoever makes the profile collects
//! them. The handler takes no lock and no memory: what it needs is there before.
//!
//! # Which stack it walks
//! | the code that was interrupted | the words it reads |
//! |---|---|
//! | of a task, on its own stack | that stack, from the stack pointer up: a task is on it, so it is there |
//! | of a task, outside of all sections | all pieces of its stack (V1): its chain changes in sections only |
//! | else: of the scheduler, of a thread that is none of ours | a copy of some kilobytes, made by the kernel, which knows what is there; it is walked later |
//!
//! A thread that is none of ours has a small stack for signals, or none: so its handler only
//! makes that copy. Workers have large ones (`sys/signal.rs`).
//!
//! - **C1** The inside of a table belongs to whoever has its [`Turn`]. Handlers try, and
//!   go to the next one; whoever collects waits, outside of sections, and has it in one.
//!
//! For the first two the task's name and labels are noted, too: only the task itself, on
//! this thread, takes them away.

use super::frames::Trace;
use super::unwind::{Found, Walker};
use crate::arch::Registers;
use crate::sched::worker;
use crate::stack::{self, Part};
use crate::sys::prof::{self, Clocks};
use crate::sys::section::{self, Section};
use crate::sys::turn::Turn;
use crate::task::record::Record;
use core::cell::UnsafeCell;
use core::ptr;
use rustc_hash::FxHashMap;
use std::io;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Between two samples of a thread. Go: 100 Hz.
const PERIOD: Duration = Duration::from_millis(10);
/// Between two looks for new threads, and at the tables.
const LOOK: Duration = Duration::from_millis(100);

/// What a handler fills while no other one does.
struct Table {
    turn: Turn,
    inner: UnsafeCell<Inner>,
}

// SAFETY: `inner` belongs to whoever has the turn (C1).
unsafe impl Sync for Table {}

struct Inner {
    walker: Walker,
    found: Found,
    samples: Samples,
}

/// Samples, in memory that was there before.
#[derive(Default)]
struct Samples {
    heads: Vec<Head>,
    addresses: Vec<usize>,
    texts: Vec<u8>,
    copies: Vec<Copied>,
    words: Vec<usize>,
}

/// A stack that has not been walked yet.
#[derive(Clone, Copy)]
struct Copied {
    at: Registers,
    periods: u64,
    words: usize,
}

#[derive(Clone, Copy)]
struct Head {
    periods: u64,
    addresses: usize,
    /// Behind so many of them some are missing, if any.
    inner: usize,
    elided: usize,
    whole: bool,
    texts: usize,
}

const TABLES: usize = 4;
/// In each; more than come between two looks.
const SAMPLES: usize = 512;
const ADDRESSES: usize = 64 * SAMPLES;
const TEXTS: usize = 64 * SAMPLES;
/// Stacks that are copied, and words of each.
const COPIES: usize = 128;
const COPIED: usize = 2048;

impl Samples {
    fn with_room() -> Samples {
        Samples {
            heads: Vec::with_capacity(SAMPLES),
            addresses: Vec::with_capacity(ADDRESSES),
            texts: Vec::with_capacity(TEXTS),
            copies: Vec::with_capacity(COPIES),
            words: Vec::with_capacity(COPIES * COPIED),
        }
    }

    fn clear(&mut self) {
        self.heads.clear();
        self.addresses.clear();
        self.texts.clear();
        self.copies.clear();
        self.words.clear();
    }

    /// Of a stack of which nothing is known. Allocates nothing. `false`: there is no room.
    fn copy(&mut self, at: &Registers, periods: u64) -> bool {
        if self.copies.len() == COPIES {
            return false;
        }
        let before = self.words.len();
        self.words.resize(before + COPIED, 0);
        let words = prof::copy_words(at.sp & !(size_of::<usize>() - 1), &mut self.words[before..]);
        self.words.truncate(before + words);
        self.copies.push(Copied { at: *at, periods, words });
        true
    }

    /// Allocates nothing. `false`: there is no room.
    fn add(&mut self, found: &Found, periods: u64, task: Option<&Record>) -> bool {
        let (inner, outer) = found.ends();
        let most = 2 * inner.len();
        if self.heads.len() == SAMPLES || self.addresses.len() + most > ADDRESSES {
            return false;
        }
        let before = (self.addresses.len(), self.texts.len());
        self.addresses.extend_from_slice(inner);
        outer.for_each(|address| self.addresses.push(address));
        if let Some(task) = task {
            // SAFETY: it is interrupted on this thread.
            unsafe { task.own_labels(|key, value| self.add_label(key, value)) };
        }
        self.heads.push(Head {
            periods,
            addresses: self.addresses.len() - before.0,
            inner: inner.len(),
            elided: found.elided(),
            whole: found.whole,
            texts: self.texts.len() - before.1,
        });
        true
    }

    fn add_label(&mut self, key: &str, value: &str) {
        if self.texts.len() + key.len() + value.len() + 2 <= TEXTS {
            for text in [key, value] {
                self.texts.extend_from_slice(text.as_bytes());
                self.texts.push(0);
            }
        }
    }
}

/// Made for the first profile, and never freed: a handler may come late.
static ALL: AtomicPtr<[Table; TABLES]> = AtomicPtr::new(ptr::null_mut());
static LOST: AtomicU64 = AtomicU64::new(0);
static PROFILE: Turn = Turn::new();

fn tables() -> Option<&'static [Table; TABLES]> {
    // ORDERING: Acquire; pairs with the Release in make(): the tables are made.
    // SAFETY: null, or from make(), and never freed.
    unsafe { ALL.load(Ordering::Acquire).as_ref() }
}

/// By whoever makes the profile.
fn make() -> &'static [Table; TABLES] {
    tables().unwrap_or_else(|| {
        let inner =
            || Inner { walker: Walker::new(), found: Found::new(), samples: Samples::with_room() };
        let table = |_| Table { turn: Turn::new(), inner: UnsafeCell::new(inner()) };
        let made = Box::leak(Box::new(core::array::from_fn(table)));
        // ORDERING: Release; pairs with the Acquire in tables().
        ALL.store(made, Ordering::Release);
        made
    })
}

impl Table {
    /// Calls `f` with the inside, unless somebody else has it. In a section.
    fn try_with<R>(&self, f: impl FnOnce(&mut Inner) -> R) -> Option<R> {
        if !self.turn.take() {
            return None;
        }
        // SAFETY: C1.
        let done = f(unsafe { &mut *self.inner.get() });
        self.turn.give_back();
        Some(done)
    }

    /// The same when it is free, which it is soon: the others are handlers.
    fn with<R>(&self, mut f: impl FnMut(&mut Inner) -> R) -> R {
        loop {
            let section = Section::new();
            let done = self.try_with(&mut f);
            drop(section);
            match done {
                Some(done) => return done,
                None => std::thread::yield_now(),
            }
        }
    }
}

/// In the handler.
fn on_sample(at: &Registers, outside: bool, periods: u64) {
    let added = tables()
        .into_iter()
        .flatten()
        .find_map(|table| table.try_with(|inner| inner.take(at, outside, periods)));
    if added != Some(true) {
        LOST.fetch_add(periods, Ordering::Relaxed);
    }
}

impl Inner {
    fn take(&mut self, at: &Registers, outside: bool, periods: u64) -> bool {
        let task = worker::current_task();
        let own = task.and_then(|task| task.place().stack());
        if let Some(own) = own.filter(|stack| stack.contains(at.sp)) {
            let bounds = (at.sp & !(size_of::<usize>() - 1), own.top().addr());
            let part = Part { bounds, left: None };
            return self.walk(at, core::iter::once(part), task, periods);
        }
        if outside
            && let Some((task, stack)) = task.and_then(|it| Some((it, stack::pieces_of(it)?)))
            && { stack }.any(|part| part.has(at.sp))
        {
            return self.walk(at, stack, Some(task), periods);
        }
        self.samples.copy(at, periods)
    }

    fn walk(
        &mut self,
        at: &Registers,
        parts: impl Iterator<Item = Part>,
        task: Option<&Record>,
        periods: u64,
    ) -> bool {
        // SAFETY: the walker asks for words of the parts of the stack that the interrupted
        // code is on: they are there, and only this thread writes them.
        let read = |at| unsafe { ptr::with_exposed_provenance::<usize>(at).read_volatile() };
        self.walker.walk(at, parts, read, &mut self.found);
        self.samples.add(&self.found, periods, task)
    }
}

/// What the process has computed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CpuProfile {
    /// One for each stack and each set of labels, the most frequent first.
    pub samples: Vec<CpuSample>,
    /// What each sample stands for.
    pub period: Duration,
    /// How long it was looked.
    pub duration: Duration,
    /// Samples for which there was no room.
    pub lost: u64,
}

/// Samples with equal stacks and labels.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CpuSample {
    /// How many.
    pub count: u64,
    /// Where the thread was.
    pub trace: Trace,
    /// Name and labels of its task.
    pub labels: Vec<(String, String)>,
}

/// Looks for so long at what the threads of the process compute, all of them: a hundred times
/// in each second that a thread computes. Go: `pprof.StartCPUProfile` and
/// `StopCPUProfile`.
///
/// Blocks the calling thread. Those that look are stopped for some microseconds each time.
/// Names and labels of tasks come with the samples that are theirs. Threads that block
/// SIGPROF are not in it.
///
/// # Errors
/// If there is a profile being made already, or the program handles SIGPROF itself
/// ([`ResourceBusy`](io::ErrorKind::ResourceBusy)).
///
/// ```
/// use std::time::Duration;
///
/// let task = gopark::go(|| (0..50_000_000_u64).fold(1, |a, b| std::hint::black_box(a ^ b)));
/// let profile = gopark::inspect::cpu_profile(Duration::from_millis(50))?;
/// assert_eq!(profile.period, Duration::from_millis(10));
/// # task.join().unwrap();
/// # std::io::Result::Ok(())
/// ```
pub fn cpu_profile(time: Duration) -> io::Result<CpuProfile> {
    section::check_outside();
    let _only = Only::one()?;
    let tables = make();
    for table in tables {
        // Nobody allocates while he has a table: the tables of libraries are looked for
        // with another walker.
        let mut walker = Walker::new();
        walker.refresh();
        table.with(|inner| core::mem::swap(&mut inner.walker, &mut walker));
    }
    let mut sums = Sums::default();
    let mut spare =
        Inner { walker: Walker::new(), found: Found::new(), samples: Samples::with_room() };
    spare.walker.refresh();
    // What a handler has left that came too late for the last one.
    tables.iter().for_each(|table| table.with(|inner| inner.samples.clear()));
    LOST.store(0, Ordering::Relaxed);
    let begun = Instant::now();
    let mut clocks = Clocks::start(PERIOD, on_sample)?;
    while let Some(left) = time.checked_sub(begun.elapsed()).filter(|left| !left.is_zero()) {
        std::thread::sleep(left.min(LOOK));
        clocks.look()?;
        collect(tables, &mut spare, &mut sums);
    }
    let duration = begun.elapsed();
    drop(clocks);
    collect(tables, &mut spare, &mut sums);
    let mut samples: Vec<CpuSample> = sums.into_values().collect();
    samples.sort_by_key(|sample| std::cmp::Reverse(sample.count));
    let lost = LOST.load(Ordering::Relaxed);
    Ok(CpuProfile { samples, period: PERIOD, duration, lost })
}

/// The profile that is being made.
struct Only(());

impl Only {
    fn one() -> io::Result<Only> {
        if !PROFILE.take() {
            let why = "a CPU profile is being made already";
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, why));
        }
        Ok(Only(()))
    }
}

impl Drop for Only {
    fn drop(&mut self) {
        PROFILE.give_back();
    }
}

type Sums = FxHashMap<(Vec<usize>, Vec<u8>), CpuSample>;

/// Takes what the handlers have left, with an inside that is in no table.
fn collect(tables: &[Table; TABLES], mine: &mut Inner, sums: &mut Sums) {
    for table in tables {
        table.with(|inner| core::mem::swap(&mut inner.samples, &mut mine.samples));
        let Inner { walker, found, samples } = &mut *mine;
        let (mut addresses, mut texts) = (&samples.addresses[..], &samples.texts[..]);
        for head in &samples.heads {
            let (own, others) = addresses.split_at(head.addresses);
            addresses = others;
            let (labels, others) = texts.split_at(head.texts);
            texts = others;
            let gap = (head.elided != 0).then_some((head.inner, head.elided));
            sum(sums, own, labels, gap, head.whole, head.periods);
        }
        let mut words = &samples.words[..];
        for copied in &samples.copies {
            let (own, others) = words.split_at(copied.words);
            words = others;
            let low = copied.at.sp & !(size_of::<usize>() - 1);
            let bounds = (low, low + size_of_val(own));
            let read = |at: usize| own[(at - low) / size_of::<usize>()];
            let part = Part { bounds, left: None };
            walker.walk(&copied.at, core::iter::once(part), read, found);
            let (inner, outer) = found.ends();
            let gap = (found.elided() != 0).then_some((inner.len(), found.elided()));
            let all: Vec<usize> = inner.iter().copied().chain(outer).collect();
            sum(sums, &all, &[], gap, found.whole, copied.periods);
        }
        samples.clear();
    }
}

fn sum(
    sums: &mut Sums,
    addresses: &[usize],
    labels: &[u8],
    gap: Option<(usize, usize)>,
    whole: bool,
    periods: u64,
) {
    let key = (addresses.to_vec(), labels.to_vec());
    let sample = sums.entry(key).or_insert_with(|| {
        let trace = Trace::of(addresses.to_vec(), gap, whole);
        CpuSample { count: 0, trace, labels: pairs(labels) }
    });
    sample.count += periods;
}

fn pairs(texts: &[u8]) -> Vec<(String, String)> {
    let mut texts = texts.split(|&byte| byte == 0).map(|text| String::from_utf8_lossy(text));
    let mut pairs = Vec::new();
    while let (Some(key), Some(value)) = (texts.next(), texts.next()) {
        pairs.push((key.into_owned(), value.into_owned()));
    }
    pairs
}

impl CpuProfile {
    /// In the form that `go tool pprof` reads: a compressed `profile.proto`, as Go's
    /// `/debug/pprof/profile` gives it. Needs the feature `debug`.
    ///
    /// # Errors
    /// Those of `out`.
    #[cfg(feature = "debug")]
    pub fn profile(&self, out: impl io::Write) -> io::Result<()> {
        let period = self.period.as_nanos() as u64;
        let mut profile = super::Profile::of(&[("samples", "count"), ("cpu", "nanoseconds")]);
        profile.period("cpu", "nanoseconds", period);
        profile.duration(self.duration);
        for sample in &self.samples {
            let stack = profile.all(&sample.trace);
            profile.add_values(&stack, &[sample.count, sample.count * period], sample.labels());
        }
        profile.finish(out)
    }
}

#[cfg(feature = "debug")]
impl CpuSample {
    fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        self.labels.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}
