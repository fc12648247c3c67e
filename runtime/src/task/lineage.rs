//! Who made whom, also when they have ended.
//!
//! A task knows the number of its parent, and which function that ran. Who made the
//! parent can be asked while that lives, and no longer: its record serves another
//! task. So from [`keep`] on a task that starts another one for the first time is
//! noted here, under its number, which is never used twice. Tasks without children, most
//! of all, cost nothing; before `keep`, nobody does.
//!
//! Notes are dropped again when no task descends from who is noted within [`DEPTH`]
//! generations. That is found out by a walk over all records, whenever the notes have
//! doubled, so it costs a note a constant time.
//!
//! - **L1** A walk keeps whoever a record names, as its task or as the parent, and their
//!   ancestors; records of ended tasks included, which is too much, not too little.
//! - **L2** What was noted since the walk began is kept.
//! - **L3** A task that is born while its parent ends can stand in a record that the walk
//!   has passed, and its parent in one that it finds used again. So a note is dropped
//!   when two walks in a row have not found a use for it: the second one finds the child.
#![expect(
    clippy::disallowed_types,
    reason = "notes are made and read by tasks and threads, outside of sections"
)]

use super::record::{Record, TaskId, flag};
use super::registry;
use crate::sys::section;
use core::panic::Location;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

/// So many ancestors of a task are known.
const DEPTH: usize = 64;
/// The notes are in so many parts, each with a lock.
const PARTS: usize = 16;
/// A part has at least so many notes before it is asked what they are good for.
const FEW: usize = if cfg!(test) { 8 } else { 512 };

/// What is known of a task that has started others.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    pub(crate) thread: bool,
    pub(crate) parent: Option<TaskId>,
    pub(crate) name: Option<String>,
    pub(crate) entry: &'static str,
    pub(crate) creator: &'static str,
    pub(crate) created_at: &'static Location<'static>,
    /// The walk that was the last when it was made, or found a use for it.
    walk: u32,
}

#[derive(Default)]
struct Part {
    notes: HashMap<TaskId, Note>,
    /// With so many there is a walk.
    limit: usize,
}

static KEEPS: AtomicBool = AtomicBool::new(false);
static NOTES: LazyLock<[Mutex<Part>; PARTS]> = LazyLock::new(Default::default);
/// Walks so far.
static WALKS: AtomicU32 = AtomicU32::new(0);
/// Held for a walk.
static WALKING: Mutex<()> = Mutex::new(());

/// From now on, who starts a task is noted.
pub(crate) fn keep() {
    // Every check says so.
    if !KEEPS.load(Ordering::Relaxed) {
        KEEPS.store(true, Ordering::Relaxed);
    }
}

/// The calling task, or thread, is about to start a task.
#[inline]
pub(crate) fn has_child(parent: &'static Record) {
    if KEEPS.load(Ordering::Relaxed) && !parent.has(flag::PARENT) {
        note(parent);
    }
}

fn part(id: TaskId) -> MutexGuard<'static, Part> {
    section::check_outside();
    // A processor gives out numbers sixteen at a time.
    let n = usize::try_from(id.get() / 16).unwrap_or(0) % PARTS;
    NOTES[n].lock().unwrap_or_else(PoisonError::into_inner)
}

#[cold]
fn note(parent: &'static Record) {
    parent.set(flag::PARENT);
    // SAFETY: it is the caller itself, which is here while the name is copied.
    let name = unsafe { parent.own_name() }.map(str::to_owned);
    let note = Note {
        thread: parent.has(flag::THREAD),
        parent: parent.parent(),
        name,
        entry: parent.entry(),
        creator: parent.creator(),
        created_at: parent.created_at(),
        walk: WALKS.load(Ordering::Relaxed),
    };
    let full = {
        let mut part = part(parent.id());
        part.notes.insert(parent.id(), note);
        part.notes.len() >= part.limit.max(FEW)
    };
    if full {
        walk();
    }
}

/// The ancestors of a task with this parent, the nearest first, as far as they were
/// noted.
pub(crate) fn of(parent: Option<TaskId>) -> Vec<(TaskId, Note)> {
    let mut next = parent;
    let mut found = Vec::new();
    while let Some(id) = next
        && found.len() < DEPTH
        && let Some(note) = part(id).notes.get(&id).cloned()
    {
        next = note.parent;
        found.push((id, note));
    }
    found
}

/// Drops what no task descends from.
fn walk() {
    // Who comes while another walks adds to what that finds.
    let Ok(_one) = WALKING.try_lock() else { return };
    let now = WALKS.fetch_add(1, Ordering::Relaxed) + 1;
    let mut records = 0;
    // How many generations from here on have been looked at.
    let mut used: HashMap<TaskId, usize> = HashMap::new();
    registry::each_unlocked(|record| {
        records += 1;
        // The task itself may yet have children, and these have it as their first.
        for (from, depth) in [(record.try_id(), DEPTH + 1), (record.parent(), DEPTH)] {
            let mut next = from;
            for left in (1..=depth).rev() {
                let Some(id) = next else { break };
                let seen = used.entry(id).or_default();
                if *seen >= left {
                    break;
                }
                *seen = left;
                next = part(id).notes.get(&id).and_then(|note| note.parent);
            }
        }
    });
    for part in &*NOTES {
        let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
        part.notes.retain(|id, note| {
            if used.contains_key(id) {
                note.walk = now;
            }
            // L2 and L3.
            note.walk + 1 >= now
        });
        part.limit = part.notes.len() * 2 + records / PARTS;
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::{chan, go};

    fn noted() -> usize {
        (0..PARTS as u64).map(|n| part(TaskId::new(n * 16 + 16).unwrap()).notes.len()).sum()
    }

    #[test]
    fn what_nobody_descends_from_is_dropped() {
        keep();
        let (stop, stopped) = chan::rendezvous::<()>();
        // Its parent and grandparent have ended, and are in records that others use.
        let start = move || go(move || go(move || stopped.recv()));
        let parent = go(start).join().unwrap_or_else(|it| it.resume());
        let parent_id = parent.id();
        let child = parent.join().unwrap_or_else(|it| it.resume());
        for _ in 0..10_000 {
            go(|| go(|| ()).join()).join().unwrap().unwrap();
        }
        assert!(WALKS.load(Ordering::Relaxed) > 2);
        assert!(noted() < 2_000, "{} notes", noted());
        let ancestors = of(Some(parent_id));
        assert_eq!(ancestors.len(), 3, "parent, grandparent, this thread: {ancestors:?}");
        assert!(ancestors[2].1.thread);
        drop(stop);
        assert!(child.join().unwrap().is_err());
    }
}
