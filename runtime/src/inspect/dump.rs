//! The goroutine dump that Go's tools parse (debug=2).
//!
//! ```text
//! goroutine 7 [chan send, 3 minutes]:
//! app::leak::{{closure}}(...)
//!     /src/app.rs:15 +0x1f
//! created by app::leak in goroutine 1
//!     /src/app.rs:14 +0x0
//! ```
//!
//! (a tab where this page shows four spaces). The form is that of Go's `runtime/traceback.go`.
//! Of a task without [frames](TaskInfo::frames) the one that is shown is the task's function at
//! the place where it waits or blocks, or did last, or where it was made.

use super::frames::Trace;
use super::{Kind, Snapshot, Status, TaskInfo, profile, source};
use core::panic::Location;
use core::ptr;
use rustc_hash::FxHashMap;
use std::fmt::{self, Write};

/// All tasks and adopted threads, with their frames, in the form that Go's tools read: what
/// Go's `runtime.Stack(buf, true)` and `/debug/pprof/goroutine?debug=2` give.
///
/// Stops nobody, but the task that is just looked at; blocks the calling thread for a tenth
/// of a second if a task that runs does not say where it is. [`groups`](fn@super::groups) is
/// shorter, [`GoDump`] can be told what to show.
///
/// ```
/// let dump = gopark::go(gopark::inspect::dump).join().unwrap();
/// assert!(dump.contains(" [running]:\n"));
/// ```
pub fn dump() -> String {
    super::symbols::tell_if_no_lines();
    GoDump::new().text(&Snapshot::all().with_frames().tasks)
}

/// Writes tasks in Go's form, adopted threads too; blank lines between them. A
/// [`Snapshot`]'s `Display` is the same of all its tasks.
///
/// # Errors
/// Those of `out`.
///
/// ```
/// use gopark::inspect::{Snapshot, write_go_dump};
///
/// let mut text = String::new();
/// write_go_dump(&mut text, &Snapshot::all().tasks).unwrap();
/// assert!(text.is_empty() || text.starts_with("goroutine "));
/// ```
pub fn write_go_dump(out: &mut dyn Write, tasks: &[TaskInfo]) -> fmt::Result {
    GoDump::new().write(out, tasks)
}

/// What a dump in Go's form shows.
///
/// ```
/// use gopark::inspect::{GoDump, Snapshot};
///
/// let tasks = Snapshot::all().with_frames().tasks;
/// let mut text = String::new();
/// GoDump::new().labels(true).write(&mut text, &tasks).unwrap();
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct GoDump {
    labels: bool,
    runtime: bool,
    go_files: bool,
}

impl GoDump {
    /// As [`dump`] writes it: no labels, no frames of the runtime.
    pub const fn new() -> GoDump {
        GoDump { labels: false, runtime: false, go_files: false }
    }

    /// With the names and labels of tasks behind their states. Not every tool that reads
    /// dumps bears it. Go: `GODEBUG=tracebacklabels=1`.
    #[must_use]
    pub const fn labels(self, labels: bool) -> GoDump {
        GoDump { labels, ..self }
    }

    /// With the frames of the runtime too. Go: `GOTRACEBACK=system`.
    #[must_use]
    pub const fn runtime_frames(self, runtime: bool) -> GoDump {
        GoDump { runtime, ..self }
    }

    /// For tools that know no other source files than Go's, such as panicparse: the files'
    /// names end in `.go`, and there are no labels.
    #[must_use]
    pub const fn go_files(self, go_files: bool) -> GoDump {
        GoDump { go_files, ..self }
    }

    /// Writes the tasks, with blank lines between them.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(self, out: &mut dyn Write, tasks: &[TaskInfo]) -> fmt::Result {
        let mut texts = Texts::new(self);
        // Written at once: most writers cost more for each call than for each byte.
        let mut text = String::new();
        for (n, task) in tasks.iter().enumerate() {
            texts.add(&mut text, n, task);
            if text.len() > CHUNK {
                out.write_str(&text)?;
                text.clear();
            }
        }
        out.write_str(&text)
    }

    /// The same in memory.
    pub(crate) fn text(self, tasks: &[TaskInfo]) -> String {
        let mut texts = Texts::new(self);
        let mut text = String::with_capacity(tasks.len().min(MANY) * USUAL);
        tasks.iter().enumerate().for_each(|(n, task)| texts.add(&mut text, n, task));
        text
    }
}

/// Bytes that are written at once.
const CHUNK: usize = 64 << 10;

fn write_labels(out: &mut String, task: &TaskInfo) -> fmt::Result {
    let name = task.name.iter().map(|name| ("name", name.as_str()));
    let labels = task.labels.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    for (n, (key, value)) in name.chain(labels).enumerate() {
        write!(out, "{}{key:?}: {value:?}", if n == 0 { " {" } else { ", " })?;
    }
    if task.name.is_some() || !task.labels.is_empty() {
        out.push('}');
    }
    Ok(())
}

