//! Equal stacks, counted: Go's goroutine profile. As text (debug=1) it is like this; for `go
//! tool pprof` (debug=0) see `proto.rs`.
//!
//! ```text
//! goroutine profile: total 4
//! 3 @ 0x55d0c0a1 0x55d0c2f7
//! #   0x55d0c0a0  app::worker+0x1f    /src/app.rs:15
//!
//! ```

use super::frames::{self, Frame, Trace};
use super::{TaskInfo, source};
use crate::task::record::TaskId;
use core::panic::Location;
use rustc_hash::FxHashMap;
use std::cmp::Reverse;
use std::fmt::Write;

/// What all tasks and adopted threads are in the middle of: Go's goroutine profile.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TaskProfile {
    /// The most frequent first.
    pub samples: Vec<TaskSample>,
}

/// Tasks that are in the middle of the same, and have the same name and labels.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TaskSample {
    /// How many.
    pub count: usize,
    /// Where they are; `None` of those that have [no frames](super::add_frames): they have
    /// `entry` and `site` in common.
    pub trace: Option<Trace>,
    /// The name, if they have one, as the label `name`, and their labels.
    pub labels: Vec<(String, String)>,
    /// The function that one of them runs.
    pub entry: &'static str,
    /// Where that one waits, or where it did so last, or else was made.
    pub site: &'static Location<'static>,
}

impl TaskSample {
    pub(super) fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        self.labels.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

/// Counts all tasks and adopted threads by what they are in the middle of. Go:
/// `pprof.Lookup("goroutine")`.
///
/// Finds their frames as [`add_frames`](super::add_frames) does, and blocks no longer. Keeps
/// none of them, so the memory that it takes is a matter of how many different stacks and
/// labels there are, not of how many tasks.
///
/// ```
/// let profile = gopark::inspect::task_profile();
/// // This thread is one of those that are counted if it has used the runtime.
/// assert!(profile.text().starts_with("goroutine profile: total "));
/// ```
pub fn task_profile() -> TaskProfile {
    let mut counter = Counter::default();
    frames::each_with_frames(|task| counter.add(task));
    counter.finish()
}

/// Counts while it is shown one task after the other.
#[derive(Default)]
struct Counter {
    /// Each with the first of its tasks, by number.
    samples: Vec<(TaskSample, TaskId)>,
    places: FxHashMap<(Place, Vec<(String, String)>), usize>,
    /// What has neither name nor labels is told apart by its trace, mostly; those are kept, so
    /// that no other one has the same key.
    traces: FxHashMap<usize, (Trace, usize)>,
}

/// Where a task is.
#[derive(PartialEq, Eq, Hash)]
enum Place {
    Stack(Trace),
    /// Nothing else is known.
    Known(&'static str, &'static Location<'static>),
}

impl Counter {
    fn add(&mut self, task: &TaskInfo) {
        let plain = task.name.is_none() && task.labels.is_empty();
        let plain = task.trace.as_ref().filter(|_| plain);
        let known = plain.and_then(|trace| self.traces.get(&trace.key())).map(|(_, place)| *place);
        let place = known.unwrap_or_else(|| self.place(task));
        if let (Some(trace), None) = (plain, known) {
            self.traces.insert(trace.key(), (trace.clone(), place));
        }
        let (sample, first) = &mut self.samples[place];
        sample.count += 1;
        *first = task.id.min(*first);
    }

    fn place(&mut self, task: &TaskInfo) -> usize {
        let name = task.name.iter().map(|name| ("name".to_owned(), name.clone()));
        let labels: Vec<_> = name.chain(task.labels.iter().cloned()).collect();
        let (entry, site) = (task.entry, site(task));
        let known = || Place::Known(entry, site);
        let key = (task.trace.clone().map_or_else(known, Place::Stack), labels);
        if let Some(&place) = self.places.get(&key) {
            return place;
        }
        let (trace, labels) = (task.trace.clone(), key.1.clone());
        self.places.insert(key, self.samples.len());
        self.samples.push((TaskSample { count: 0, trace, labels, entry, site }, task.id));
        self.samples.len() - 1
    }

    fn finish(mut self) -> TaskProfile {
        self.samples.sort_by_key(|(sample, first)| (Reverse(sample.count), *first));
        TaskProfile { samples: self.samples.into_iter().map(|(sample, _)| sample).collect() }
    }
}

/// Where it waits, or is known to have been.
pub(super) fn site(task: &TaskInfo) -> &'static Location<'static> {
    let site = task.wait.map(|wait| wait.site).or(task.call).or(task.last_site);
    site.unwrap_or(task.created_at)
}

impl TaskProfile {
    /// Of these tasks only: of what is left of a [`Snapshot`](super::Snapshot), say. Those
    /// without [frames](super::add_frames) are told apart by where they wait.
    ///
    /// ```
    /// use gopark::inspect::{Snapshot, TaskProfile};
    ///
    /// let mut all = Snapshot::all().with_frames();
    /// all.tasks.retain(|task| task.durably_blocked());
    /// let blocked = TaskProfile::of(&all.tasks);
    /// assert_eq!(blocked.total(), all.tasks.len());
    /// ```
    pub fn of(tasks: &[TaskInfo]) -> TaskProfile {
        let mut counter = Counter::default();
        tasks.iter().for_each(|task| counter.add(task));
        counter.finish()
    }

