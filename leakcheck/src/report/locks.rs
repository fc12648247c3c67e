//! Locks, from both sides: who has one that is waited for, and who waits for one that a
//! task has.
//!
//! A task that waits for a message under a lock is the cause, and those that wait for the
//! lock are its victims. The report on it says so: nobody should have to look for it in
//! the blocks of the others.

use std::collections::{BTreeMap, BTreeSet};

use gopark::TaskId;
use gopark::inspect::{Holder, LockInfo, TaskInfo, WaitReason};

use super::Report;
use super::ends::who;

/// So many who wait for a lock are named.
const NAMED: usize = 3;

/// What a lock is called, by why somebody waits for it.
pub(super) fn kind(reason: WaitReason) -> &'static str {
    match reason {
        WaitReason::RwLockRead | WaitReason::RwLockWrite => "rwlock",
        WaitReason::OnceDo => "once",
        _ => "mutex",
    }
}

/// Whether it does not have the lock, and only keeps new readers out: it waits itself,
/// to write, until those who were there before it have let go.
pub(super) fn only_asks(report: &Report, lock: LockInfo, holder: Holder) -> bool {
    if lock.holder != Some(holder) {
        return false;
    }
    let body = report.body().filter(|body| body.id == holder.task);
    let asker = body.or_else(|| report.people.info(report, holder.task));
    asker.and_then(|task| task.wait).is_some_and(|wait| {
        wait.reason == WaitReason::RwLockWrite
            && wait.lock.is_some_and(|it| it.address == lock.address)
    })
}

/// `by task 3 (leaked, too: [1]) at src/lib.rs:9:20`, for each who has a lock that one of
/// the tasks waits for.
pub(super) fn owners(report: &Report, here: (usize, TaskId), tasks: &[&TaskInfo]) -> Vec<String> {
    let says = |who, site| format!("by {who} at {site}");
    in_the_way(report, here, tasks, false, says)
}

/// `task 3 (leaked, too: [1]), who asked to write at src/lib.rs:9:20`, for each writer that
/// has come before one of the tasks.
pub(super) fn askers(report: &Report, here: (usize, TaskId), tasks: &[&TaskInfo]) -> Vec<String> {
    let says = |who, site| format!("{who}, who asked to write at {site} and comes first");
    in_the_way(report, here, tasks, true, says)
}

fn in_the_way(
    report: &Report,
    here: (usize, TaskId),
    tasks: &[&TaskInfo],
    asking: bool,
    says: impl Fn(String, &'static std::panic::Location<'static>) -> String,
) -> Vec<String> {
    let locks = tasks.iter().filter_map(|task| task.wait?.lock);
    let holders = locks.filter_map(|lock| {
        let holder = lock.holder?;
        (only_asks(report, lock, holder) == asking).then_some((holder.task, holder.site))
    });
    let holders: BTreeSet<_> = holders.collect();
    holders.into_iter().map(|(task, site)| says(who(report, task, Some(here)), site)).collect()
}

/// `the mutex that task 4 (leaked, too: [2]) waits for, since src/lib.rs:9:20`: the locks
/// that the tasks have and others wait for, unless a drawing shows it.
pub(super) fn held(report: &Report, here: (usize, TaskId), tasks: &[&TaskInfo]) -> Vec<String> {
    let mut found: BTreeMap<_, Vec<TaskId>> = BTreeMap::new();
    for waiter in report.all() {
        let Some((wait, lock)) = waiter.wait.and_then(|wait| Some((wait, wait.lock?))) else {
            continue;
        };
        for holder in lock.holders().filter(|it| tasks.iter().any(|task| task.id == it.task)) {
            let drawn = report.cycles.iter().any(|cycle| cycle.has(holder.task));
            if !drawn && !only_asks(report, lock, holder) {
                let key = (kind(wait.reason), holder.site, lock.address, holder.task);
                found.entry(key).or_default().push(waiter.id);
            }
        }
    }
    let line = |((kind, site, ..), waiters): ((&str, _, usize, TaskId), Vec<TaskId>)| {
        let named: Vec<String> =
            waiters.iter().take(NAMED).map(|id| who(report, *id, Some(here))).collect();
        let wait = if waiters.len() == 1 { "waits" } else { "wait" };
        let more = match waiters.len().saturating_sub(NAMED) {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        format!("the {kind} that {}{more} {wait} for, since {site}", named.join(", "))
    };
    found.into_iter().map(line).collect()
}
