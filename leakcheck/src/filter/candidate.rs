//! What a rule may ask about a leak that it might leave out.

use std::cell::OnceCell;
use std::fmt;

/// What is known of a task, or of whatever else a check may find, when a
/// [`Filter`](crate::Filter) decides about it.
///
/// Functions are full paths, as reports print them.
pub struct Candidate<'a> {
    pub(crate) id: Option<u64>,
    pub(crate) name: Option<&'a str>,
    pub(crate) labels: &'a [(String, String)],
    pub(crate) entry: &'a str,
    pub(crate) creator: &'a str,
    pub(crate) created_in: &'a str,
    pub(crate) site: Option<&'a str>,
    pub(crate) dear: &'a dyn Dear,
    pub(crate) functions: OnceCell<Vec<String>>,
    pub(crate) creators: OnceCell<Vec<String>>,
}

/// What costs something to find out: asked for at most once, and only if a rule wants
/// to know.
pub(crate) trait Dear {
    /// The functions that it is in, the innermost first, without those of the runtime
    /// that it waits in. Empty if that is not known.
    fn functions(&self) -> Vec<String>;
    /// For each ancestor, the parent first: the function that it runs, and the one that
    /// made it.
    fn ancestors(&self) -> Vec<String>;
}

/// Of what nothing more is known.
impl Dear for () {
    fn functions(&self) -> Vec<String> {
        Vec::new()
    }

    fn ancestors(&self) -> Vec<String> {
        Vec::new()
    }
}

impl<'a> Candidate<'a> {
    /// One that runs this function.
    pub(crate) fn new(entry: &'a str, dear: &'a dyn Dear) -> Candidate<'a> {
        Candidate {
            id: None,
            name: None,
            labels: &[],
            entry,
            creator: "",
            created_in: "",
            site: None,
            dear,
            functions: OnceCell::new(),
            creators: OnceCell::new(),
        }
    }

    /// The name that it was given.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name
    }

    /// The label with this key.
    #[must_use]
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str())
    }

    /// The function that it runs: its closure's.
    #[must_use]
    pub fn entry(&self) -> &str {
        self.entry
    }

    /// The function whose call blocks; `None` while it runs. If it is not known what it
    /// is in, the function that it runs.
    #[must_use]
    pub fn top_function(&self) -> Option<&str> {
        // Where it is while it runs, it is no longer when that is decided about.
        self.site?;
        Some(self.known_functions().first().map_or(self.entry, String::as_str))
    }

    /// All functions that it is in, the one whose call blocks first, the one that it
    /// runs last; not the one that made it.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        let known = self.known_functions();
        let entry = (known.last().map(String::as_str) != Some(self.entry)).then_some(self.entry);
        known.iter().map(String::as_str).chain(entry)
    }

    /// The function that made it, and then, for each of its ancestors, the function
    /// that that runs, and the one that made that.
    pub fn creators(&self) -> impl Iterator<Item = &str> {
        let ancestors = self.creators.get_or_init(|| self.dear.ancestors());
        let creator = (!self.creator.is_empty()).then_some(self.creator);
        creator.into_iter().chain(ancestors.iter().map(String::as_str))
    }

    /// The file in which it waits; `None` while it runs.
    #[must_use]
    pub fn site(&self) -> Option<&str> {
        self.site
    }

    /// The file in which it was made.
    #[must_use]
    pub fn created_in(&self) -> &str {
        self.created_in
    }

    fn known_functions(&self) -> &[String] {
        self.functions.get_or_init(|| self.dear.functions())
    }
}

impl fmt::Debug for Candidate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Candidate")
            .field("name", &self.name)
            .field("entry", &self.entry)
            .field("site", &self.site)
            .finish_non_exhaustive()
    }
}

#[cfg(runtime)]
mod task {
    use super::{Candidate, Dear};
    use gopark::inspect::{Kind, TaskInfo, add_frames};

    impl<'a> From<&'a TaskInfo> for Candidate<'a> {
        fn from(task: &'a TaskInfo) -> Candidate<'a> {
            Candidate {
                id: Some(task.id.get()),
                name: task.name.as_deref(),
                labels: &task.labels,
                creator: task.creator,
                created_in: task.created_at.file(),
                site: task.wait.as_ref().map(|wait| wait.site.file()),
                ..Candidate::new(task.entry, task)
            }
        }
    }

    impl Dear for TaskInfo {
        fn functions(&self) -> Vec<String> {
            if self.trace.is_none() {
                let mut task = [self.clone()];
                add_frames(&mut task);
                return task[0].frames().map(|frame| frame.function.clone()).collect();
            }
            self.frames().map(|frame| frame.function.clone()).collect()
        }

        fn ancestors(&self) -> Vec<String> {
            let tasks = self.ancestors().into_iter().filter(|it| it.kind == Kind::Task);
            tasks.flat_map(|it| [it.entry.to_owned(), it.creator.to_owned()]).collect()
        }
    }
}
