//! Which tasks a client asks for.

use super::key;
use crate::debug::leaks::is_blocked;
use crate::inspect::{Snapshot, Status, TaskInfo, write_tasks};
use std::time::Duration;

/// All that is said of it must be true of a task.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(in crate::debug) struct Wanted {
    /// In lower case; each must occur somewhere.
    pub(in crate::debug) words: Vec<String>,
    pub(in crate::debug) group: Option<u64>,
    pub(in crate::debug) status: Option<Status>,
    /// Blocked for so long where only others can wake it.
    pub(in crate::debug) blocked: Option<Duration>,
    /// No more than these, the first by number.
    pub(in crate::debug) limit: Option<usize>,
    pub(in crate::debug) frames: bool,
}

impl Wanted {
    pub(in crate::debug) fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_lowercase).collect()
    }

    pub(in crate::debug) fn group(text: &str) -> Option<u64> {
        u64::from_str_radix(text, 16).ok().filter(|key| format!("{key:016x}") == text)
    }

    pub(in crate::debug) fn status(text: &str) -> Option<Status> {
        super::STATES.into_iter().find(|status| status.as_str() == text)
    }

    /// Them, as JSON.
    pub(in crate::debug) fn find(&self) -> String {
        let mut all = Snapshot::all();
        all.tasks.retain(|task| self.is(task));
        all.tasks.truncate(self.limit.unwrap_or(usize::MAX));
        if self.frames {
            all = all.with_frames();
        }
        let mut out = String::new();
        write_tasks(&mut out, &all.tasks);
        out
    }

    fn is(&self, task: &TaskInfo) -> bool {
        self.group.is_none_or(|group| key::of_task(task) == group)
            && self.status.is_none_or(|status| super::shown(task.status) == status)
            && self.blocked.is_none_or(|least| is_blocked(task, least))
            && (self.words.is_empty() || self.has_words(task))
    }

    fn has_words(&self, task: &TaskInfo) -> bool {
        let mut text = format!(
            "{} {} {} {} {}:{}",
            task.id,
            super::shown(task.status).as_str(),
            task.entry,
            task.creator,
            task.created_at.file(),
            task.created_at.line()
        );
        let mut add = |more: &str| {
            text.push(' ');
            text.push_str(more);
        };
        if let Some(wait) = task.wait {
            add(wait.reason.as_str());
            add(&format!("{}:{}", wait.site.file(), wait.site.line()));
        }
        task.name.iter().for_each(|name| add(name));
        task.labels.iter().for_each(|(name, value)| add(&format!("{name}={value}")));
        let text = text.to_lowercase();
        self.words.iter().all(|word| text.contains(word.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_understood() {
        assert_eq!(Wanted::words("  Chan\tsend "), ["chan", "send"]);
        assert_eq!(Wanted::group("00000000000000ff"), Some(255));
        for wrong in ["", "ff", "00000000000000FF", "+0000000000000ff", "000000000000000ff"] {
            assert_eq!(Wanted::group(wrong), None, "{wrong}");
        }
        assert_eq!(Wanted::status("waiting"), Some(Status::Waiting));
        assert_eq!(Wanted::status("Waiting"), None);
        assert_eq!(Wanted::status("copystack"), None, "shown as waiting");
    }
}
