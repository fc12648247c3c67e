//! The timer of a park, and the room that a task keeps for it.
//!
//! A task parks with a lock held and is parked by the scheduler, and neither may
//! allocate. So a task that may come to a park with a deadline sees to a place in
//! a heap before (a *promise*, `timers.rs`). It keeps that through parks that its
//! timer ends, needs another one after a park that ended early, as the old entry
//! still has its place, and gives it back at its end.

use crate::sched::processors::MOST;
use crate::sched::{SCHED, worker};
use crate::task::record::Record;
use crate::task::state::Cause;

/// In whose heap a task has a place: the processor's number and one more; 0 for
/// none.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room(u32);

/// The timer of the present park is in the heap.
const ARMED: u32 = 1 << (Room::BITS - 1);

const _: () = assert!(MOST < ARMED as usize, "a number for each processor");

impl Room {
    pub(crate) const NONE: Room = Room(0);
    /// How many bits of a word it takes.
    pub(crate) const BITS: u32 = 12;

    pub(crate) fn from_bits(bits: u32) -> Room {
        Room(bits)
    }

    pub(crate) fn bits(self) -> u32 {
        self.0
    }

    fn processor(self) -> Option<u32> {
        (self.0 & !ARMED).checked_sub(1)
    }
}

/// Sees to room for the timer of the next park of the running task, in the heap of
/// the processor that it is on. In no section: it may allocate. Adopted threads
/// need none.
#[inline]
pub(crate) fn make_room() {
    let Some(task) = worker::current_task() else { return };
    // In a blocking call there is no processor; any will do.
    let here = worker::with_processor(|here| here.map_or(0, |p| p.id));
    if task.room() != Room(here + 1) {
        move_room(task, here);
    }
}

#[inline(never)]
fn move_room(task: &Record, here: u32) {
    give_back(task);
    SCHED.processor(here).timers.promise();
    task.set_room(Room(here + 1));
}

/// Gives the room of a task back that has no park to come.
pub(crate) fn give_back(task: &Record) {
    if let Some(id) = task.room().processor() {
        task.set_room(Room::NONE);
        SCHED.processor(id).timers.release(1);
    }
}

/// Ends the park `ticket` of the task at `until`. The scheduler holds the task,
/// which has seen to room.
#[inline]
pub(crate) fn arm(task: &'static Record, ticket: u32, until: u64) {
    let room = task.room();
    let id = room.processor().expect("a task that parks with a deadline has seen to room");
    task.set_room(Room(room.0 | ARMED));
    SCHED.processor(id).timers.add_task(until, task, ticket);
}

/// The park is over; the task is on its own again.
#[inline]
pub(crate) fn park_ended(task: &'static Record, by: Cause) {
    let room = task.room();
    if room.0 & ARMED == 0 {
        // The commit has refused.
        return;
    }
    if by == Cause::Timer {
        return task.set_room(Room(room.0 & !ARMED));
    }
    task.set_room(Room::NONE);
    if let Some(id) = room.processor() {
        SCHED.processor(id).timers.one_stale();
    }
    make_room();
}