    /// How many tasks and threads were counted.
    pub fn total(&self) -> usize {
        self.samples.iter().map(|sample| sample.count).sum()
    }

    /// In the form of Go's `/debug/pprof/goroutine?debug=1`: equal stacks with their number,
    /// the most frequent first.
    pub fn text(&self) -> String {
        // Writing to a string does not fail.
        let mut text = format!("goroutine profile: total {}\n", self.total());
        for sample in &self.samples {
            let _ = write!(text, "{} @", sample.count);
            write_stack(&mut text, sample.trace.as_ref(), sample.labels());
        }
        text
    }

    /// In the form that `go tool pprof` reads: a compressed `profile.proto`, as Go's
    /// `/debug/pprof/goroutine` gives it. Names and labels of tasks are labels in it; of a task
    /// without frames there is its function, at the place where it waits. Needs the feature
    /// `debug`.
    ///
    /// # Errors
    /// Those of `out`.
    ///
    /// ```
    /// let mut file = Vec::new();
    /// gopark::inspect::task_profile().profile(&mut file)?;
    /// assert!(file.starts_with(&[0x1f, 0x8b]));
    /// # std::io::Result::Ok(())
    /// ```
    #[cfg(feature = "debug")]
    pub fn profile(&self, out: impl std::io::Write) -> std::io::Result<()> {
        let mut profile = super::Profile::new("goroutine");
        for sample in &self.samples {
            let mut stack = sample.trace.as_ref().map_or_else(Vec::new, |it| profile.shown(it));
            if stack.is_empty() {
                stack.push(profile.place(sample.entry, sample.site));
            }
            profile.add_count(&stack, sample.count as u64, sample.labels());
        }
        profile.finish(out)
    }
}

/// The rest of a sample's first line, and the lines below it.
pub(super) fn write_stack<'a>(
    out: &mut String,
    trace: Option<&Trace>,
    labels: impl Iterator<Item = (&'a str, &'a str)>,
) {
    // Writing to a string does not fail.
    for address in trace.map_or(&[][..], Trace::addresses) {
        // Where it goes on.
        let _ = write!(out, " {:#x}", address + 1);
    }
    out.push('\n');
    let mut labeled = false;
    for (key, value) in labels {
        let _ = write!(out, "{}{key:?}:{value:?}", if labeled { ", " } else { "# labels: {" });
        labeled = true;
    }
    if labeled {
        out.push_str("}\n");
    }
    let lines: Vec<[String; 4]> =
        trace.iter().flat_map(|trace| trace.frames()).map(cells).collect();
    write_table(out, &lines);
    out.push('\n');
}

fn cells(frame: &Frame) -> [String; 4] {
    let place = match (&frame.file, frame.line) {
        (Some(file), Some(line)) => format!("{}:{line}", source::find_path(file)),
        _ => "??:0".to_owned(),
    };
    let address = format!("{:#x}", frame.address + 1);
    ["#".to_owned(), address, format!("{}+{:#x}", frame.function, frame.offset), place]
}

/// Columns as Go's `tabwriter` aligns them: with tabs, to the next multiple of eight behind
/// the widest cell.
fn write_table(out: &mut String, lines: &[[String; 4]]) {
    const TAB: usize = 8;
    let width = |column: usize| {
        let widest = lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        (widest + 1).next_multiple_of(TAB)
    };
    let widths = [width(0), width(1), width(2)];
    for line in lines {
        for (cell, width) in line.iter().zip(widths) {
            out.push_str(cell);
            let tabs = (width - cell.chars().count()).div_ceil(TAB);
            out.extend(std::iter::repeat_n('\t', tabs));
        }
        out.push_str(&line[3]);
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_tabs() {
        let line = |name: &str| ["#".into(), "0x1234567".into(), name.into(), "/f.rs:1".into()];
        let mut out = String::new();
        write_table(&mut out, &[line("a::b+0x1"), line("a::quite_long_name+0x1")]);
        assert_eq!(
            out,
            "#\t0x1234567\ta::b+0x1\t\t/f.rs:1\n#\t0x1234567\ta::quite_long_name+0x1\t/f.rs:1\n"
        );
    }
}
