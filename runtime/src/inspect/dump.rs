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
//! the place where it waits or blocks, or where it was made.

use super::{Kind, Snapshot, Status, TaskInfo, source};
use std::fmt;

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
pub fn write_go_dump(out: &mut dyn fmt::Write, tasks: &[TaskInfo]) -> fmt::Result {
    for (n, task) in tasks.iter().enumerate() {
        if n > 0 {
            out.write_char('\n')?;
        }
        write_task(out, task)?;
    }
    Ok(())
}

fn write_task(out: &mut dyn fmt::Write, task: &TaskInfo) -> fmt::Result {
    write!(out, "goroutine {} [", task.id)?;
    match task.wait {
        Some(wait) => out.write_str(wait.reason.as_str())?,
        None => out.write_str(task.status.as_str())?,
    }
    if task.status == Status::Leaked {
        out.write_str(" (leaked)")?;
    }
    let minutes = task.wait.map_or(0, |wait| wait.age.as_secs() / 60);
    if minutes > 0 {
        write!(out, ", {minutes} minutes")?;
    }
    if task.kind == Kind::Thread || task.locked {
        out.write_str(", locked to thread")?;
    }
    out.write_str("]:\n")?;
    if !write_frames(out, task)? {
        let at = task.wait.map(|wait| wait.site).or(task.call).unwrap_or(task.created_at);
        writeln!(out, "{}(...)\n\t{}:{} +0x0", task.entry, source::absolute(at), at.line())?;
    }
    if task.kind == Kind::Task {
        write!(out, "created by {}", task.creator)?;
        if let Some(parent) = task.parent {
            write!(out, " in goroutine {parent}")?;
        }
        let at = task.created_at;
        writeln!(out, "\n\t{}:{} +0x0", source::absolute(at), at.line())?;
    }
    Ok(())
}

/// `false`: there is none that could be shown.
fn write_frames(out: &mut dyn fmt::Write, task: &TaskInfo) -> Result<bool, fmt::Error> {
    let Some(trace) = &task.trace else { return Ok(false) };
    let mut any = false;
    let mut gap = trace.gap();
    for frame in trace.all() {
        let (Some(file), Some(line)) = (&frame.file, frame.line) else { continue };
        if !frame.runtime {
            let path = source::find_path(file);
            writeln!(out, "{}(...)\n\t{path}:{line} +{:#x}", frame.function, frame.offset)?;
            any = true;
        }
        if let Some((_, count)) = gap.take_if(|(at, _)| *at == frame.address) {
            writeln!(out, "...{count} frames elided...")?;
        }
    }
    Ok(any)
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_go_dump(f, &self.tasks)
    }
}
