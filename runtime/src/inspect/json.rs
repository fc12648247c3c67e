//! The view as JSON, for whatever else wants to read it.

use super::frames::Frame;
use super::{Kind, Snapshot, TaskInfo};
use core::panic::Location;
use std::fmt::{self, Display, Write};

impl Snapshot {
    /// All tasks as a JSON array of objects.
    ///
    /// Every object has `id`, `kind` (`task` or `thread`), `status`, `entry`, `created_by`,
    /// `created_at`, `scope`, `daemon` and `locked`. As far as there is something to say there
    /// are also `reason`, `site`, `age_ns`, `timed` and `lock_holder` of one that waits, `call`
    /// and `call_age_ns` of one that is in a blocking call, `last_site` of one that is in
    /// neither and was, `name`, `labels`, `parent`, `worker`, `stack_limit`, `stack_depth`,
    /// `segments`, and, if they were [asked for](Snapshot::with_frames), `frames`: objects
    /// with `function`, `offset` and, where they are known, `file` and `line`.
    ///
    /// ```
    /// let json = gopark::inspect::Snapshot::all().to_json();
    /// assert!(json.starts_with('[') && json.ends_with(']'));
    /// ```
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        write_tasks(&mut out, &self.tasks);
        out
    }
}

pub(crate) fn write_tasks<'a>(out: &mut String, tasks: impl IntoIterator<Item = &'a TaskInfo>) {
    let mut list = List::begin(out);
    tasks.into_iter().for_each(|task| write_task(list.next(), task));
    list.end();
}

pub(crate) fn write_task(out: &mut String, task: &TaskInfo) {
    let mut object = Object::begin(out);
    object.number("id", task.id);
    object.text("kind", if task.kind == Kind::Task { "task" } else { "thread" });
    object.text("status", task.status.as_str());
    if let Some(wait) = &task.wait {
        object.text("reason", wait.reason.as_str());
        object.text("site", &Place(wait.site));
        object.number("age_ns", wait.age.as_nanos());
        object.number("timed", wait.timed);
        if let Some(holder) = wait.lock.and_then(|lock| lock.holder) {
            object.number("lock_holder", holder.task);
        }
    }
    if let Some(call) = task.call {
        object.text("call", &Place(call));
    }
    if let Some(last) = task.last_site {
        object.text("last_site", &Place(last));
    }
    if let Some(age) = task.call_age {
        object.number("call_age_ns", age.as_nanos());
    }
    if let Some(name) = &task.name {
        object.text("name", name);
    }
    if !task.labels.is_empty() {
        object.key("labels");
        let mut labels = Object::begin(object.out);
        task.labels.iter().for_each(|(key, value)| labels.text(key, value));
        labels.end();
    }
    object.text("entry", task.entry);
    object.text("created_by", task.creator);
    object.text("created_at", &Place(task.created_at));
    if let Some(parent) = task.parent {
        object.number("parent", parent);
    }
    object.number("scope", task.scope.get());
    object.number("daemon", task.daemon);
    object.number("locked", task.locked);
    if let Some(worker) = task.worker {
        object.number("worker", worker);
    }
    if let Some(stack) = task.stack {
        object.number("stack_limit", stack.limit);
        if let Some(depth) = stack.depth {
            object.number("stack_depth", depth);
        }
        object.number("segments", stack.segments);
    }
    if let Some(trace) = &task.trace {
        object.key("frames");
        object.out.push('[');
        for (n, frame) in trace.frames().enumerate() {
            object.out.push_str(if n == 0 { "" } else { "," });
            write_frame(object.out, frame);
        }
        object.out.push(']');
    }
    object.end();
}

fn write_frame(out: &mut String, frame: &Frame) {
    let mut object = Object::begin(out);
    object.text("function", &frame.function);
    object.number("offset", frame.offset);
    if let Some(file) = &frame.file {
        object.text("file", file);
    }
    if let Some(line) = frame.line {
        object.number("line", line);
    }
    object.end();
}

pub(crate) struct Place(pub(crate) &'static Location<'static>);

impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0.file(), self.0.line())
    }
}

/// An object that is being written.
pub(crate) struct Object<'a> {
    pub(crate) out: &'a mut String,
    first: bool,
}

impl<'a> Object<'a> {
    pub(crate) fn begin(out: &'a mut String) -> Object<'a> {
        out.push('{');
        Object { out, first: true }
    }

    pub(crate) fn key(&mut self, key: &str) {
        self.out.push_str(if self.first { "" } else { "," });
        self.first = false;
        quote(self.out, &key);
        self.out.push(':');
    }

    // Writing to a string does not fail.
    pub(crate) fn number(&mut self, key: &str, value: impl Display) {
        self.key(key);
        let _ = write!(self.out, "{value}");
    }

    pub(crate) fn text(&mut self, key: &str, value: &(impl Display + ?Sized)) {
        self.key(key);
        quote(self.out, value);
    }

    pub(crate) fn end(self) {
        self.out.push('}');
    }
}

/// An array that is being written.
pub(crate) struct List<'a> {
    pub(crate) out: &'a mut String,
    first: bool,
}

impl<'a> List<'a> {
    pub(crate) fn begin(out: &'a mut String) -> List<'a> {
        out.push('[');
        List { out, first: true }
    }

    /// What is written next is one more.
    pub(crate) fn next(&mut self) -> &mut String {
        self.out.push_str(if self.first { "\n" } else { ",\n" });
        self.first = false;
        self.out
    }

    pub(crate) fn end(self) {
        self.out.push_str("\n]");
    }
}

fn quote(out: &mut String, value: &(impl Display + ?Sized)) {
    struct Escaped<'a>(&'a mut String);
    impl Write for Escaped<'_> {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            for c in text.chars() {
                match c {
                    '"' | '\\' => self.0.extend(['\\', c]),
                    '\n' => self.0.push_str("\\n"),
                    '\t' => self.0.push_str("\\t"),
                    c if (c as u32) < 0x20 => write!(self.0, "\\u{:04x}", c as u32)?,
                    c => self.0.push(c),
                }
            }
            Ok(())
        }
    }
    out.push('"');
    let _ = write!(Escaped(out), "{value}");
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        let mut out = String::new();
        quote(&mut out, "a\"b\\c\nd\te\u{1}f\u{e9}\u{7f}");
        assert_eq!(out, "\"a\\\"b\\\\c\\nd\\te\\u0001f\u{e9}\u{7f}\"");
    }
}
