//! What else can be left behind: things that are no tasks of the runtime.
//!
//! A [`Source`] knows one kind of them, such as OS threads. A check opens each of
//! its sources before the test's body runs, looks after it has ended, and reports what
//! is still there:
//!
//! ```
//! use leakcheck::source::{Item, Seen, Source, State};
//! use leakcheck::{Options, Scope};
//! use std::sync::atomic::{AtomicUsize, Ordering};
//!
//! /// Temporary files of the program.
//! static FILES: AtomicUsize = AtomicUsize::new(0);
//!
//! #[derive(Debug)]
//! struct Files;
//!
//! /// How many there were before.
//! struct Before(usize);
//!
//! impl Source for Files {
//!     fn open(&self, _: &Scope) -> Box<dyn Seen> {
//!         Box::new(Before(FILES.load(Ordering::Relaxed)))
//!     }
//! }
//!
//! impl Seen for Before {
//!     fn look(&mut self) -> Vec<Item> {
//!         let more = FILES.load(Ordering::Relaxed).saturating_sub(self.0);
//!         (0..more)
//!             .map(|n| {
//!                 Item::new("temporary file", n.to_string(), State::Stays)
//!                     .does("not removed")
//!                     .why("nobody removes it after the test")
//!             })
//!             .collect()
//!     }
//! }
//!
//! let guard = leakcheck::verify_none(Options::new().source(Files));
//! FILES.fetch_add(1, Ordering::Relaxed);
//! FILES.fetch_sub(1, Ordering::Relaxed);
//! drop(guard); // or it panics, with a report
//! ```
//!
//! # The promise
//!
//! A check calls, in this order: [`open`](Source::open) once, before the body;
//! [`any`](Seen::any) and [`look`](Seen::look) any number of times, after it;
//! [`end`](Seen::end) once, after the report has been written, and only if there was
//! one. All of it on the thread of the test, except that of a task's check, which is
//! made on another thread. In return the source promises:
//!
//! - **Q1** What it names came to be in the scope, after `open`. What it cannot
//!   attribute it leaves out or says so in [`Item::why`].
//! - **Q2** An item is named at every look from when it is there until it is gone, with
//!   the same [`id`](Item::new), and never again afterwards.
//! - **Q3** [`State::Stays`] is a proof: nothing will end it any more, except what the
//!   same look names. In doubt it is [`State::MayEnd`], and the check waits until the
//!   deadline.
//! - **Q4** None of the functions blocks. `any` is cheap: a test that leaves nothing
//!   pays for `open` and `any` only.
//!
//! The verdict on all sources together is that on tasks (see the [crate]): pass
//! as soon as no look names anything; leaked when all that is named `Stays`, and has
//! done so for `settle`; else leaked at the `deadline`.
//!
//! Tasks themselves are judged before, and not as a source: that nothing will wake a
//! task is proven of all tasks of a scope together, by two looks and what moved between
//! them, and such a proof cannot be put together from items.

pub(crate) mod threads;
#[cfg(feature = "tokio")]
pub mod tokio;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gopark::Scope;

use crate::settings::Timing;
use crate::{Candidate, Filter};

/// First interval between looks of sources that tell of no change.
pub(crate) const FIRST_PAUSE: Duration = Duration::from_millis(1);
/// Longest such interval.
pub(crate) const LAST_PAUSE: Duration = Duration::from_millis(50);

/// A kind of things that a test may leave behind; see the [module](self) for what is
/// promised.
pub trait Source: fmt::Debug + Send + Sync {
    /// Notes what is there before the body of a test runs in this scope.
    fn open(&self, scope: &Scope) -> Box<dyn Seen>;
}

/// What a source has seen at the beginning of a check.
pub trait Seen: Send {
    /// Whether something may be there. `false` is exact; `true` means that it is worth
    /// a look.
    fn any(&mut self) -> bool {
        !self.look().is_empty()
    }

    /// All that is there now and was not at the beginning.
    fn look(&mut self) -> Vec<Item>;

    /// Things that are there and were left out, and why, in a few words: `2 threads of
    /// rayon`. For the report's last lines.
    fn left_out(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// After the report: ends what can be ended, so that the next test starts clean.
    fn end(&mut self) {}
}

/// Whether something could still go away by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It may: the check waits for it.
    MayEnd,
    /// It is proven that it will not.
    Stays,
}

/// One thing that is left.
#[derive(Debug, Clone)]
pub struct Item {
    pub(crate) kind: String,
    pub(crate) id: String,
    pub(crate) state: State,
    pub(crate) name: Option<String>,
    pub(crate) does: String,
    pub(crate) places: Vec<Place>,
    pub(crate) notes: Vec<(String, String)>,
    pub(crate) why: String,
    /// The function that it runs or that made it, for filters.
    pub(crate) function: String,
}

/// A place in the source, and what is to be said of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The path of the file, as the compiler knows it.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// From 1.
    pub column: u32,
    /// Stands below the line: `made here`.
    pub says: String,
}

