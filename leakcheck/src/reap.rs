//! After the report: the tasks of the scope are ended.

use gopark::{Reaped, Scope};

use crate::scope::apart;

/// Ends the tasks of the scope, daemons excepted, by unwinding them.
pub(crate) fn reap(scope: &Scope) -> Reaped {
    apart(scope, Scope::reap)
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
