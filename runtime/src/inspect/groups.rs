//! All tasks in a few lines: how many do the same.

use super::{Status, WaitReason};
use crate::sys::clock;
use crate::task::record::{Record, flag};
use crate::task::registry;
use crate::task::state::Reading;
use core::panic::Location;
use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

/// Tasks that were made at one place and do the same, at the same place if they
/// wait.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Group {
    /// How many.
    pub count: usize,
    /// What they do.
    pub status: Status,
    /// Why they wait; `None` when they are not parked.
    pub reason: Option<WaitReason>,
    /// The call that they wait in.
    pub site: Option<&'static Location<'static>>,
    /// The function that they run.
    pub entry: &'static str,
    /// Where they were made.
    pub created_at: &'static Location<'static>,
    /// For how long the first of them has waited, exact to some milliseconds.
    pub oldest: Option<Duration>,
}

/// Groups all tasks by what they do, the largest group first; adopted threads are
/// not included.
///
/// Reads each task as a [`Snapshot`](super::Snapshot) does, but keeps none of
/// them, so that a million tasks take some bytes. Stops and blocks nobody.
///
/// ```
/// let (tx, rx) = gopark::chan::rendezvous::<()>();
/// let tasks: Vec<_> = (0..3)
///     .map(|_| {
///         let rx = rx.clone();
///         gopark::go(move || rx.recv())
///     })
///     .collect();
/// // They run some time; look until all are parked.
/// let groups = loop {
///     let groups = gopark::inspect::groups();
///     if groups[0].count == 3 && groups[0].reason.is_some() {
///         break groups;
///     }
///     std::thread::yield_now();
/// };
/// assert!(groups[0].to_string().starts_with("3 tasks: chan receive"));
/// drop(tx);
/// # tasks.into_iter().for_each(|task| drop(task.join()));
/// ```
pub fn groups() -> Vec<Group> {
    collect(u64::MAX).into_iter().map(|(group, _)| group).collect()
}

/// The same, each with how many of it have been blocked for so long where only others can
/// wake them; daemons are not counted there.
#[cfg(feature = "debug")]
pub(crate) fn groups_blocked(longer_than: Duration) -> Vec<(Group, usize)> {
    collect(u64::try_from(longer_than.as_nanos()).unwrap_or(u64::MAX))
}

fn collect(longer_than: u64) -> Vec<(Group, usize)> {
    let now = clock::now();
    let mut groups: HashMap<Key, (usize, usize, u64)> = HashMap::new();
    registry::each_unlocked(|record| {
        if let Some((_, Some((key, seen)))) = record.observe(look) {
            let (count, blocked, oldest) = groups.entry(key).or_insert((0, 0, u64::MAX));
            *count += 1;
            *blocked += usize::from(seen.blocked && now.saturating_sub(seen.since) >= longer_than);
            *oldest = seen.since.min(*oldest);
        }
    });
    let mut groups: Vec<(Group, usize)> = groups
        .into_iter()
        .map(|(key, (count, blocked, since))| {
            let group = Group {
                count,
                status: key.status,
                reason: key.wait.map(|(reason, _)| reason),
                site: key.wait.map(|(_, site)| site),
                entry: key.entry,
                created_at: key.created_at,
                oldest: key.wait.map(|_| Duration::from_nanos(now.saturating_sub(since))),
            };
            (group, blocked)
        })
        .collect();
    groups.sort_by_key(|(group, _)| std::cmp::Reverse((group.count, group.oldest)));
    groups
}

#[derive(PartialEq, Eq, Hash)]
struct Key {
    status: Status,
    wait: Option<(WaitReason, &'static Location<'static>)>,
    entry: &'static str,
    created_at: &'static Location<'static>,
}

struct Seen {
    since: u64,
    blocked: bool,
}

fn look(record: &Record, reading: Reading) -> Option<(Key, Seen)> {
    let status = match reading.status() {
        Status::Idle | Status::Dead => return None,
        // For a moment, of a task that waits.
        Status::CopyStack => Status::Waiting,
        status => status,
    };
    if record.has(flag::THREAD | flag::SYSTEM) {
        return None;
    }
    let site = record.site().filter(|_| reading.parked());
    let key = Key {
        status,
        wait: site.map(|site| (record.reason(), site)),
        entry: record.entry(),
        created_at: record.created_at(),
    };
    let durable = key.wait.is_some_and(|(reason, _)| reason.durable());
    let blocked = durable && record.until() == u64::MAX && !record.has(flag::DAEMON);
    Some((key, Seen { since: record.since(), blocked }))
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.reason.map_or(self.status.as_str(), WaitReason::as_str);
        write!(f, "{} task{}: {what}", self.count, if self.count == 1 { "" } else { "s" })?;
        if let Some(site) = self.site {
            write!(f, " at {}:{}", site.file(), site.line())?;
        }
        if let Some(oldest) = self.oldest {
            write!(f, " for up to {} s", oldest.as_secs())?;
        }
        let made = self.created_at;
        write!(f, "; {}, made at {}:{}", self.entry, made.file(), made.line())
    }
}