impl Item {
    /// Something of a kind (`thread`: the singular, whose plural takes an `s`), which
    /// is told apart from others of the kind by its `id`.
    #[must_use]
    pub fn new(kind: impl Into<String>, id: impl Into<String>, state: State) -> Item {
        Item {
            kind: kind.into(),
            id: id.into(),
            state,
            name: None,
            does: String::new(),
            places: Vec::new(),
            notes: Vec::new(),
            why: String::new(),
            function: String::new(),
        }
    }

    /// What it does, for the headline of its block: `still running`.
    #[must_use]
    pub fn does(mut self, does: impl Into<String>) -> Item {
        self.does = does.into();
        self
    }

    /// What it is called. [`Filter::ignore_name`] goes by it.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Item {
        self.name = Some(name.into());
        self
    }

    /// The function that it runs, or that made it. [`Filter::ignore_entry`] goes by it.
    #[must_use]
    pub fn function(mut self, function: impl Into<String>) -> Item {
        self.function = function.into();
        self
    }

    /// A place to show with its source line. [`Filter::ignore_site`] goes by the first.
    #[must_use]
    pub fn place(mut self, place: Place) -> Item {
        self.places.push(place);
        self
    }

    /// A line below the places: `= key: value`.
    #[must_use]
    pub fn note(mut self, key: impl Into<String>, value: impl Into<String>) -> Item {
        self.notes.push((key.into(), value.into()));
        self
    }

    /// Why it counts as left behind.
    #[must_use]
    pub fn why(mut self, why: impl Into<String>) -> Item {
        self.why = why.into();
        self
    }

    /// Whether two are shown as one block: all but their number and name is the same.
    pub(crate) fn is_like(&self, other: &Item) -> bool {
        self.kind == other.kind
            && self.does == other.does
            && self.places == other.places
            && self.notes == other.notes
            && self.why == other.why
    }
}

/// The sources of a check, opened.
pub(crate) struct Opened {
    seen: Vec<Box<dyn Seen>>,
}

/// What they have found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Not empty.
    pub(crate) items: Vec<Item>,
    /// What was not counted.
    pub(crate) left_out: Vec<String>,
}

impl Opened {
    pub(crate) fn new(sources: &[Arc<dyn Source>], threads: bool, scope: &Scope) -> Opened {
        let mut seen: Vec<Box<dyn Seen>> = Vec::new();
        #[cfg(feature = "tokio")]
        seen.push(tokio::Tasks.open(scope));
        if threads {
            seen.push(threads::Threads.open(scope));
        }
        seen.extend(sources.iter().map(|source| source.open(scope)));
        Opened { seen }
    }

    /// Waits for what is left to end; `None` if it did. `spent` is what the check has
    /// taken so far.
    pub(crate) fn check(
        &mut self,
        scope: &Scope,
        filter: &Filter,
        timing: Timing,
        spent: Duration,
    ) -> Option<Found> {
        // This is all that a clean test pays for.
        if !self.any() {
            return None;
        }
        let start = Instant::now();
        let left = || timing.deadline.saturating_sub(spent + start.elapsed());
        let watch = scope.watch();
        let mut pause = FIRST_PAUSE;
        let mut stays: Option<(Vec<String>, Instant)> = None;
        // To look is dear, and most of what is there is about to end.
        let patience = timing.settle.min(LAST_PAUSE);
        loop {
            let epoch = watch.epoch();
            if !self.any() {
                return None;
            }
            let left = left();
            if left.is_zero() || start.elapsed() >= patience {
                let items = self.look(filter);
                if items.is_empty() {
                    return None;
                }
                let still = items.iter().all(|item| item.state == State::Stays);
                let ids: Vec<String> = items.iter().map(|item| item.id.clone()).collect();
                let since = match stays.take().filter(|(before, _)| *before == ids) {
                    Some((_, since)) => since,
                    None => Instant::now(),
                };
                if left.is_zero() || (still && since.elapsed() >= timing.settle) {
                    let left_out = self.seen.iter_mut().flat_map(|it| it.left_out()).collect();
                    return Some(Found { items, left_out });
                }
                stays = still.then_some((ids, since));
            }
            // A thread of the scope that ends is an event; others may be none.
            watch.wait(epoch, pause.min(left));
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }

    /// Ends what can be ended.
    pub(crate) fn end(&mut self) {
        self.seen.iter_mut().for_each(|seen| seen.end());
    }

    fn any(&mut self) -> bool {
        self.seen.iter_mut().any(|seen| seen.any())
    }

    fn look(&mut self, filter: &Filter) -> Vec<Item> {
        let all = self.seen.iter_mut().flat_map(|seen| seen.look());
        all.filter(|item| !is_left_out(filter, item)).collect()
    }
}

pub(crate) fn is_left_out(filter: &Filter, item: &Item) -> bool {
    let site = item.places.first().map(|place| place.file.as_str());
    let mut candidate = Candidate::new(&item.function, &());
    candidate.name = item.name.as_deref();
    candidate.creator = &item.function;
    candidate.created_in = site.unwrap_or_default();
    candidate.site = site;
    filter.matches(&candidate)
}
