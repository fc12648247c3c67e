//! The ancestors of a task.

use super::{Kind, TaskInfo, Trace};
use crate::task::lineage;
use crate::task::record::TaskId;
use crate::task::scope::UnseenPanic;
use core::panic::Location;

/// From now on, what is known of a task that starts others is kept when it ends, so that
/// [`TaskInfo::ancestors`] finds it.
///
/// A task that starts none costs nothing; one that does, some hundred nanoseconds, once,
/// and some hundred bytes for as long as a task descends from it within 64 generations.
/// What had started its tasks before is noted when it starts the next.
pub fn keep_ancestors() {
    lineage::keep();
}

/// From now on the stack is kept on which each task is made, so that
/// [`TaskInfo::creation_stack`] and [`Ancestor::creation_stack`] show it. Else only the place
/// is known at which it was made, which may be that of a function that everybody calls.
///
/// It takes about a microsecond for each task that is started, and half a kilobyte as long as
/// the task lives, or as somebody is known to descend from it ([`keep_ancestors`]). The
/// innermost 64 frames are kept. [`Scope::keep_creation_stacks`](crate::Scope::keep_creation_stacks)
/// does so in one scope.
///
/// ```
/// use gopark::inspect::{Snapshot, keep_creation_stacks};
/// use gopark::{chan, go};
///
/// keep_creation_stacks();
/// let (stop, stopped) = chan::rendezvous::<()>();
/// let task = go(move || stopped.recv());
///
/// let all = Snapshot::all();
/// let info = all.tasks.iter().find(|it| it.id == task.id()).unwrap();
/// for frame in info.creation_stack.iter().flat_map(|stack| stack.frames()) {
///     println!("{}", frame.function);
/// }
/// drop(stop);
/// # let _ = task.join();
/// ```
pub fn keep_creation_stacks() {
    lineage::keep_all_stacks();
}

/// A task that started a task, or an ancestor of that one. It may have ended.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Ancestor {
    /// Its number.
    pub id: TaskId,
    /// Who made it; of a thread it is known where leak checks are told of threads.
    pub parent: Option<TaskId>,
    /// Task or adopted thread.
    pub kind: Kind,
    /// The name it was given.
    pub name: Option<String>,
    /// The function that it runs: the type name of its closure.
    pub entry: &'static str,
    /// The function that made it.
    pub creator: &'static str,
    /// Where it was made.
    pub created_at: &'static Location<'static>,
    /// The stack that it was made on, if that is [kept](keep_creation_stacks), or if it is a
    /// thread and leak checks are told of threads.
    pub creation_stack: Option<Trace>,
}

impl TaskInfo {
    /// Who started the task, who started that one, and so on, up to 64, as far as
    /// [`keep_ancestors`] was on when they started their tasks.
    ///
    /// ```
    /// use gopark::inspect::{Snapshot, keep_ancestors};
    /// use gopark::{Builder, chan, go};
    ///
    /// keep_ancestors();
    /// let (stop, stopped) = chan::rendezvous::<()>();
    /// let parent = Builder::new().name("server").go(move || go(move || stopped.recv()))?;
    /// let child = parent.join().unwrap(); // it has ended, and is still known
    ///
    /// let all = Snapshot::all();
    /// let child_info = all.tasks.iter().find(|task| task.id == child.id()).unwrap();
    /// let ancestors = child_info.ancestors();
    /// assert_eq!(ancestors[0].name.as_deref(), Some("server"));
    /// drop(stop);
    /// # let _ = child.join();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn ancestors(&self) -> Vec<Ancestor> {
        from(self.parent)
    }
}

impl UnseenPanic {
    /// As [`TaskInfo::ancestors`].
    pub fn ancestors(&self) -> Vec<Ancestor> {
        from(self.parent)
    }
}

fn from(parent: Option<TaskId>) -> Vec<Ancestor> {
    let known = lineage::of(parent).into_iter().map(|(id, note)| Ancestor {
        id,
        parent: note.parent,
        kind: if note.thread { Kind::Thread } else { Kind::Task },
        name: note.name,
        entry: note.entry,
        creator: note.creator,
        created_at: note.created_at,
        creation_stack: note.stack.as_deref().map(Trace::of_birth),
    });
    known.collect()
}