/// A block takes about so many bytes, and for so many blocks there is room at once.
const USUAL: usize = 256;
const MANY: usize = 1 << 20;

/// The texts that many tasks share, made once.
struct Texts {
    options: GoDump,
    stacks: FxHashMap<usize, (Trace, String)>,
    places: FxHashMap<*const Location<'static>, String>,
}

impl Texts {
    fn new(options: GoDump) -> Texts {
        Texts { options, stacks: FxHashMap::default(), places: FxHashMap::default() }
    }

    /// The block of a task, behind `n` others.
    fn add(&mut self, out: &mut String, n: usize, task: &TaskInfo) {
        out.push_str(if n == 0 { "goroutine " } else { "\ngoroutine " });
        number(out, task.id.get());
        out.push_str(" [");
        out.push_str(task.wait.map_or(task.status.as_str(), |wait| wait.reason.as_str()));
        if task.status == Status::Leaked {
            out.push_str(" (leaked)");
        }
        let age = task.wait.map(|wait| wait.age).or(task.call_age);
        let minutes = age.map_or(0, |age| age.as_secs() / 60);
        if minutes > 0 {
            out.push_str(", ");
            number(out, minutes);
            out.push_str(" minutes");
        }
        if task.kind == Kind::Thread || task.locked {
            out.push_str(", locked to thread");
        }
        out.push(']');
        if self.options.labels && !self.options.go_files {
            // Writing to a string does not fail.
            let _ = write_labels(out, task);
        }
        out.push_str(":\n");
        match task.trace.as_ref().map(|trace| self.stack(trace)) {
            Some(stack) if !stack.is_empty() => out.push_str(stack),
            _ => {
                let at = profile::site(task);
                out.push_str(task.entry);
                out.push_str("(...)");
                out.push_str(self.place(at, None));
            }
        }
        if task.kind == Kind::Task {
            out.push_str("created by ");
            out.push_str(task.creator);
            if let Some(parent) = task.parent {
                out.push_str(" in goroutine ");
                number(out, parent.get());
            }
            out.push_str(self.place(task.created_at, task.trace.as_ref()));
        }
    }

    /// Empty if nothing of it is shown.
    fn stack(&mut self, trace: &Trace) -> &str {
        let options = self.options;
        // The trace is kept, so that no other one has its key.
        let new = || (trace.clone(), options.stack(trace));
        &self.stacks.entry(trace.key()).or_insert_with(new).1
    }

    /// The line below a function's name, and the end of that. A task may have frames of the
    /// same file.
    fn place(&mut self, at: &'static Location<'static>, frames: Option<&Trace>) -> &str {
        let file = || self.options.file(&whole(source::absolute(at), frames));
        self.places
            .entry(ptr::from_ref(at))
            .or_insert_with(|| format!("\n\t{}:{} +0x0\n", file(), at.line()))
    }
}

/// The path of a file that was not found from the current folder upwards: line tables say
/// where it was when the program was built, if the task has a frame there.
fn whole(path: String, frames: Option<&Trace>) -> String {
    let Some(trace) = frames.filter(|_| !path.starts_with('/')) else { return path };
    let ends_so = |file: &&str| {
        file.starts_with('/') && file.strip_suffix(&*path).is_some_and(|dir| dir.ends_with('/'))
    };
    let found = trace.all().iter().filter_map(|frame| frame.file.as_deref()).find(ends_so);
    found.map_or_else(|| path.clone(), str::to_owned)
}

/// Decimal; what `write!` does takes several times as long.
fn number(out: &mut String, mut n: u64) {
    let mut digits = [b'0'; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            break;
        }
    }
    out.extend(digits[first..].iter().map(|&digit| char::from(digit)));
}

impl GoDump {
    /// Tools want absolute paths, and not every file is there, or says where it was.
    fn file(self, path: &str) -> String {
        let root = if path.starts_with('/') { "" } else { "/" };
        format!("{root}{}{}", path.trim_start_matches("./"), if self.go_files { ".go" } else { "" })
    }

    fn stack(self, trace: &Trace) -> String {
        let mut text = String::new();
        let mut gap = trace.gap();
        for frame in trace.all() {
            if let (Some(file), Some(line)) = (&frame.file, frame.line)
                && (self.runtime || !frame.runtime)
            {
                let file = self.file(&source::find_path(file));
                let (function, offset) = (&frame.function, frame.offset);
                // Writing to a string does not fail.
                let _ = write!(text, "{function}(...)\n\t{file}:{line} +{offset:#x}\n");
            }
            if let Some((_, count)) = gap.take_if(|(at, _)| *at == frame.address) {
                let _ = writeln!(text, "...{count} frames elided...");
            }
        }
        text
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_go_dump(f, &self.tasks)
    }
}
