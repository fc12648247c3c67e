//! Panics of tasks that nobody has joined: a scope keeps them for its check.

use super::{Scope, ScopeInner, guard};
use crate::inspect::Trace;
use crate::task::record::TaskId;
use core::panic::Location;

/// A panic in a task whose handle was dropped without a join.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UnseenPanic {
    /// The task that panicked.
    pub task: TaskId,
    /// Who made it.
    pub parent: Option<TaskId>,
    /// The stack that it was made on, if that is
    /// [kept](crate::inspect::keep_creation_stacks).
    pub creation_stack: Option<Trace>,
    /// Its name, if it had one.
    pub name: Option<String>,
    /// The panic's message, or a word that it was not text.
    pub message: String,
    /// Where the task was made.
    pub created_at: &'static Location<'static>,
    /// The function that it ran.
    pub entry: &'static str,
}

impl ScopeInner {
    pub(crate) fn add_panic(&self, panic: UnseenPanic) {
        guard(&self.panics).push(panic);
        self.notify_slow();
    }

    pub(super) fn has_panics(&self) -> bool {
        !guard(&self.panics).is_empty()
    }
}

impl Scope {
    /// Takes the panics of tasks of this scope whose handles were dropped
    /// without a join.
    pub fn take_panics(&self) -> Vec<UnseenPanic> {
        std::mem::take(&mut *guard(&self.inner.panics))
    }
}
