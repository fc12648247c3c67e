//! Tasks that wait for each other's locks.
//!
//! A wait for a lock ends when everybody has let go who has it: its owner, or each of
//! its readers. So a task waits for every one of those, and a ring of such waits never
//! ends, whatever else runs. A ring of one is a task that waits for itself.

use std::collections::{HashMap, HashSet};

use gopark::TaskId;
use gopark::inspect::{Holder, LockWait};

/// A ring: each waits for a lock that the next one has, the last for one of the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cycle {
    pub(crate) links: Vec<Link>,
}

/// One of a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) wait: LockWait,
    /// Who has the lock; the next one of the ring.
    pub(crate) holder: Holder,
}

impl Cycle {
    pub(crate) fn has(&self, task: TaskId) -> bool {
        self.links.iter().any(|link| link.wait.id == task)
    }

    /// Whether the same tasks are in the same waits, in which nothing has changed.
    fn lasts_in(&self, later: &[LockWait]) -> bool {
        self.links.iter().all(|link| {
            later.iter().any(|wait| {
                (wait.id, wait.stamp) == (link.wait.id, link.wait.stamp)
                    && wait.lock.holders().any(|holder| holder == link.holder)
            })
        })
    }
}

/// The rings that are there in both of two looks, one after the other: each task in
/// them stood still from the one to the other.
pub(crate) fn lasting(earlier: &[Cycle], later: &[LockWait]) -> Vec<Cycle> {
    earlier.iter().filter(|cycle| cycle.lasts_in(later)).cloned().collect()
}

/// The tasks of these rings, and those that wait for them for ever.
pub(crate) fn doomed(cycles: &[Cycle], waits: &[LockWait]) -> HashSet<TaskId> {
    let mut doomed: HashSet<TaskId> =
        cycles.iter().flat_map(|cycle| &cycle.links).map(|link| link.wait.id).collect();
    if doomed.is_empty() {
        return doomed;
    }
    loop {
        let before = doomed.len();
        for wait in waits {
            if wait.lock.holders().any(|holder| doomed.contains(&holder.task)) {
                doomed.insert(wait.id);
            }
        }
        if doomed.len() == before {
            return doomed;
        }
    }
}

/// Rings among these waits, no task in more than one.
pub(crate) fn find(waits: &[LockWait]) -> Vec<Cycle> {
    let by_task: HashMap<TaskId, &LockWait> = waits.iter().map(|wait| (wait.id, wait)).collect();
    let mut cycles = Vec::new();
    let mut visited = HashSet::new();
    for start in waits {
        if visited.insert(start.id) {
            search(start, &by_task, &mut visited, &mut cycles);
        }
    }
    cycles
}

/// Follows the waits from one task in depth, and not those that others have followed.
fn search(
    start: &LockWait,
    by_task: &HashMap<TaskId, &LockWait>,
    visited: &mut HashSet<TaskId>,
    cycles: &mut Vec<Cycle>,
) {
    // The way to where we are, with the holders of each lock that are still to follow.
    let mut way: Vec<(&LockWait, Vec<Holder>, Option<Holder>)> =
        vec![(start, start.lock.holders().collect(), None)];
    while let Some((_, left, followed)) = way.last_mut() {
        let Some(holder) = left.pop() else {
            way.pop();
            continue;
        };
        *followed = Some(holder);
        if let Some(at) = way.iter().position(|(wait, ..)| wait.id == holder.task) {
            let links = way[at..].iter().map(|(wait, _, followed)| Link {
                wait: **wait,
                holder: followed.expect("all on the way were followed"),
            });
            let cycle = Cycle { links: links.collect() };
            if !cycle.links.iter().any(|link| cycles.iter().any(|it| it.has(link.wait.id))) {
                cycles.push(cycle);
            }
        } else if let Some(next) = by_task.get(&holder.task)
            && visited.insert(next.id)
        {
            way.push((next, next.lock.holders().collect(), None));
        }
    }
}
