//! Who made whom: the parent of a task, whose parent that has, and on what stacks they were
//! made, as far as that is kept.

use std::fmt::Write as _;

use gopark::TaskId;
use gopark::inspect::{Ancestor, Kind, Trace};

use super::text::Count;
use super::{Group, Report, ends};
use crate::callers::{self, Caller};

/// Of so many ancestors each is told.
const LINKS: usize = 16;
/// Of so many functions of a stack each is shown.
const SHOWN: usize = 16;

/// A task of a line of descent.
struct Link<'a> {
    id: TaskId,
    /// Where it was made, and who did.
    made: Option<(String, Option<TaskId>)>,
    stack: Option<&'a Trace>,
    /// It is no thread.
    is_task: bool,
}

impl<'a> Link<'a> {
    fn of(report: &'a Report, id: TaskId) -> Link<'a> {
        if let Some(it) = report.people.maker(id) {
            let made = match it.kind {
                Kind::Task => Some((it.created_at.to_string(), it.parent)),
                Kind::Thread => place_of_thread(it).map(|place| (place, it.parent)),
            };
            let is_task = it.kind == Kind::Task;
            return Link { id, made, stack: it.creation_stack.as_ref(), is_task };
        }
        // It has not been noted, but lives.
        match report.people.info(report, id) {
            Some(task) if task.kind == Kind::Task => Link {
                id,
                made: Some((task.created_at.to_string(), task.parent)),
                stack: task.creation_stack.as_ref(),
                is_task: true,
            },
            _ => Link { id, made: None, stack: None, is_task: false },
        }
    }
}

/// Where a thread was made, if leak checks are told of threads.
fn place_of_thread(thread: &Ancestor) -> Option<String> {
    let callers = callers::of_trace(thread.creation_stack.as_ref()?);
    let (file, line, _) = callers.first()?.place.as_ref()?;
    Some(format!("{file}:{line}"))
}

/// From the parent on.
fn line(report: &Report, parent: Option<TaskId>) -> Vec<Link<'_>> {
    let mut next = parent;
    let mut found: Vec<Link<'_>> = Vec::new();
    while let Some(id) = next
        // A number is never used twice, so this ends; but nobody should have to trust in it.
        && found.iter().all(|link| link.id != id)
    {
        let link = Link::of(report, id);
        next = link.made.as_ref().and_then(|(_, parent)| *parent);
        found.push(link);
    }
    found
}

/// Its maker, and theirs: `task 3 (ended), made at src/lib.rs:7:5 by task 1 (the test
/// itself)`; a line each if there are more. Empty if nobody made it.
pub(super) fn makers(report: &Report, parent: Option<TaskId>) -> Vec<String> {
    let line = line(report, parent);
    let mut lines: Vec<String> = Vec::new();
    for link in line.iter().take(LINKS) {
        let mut text = ends::who(report, link.id, None);
        if let Some((place, by)) = &link.made {
            let _ = write!(text, ", made at {place}");
            if by.is_some() {
                text.push_str(" by");
            }
        }
        lines.push(text);
    }
    if line.len() > LINKS {
        lines.push(format!("task {}, and {} before", line[LINKS].id, line.len() - LINKS - 1));
    }
    match &lines[..] {
        // What is known of most.
        [parent, theirs] => vec![format!("{parent} {theirs}")],
        _ => lines,
    }
}

/// The stacks that a group's tasks and their ancestors were made on; empty if none is kept.
pub(super) fn stacks_of(report: &Report, group: &Group) -> Vec<String> {
    let first = &report.tasks[group.members[0]];
    let mut lines = stacks(report, first.creation_stack.as_ref(), first.parent);
    let others = group.members[1..].iter().map(|at| &report.tasks[*at]);
    let apart = others.filter(|task| task.creation_stack != first.creation_stack).count();
    if apart > 0 {
        let verb = if apart == 1 { "was" } else { "were" };
        let others = Count(apart, "other task");
        lines.push(format!("(so for task {}; {others} {verb} made on another stack)", first.id));
    }
    lines
}

/// The stack that a task was made on, and those of its ancestors.
pub(super) fn stacks(report: &Report, own: Option<&Trace>, parent: Option<TaskId>) -> Vec<String> {
    // Those of threads are kept in any case, and are of use beside the others only.
    let Some(own) = own else { return Vec::new() };
    let mut lines = functions(own);
    let mut unknown = lines.is_empty();
    for link in line(report, parent).iter().take(LINKS) {
        let functions = link.stack.map(functions).unwrap_or_default();
        if !functions.is_empty() {
            lines.push(format!("task {} was made by", link.id));
            lines.extend(functions.iter().map(|line| format!("  {line}")));
        }
        unknown |= functions.is_empty() && link.is_task && link.stack.is_some();
    }
    match lines.is_empty() {
        true => lines.push(callers::UNKNOWN.to_owned()),
        false if unknown => lines.push(format!("others are {}", callers::UNKNOWN)),
        false => {}
    }
    lines
}

fn functions(stack: &Trace) -> Vec<String> {
    let callers = callers::of_trace(stack);
    let mut lines: Vec<String> = callers.iter().take(SHOWN).map(Caller::text).collect();
    if callers.len() > SHOWN {
        lines.push("…".to_owned());
    }
    lines
}
