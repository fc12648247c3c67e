//! After the report: the tasks of the scope are ended.

use gopark::inspect::Snapshot;
use gopark::{Reaped, Scope, TaskId};

use crate::Filter;
use crate::scope::{apart, is_left_out, prepare};

/// Ends the tasks of the scope by unwinding them; not daemons, nor what the filter leaves
/// out: that may serve the tests which follow.
pub(crate) fn reap(scope: &Scope, filter: &Filter) -> Reaped {
    let filter = filter.clone();
    apart(scope, move |scope| {
        spare(scope, &filter);
        scope.reap()
    })
}

/// What the filter leaves out is not to be ended.
pub(crate) fn spare(scope: &Scope, filter: &Filter) {
    let mut tasks = Snapshot::of(scope).tasks;
    prepare(filter, &mut tasks);
    tasks.retain(|task| is_left_out(filter, task));
    let ids: Vec<TaskId> = tasks.iter().map(|task| task.id).collect();
    if !ids.is_empty() {
        scope.spare(&ids);
    }
}

/// What became of the tasks, in a line.
pub(crate) fn line(reaped: &Reaped) -> String {
    let Reaped { ended, abandoned, .. } = *reaped;
    let tasks = if ended == 1 { "task" } else { "tasks" };
    let why = match abandoned {
        0 => "",
        1 => " (it did not end when unwound, and keeps its stack)",
        _ => " (they did not end when unwound, and keep their stacks)",
    };
    format!("leakcheck: {ended} {tasks} ended by unwinding, {abandoned} abandoned{why}")
}
