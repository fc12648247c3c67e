//! A number for each group of tasks, so that a client finds it again at its next look, and its
//! tasks among all.

use super::shown;
use crate::inspect::{Group, Status, TaskInfo, WaitReason};
use core::panic::Location;
use std::hash::{DefaultHasher, Hash, Hasher};

pub(super) fn of_group(group: &Group) -> u64 {
    let wait = group.reason.zip(group.site);
    number(group.status, wait, group.entry, group.created_at)
}

pub(super) fn of_task(task: &TaskInfo) -> u64 {
    let wait = task.wait.map(|wait| (wait.reason, wait.site));
    number(task.status, wait, task.entry, task.created_at)
}

/// The same in each run of a program.
fn number(
    status: Status,
    wait: Option<(WaitReason, &'static Location<'static>)>,
    entry: &str,
    created_at: &Location<'_>,
) -> u64 {
    let mut hasher = DefaultHasher::new();
    (shown(status), wait, entry, created_at).hash(&mut hasher);
    hasher.finish()
}
