//! Who made whom, also when they have ended; and on what stack, if somebody wants to
//! know.
//!
//! A task knows the number of its parent, and which function that ran. Who made the
//! parent can be asked while that lives, and no longer: its record serves another
//! task. So from [`keep`](fn@keep) on a task that starts another one for the first time is
//! noted here, under its number, which is never used twice. Tasks without children, most
//! of all, cost nothing; before `keep`, nobody does.
//!
//! The stack on which a task is made is kept with its name and labels, so it goes when
//! the task does; the note of one that has started others holds it on.
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

use super::extra::Extra;
use super::record::{Record, TaskId, flag};
use super::scope::{self, ScopeInner};
use super::{registry, threads};
use crate::inspect::callers::callers;
use crate::sys::section;
use core::panic::Location;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};

/// So many ancestors of a task are known.
const DEPTH: usize = 64;
/// The notes are in so many parts, each with a lock.
const PARTS: usize = 16;
/// So many frames of a task's maker are kept, the innermost ones.
const FRAMES: usize = 64;
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
    /// Addresses of the stack that it was made on.
    pub(crate) stack: Option<Arc<[usize]>>,
    /// The walk that was the last when it was made, or found a use for it.
    walk: u32,
}

#[derive(Default)]
struct Part {
    notes: HashMap<TaskId, Note>,
    /// With so many there is a walk.
    limit: usize,
}

/// What is kept.
mod keep {
    pub(super) const ANCESTORS: u8 = 1;
    /// The stacks on which the tasks of some scopes are made.
    pub(super) const STACKS: u8 = 1 << 1;
    /// Of all tasks.
    pub(super) const ALL_STACKS: u8 = 1 << 2;
    /// Of all tasks, if [`WANTED`](super::WANTED) says so.
    pub(super) const ASK: u8 = 1 << 3;
}

static KEEPS: AtomicU8 = AtomicU8::new(0);
/// To be asked before the first task is made.
static WANTED: OnceLock<fn() -> bool> = OnceLock::new();
static NOTES: LazyLock<[Mutex<Part>; PARTS]> = LazyLock::new(Default::default);
/// Walks so far.
static WALKS: AtomicU32 = AtomicU32::new(0);
/// Held for a walk.
static WALKING: Mutex<()> = Mutex::new(());

/// From now on, who starts a task is noted.
pub(crate) fn keep() {
    // Every check says so.
    if KEEPS.load(Ordering::Relaxed) & keep::ANCESTORS == 0 {
        KEEPS.fetch_or(keep::ANCESTORS, Ordering::Relaxed);
    }
}

/// From now on the stacks are kept on which tasks are made in scopes that want it.
pub(crate) fn keep_stacks() {
    KEEPS.fetch_or(keep::STACKS, Ordering::Relaxed);
}

/// The same in all scopes.
pub(crate) fn keep_all_stacks() {
    KEEPS.fetch_or(keep::ALL_STACKS, Ordering::Relaxed);
}

/// The same if `wanted` says so, which is called when the next task is made.
pub(crate) fn keep_all_stacks_if(wanted: fn() -> bool) {
    if WANTED.set(wanted).is_ok() {
        KEEPS.fetch_or(keep::ASK, Ordering::Relaxed);
    }
}

/// The calling task, or thread, is about to start a task.
#[inline]
pub(crate) fn has_child(parent: &'static Record) {
    if KEEPS.load(Ordering::Relaxed) & keep::ANCESTORS != 0 && !parent.has(flag::PARENT) {
        note(parent);
    }
}

/// A task is about to be made in the scope: what it is to carry, and the calling stack if
/// that is wanted.
#[inline]
pub(crate) fn with_stack(scope: &ScopeInner, extra: Option<Box<Extra>>) -> Option<Box<Extra>> {
    match KEEPS.load(Ordering::Relaxed) & !keep::ANCESTORS {
        0 => extra,
        keeps => add_stack(keeps, scope, extra),
    }
}

#[cold]
fn add_stack(keeps: u8, scope: &ScopeInner, extra: Option<Box<Extra>>) -> Option<Box<Extra>> {
    if keeps & keep::ASK != 0 {
        KEEPS.fetch_and(!keep::ASK, Ordering::Relaxed);
        if WANTED.get().is_some_and(|wanted| wanted()) {
            keep_all_stacks();
        }
    }
    let all = KEEPS.load(Ordering::Relaxed) & keep::ALL_STACKS != 0;
    if !all && !scope.keeps_stacks() {
        return extra;
    }
    let mut extra = extra.unwrap_or_default();
    extra.stack = Some(callers(FRAMES));
    Some(extra)
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
    // SAFETY: it is the caller itself, which is here while this is copied.
    let extra = unsafe { parent.own_extra() };
    let thread = parent.has(flag::THREAD);
    let birth = if thread { threads::own_birth() } else { None };
    let birth = birth.map(|birth| birth.frames);
    let note = Note {
        thread,
        parent: parent.parent(),
        name: extra.and_then(|extra| extra.name.clone()).or_else(|| scope::test_of(parent)),
        stack: extra.and_then(|extra| extra.stack.clone()).or(birth),
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
