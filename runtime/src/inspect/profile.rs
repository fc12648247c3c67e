//! Equal stacks, counted: Go's goroutine profile as text (debug=1).
//!
//! ```text
//! goroutine profile: total 4
//! 3 @ 0x55d0c0a1 0x55d0c2f7
//! #   0x55d0c0a0  app::worker+0x1f    /src/app.rs:15
//!
//! ```

use super::frames::{Frame, Trace};
use super::{Snapshot, TaskInfo, source};
use core::panic::Location;
use rustc_hash::FxHashMap;
use std::fmt::{self, Write};

/// Tasks that are in the middle of the same, and have the same name and labels.
pub(super) struct Sample<'a> {
    pub(super) count: usize,
    /// `None`: nothing is known of where they are.
    pub(super) trace: Option<&'a Trace>,
    pub(super) like: &'a TaskInfo,
}

impl Sample<'_> {
    /// The name first, as a label like the others.
    pub(super) fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        let name = self.like.name.iter().map(|name| ("name", name.as_str()));
        name.chain(self.like.labels.iter().map(|(key, value)| (key.as_str(), value.as_str())))
    }
}

/// Where a task is, its name, its labels.
type Key<'a> = (Place<'a>, Option<&'a str>, &'a [(String, String)]);

#[derive(PartialEq, Eq, Hash)]
enum Place<'a> {
    Stack(&'a [usize]),
    /// Nothing else is known.
    Known(&'a str, &'static Location<'static>),
}

/// Where a task without frames is, as far as it is known.
pub(super) fn site(task: &TaskInfo) -> &'static Location<'static> {
    let site = task.wait.map(|wait| wait.site).or(task.call).or(task.last_site);
    site.unwrap_or(task.created_at)
}

/// The most frequent first.
pub(super) fn samples(tasks: &[TaskInfo]) -> Vec<Sample<'_>> {
    let mut places: FxHashMap<Key<'_>, usize> = FxHashMap::default();
    // What has neither name nor labels is told apart by its trace, mostly.
    let mut traces: FxHashMap<usize, usize> = FxHashMap::default();
    let mut samples: Vec<Sample<'_>> = Vec::new();
    for task in tasks {
        let trace = task.trace.as_ref();
        let plain = task.name.is_none() && task.labels.is_empty();
        let plain = trace.filter(|_| plain).map(Trace::key);
        if let Some(&place) = plain.and_then(|key| traces.get(&key)) {
            samples[place].count += 1;
            continue;
        }
        let known = || Place::Known(task.entry, site(task));
        let at = trace.map_or_else(known, |trace| Place::Stack(trace.addresses()));
        let key = (at, task.name.as_deref(), task.labels.as_slice());
        let place = *places.entry(key).or_insert(samples.len());
        if place == samples.len() {
            samples.push(Sample { count: 0, trace, like: task });
        }
        samples[place].count += 1;
        traces.extend(plain.map(|key| (key, place)));
    }
    samples.sort_by_key(|sample| std::cmp::Reverse(sample.count));
    samples
}

impl Snapshot {
    /// How many tasks are in the middle of the same, in the form of Go's
    /// `/debug/pprof/goroutine?debug=1`: equal stacks with their number, the most frequent
    /// first. [`with_frames`](Snapshot::with_frames) gives them.
    ///
    /// ```
    /// let profile = gopark::inspect::Snapshot::all().with_frames().profile_text();
    /// assert!(profile.starts_with("goroutine profile: total "));
    /// ```
    pub fn profile_text(&self) -> String {
        let mut text = format!("goroutine profile: total {}\n", self.tasks.len());
        for sample in samples(&self.tasks) {
            // Writing to a string does not fail.
            let _ = write_sample(&mut text, &sample);
        }
        text
    }
}

fn write_sample(out: &mut String, sample: &Sample<'_>) -> fmt::Result {
    write!(out, "{} @", sample.count)?;
    write_stack(out, sample.trace, sample.labels());
    Ok(())
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
