//! The ancestors of a task.

use super::{Kind, TaskInfo};
use crate::task::lineage;
use crate::task::record::TaskId;
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

/// A task that started a task, or an ancestor of that one. It may have ended.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Ancestor {
    /// Its number.
    pub id: TaskId,
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
        let ancestors = lineage::of(self.parent).into_iter();
        let known = ancestors.map(|(id, note)| Ancestor {
            id,
            kind: if note.thread { Kind::Thread } else { Kind::Task },
            name: note.name,
            entry: note.entry,
            creator: note.creator,
            created_at: note.created_at,
        });
        known.collect()
    }
}
