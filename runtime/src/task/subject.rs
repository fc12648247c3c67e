//! What a parked task waits for: a word in its record that leads an observer to the
//! channel, the group or the task.
//!
//! The record has no room for one more word. But its `next`, by which queues link
//! records, is free while the task is parked, as it is in no queue then. So whoever
//! parks with a [`Subject`] in its frame leaves the address of that there, and
//! parking costs one store more.
//!
//! # Invariants
//!
//! - **X1** A subject, and what it leads to, last until the park that was begun with
//!   it is over: [`park_on`](crate::sched::park::park_on) borrows it.
//! - **X2** An observer looks at a subject while it holds the task with the scan bit
//!   in its park: the task does not go on, and nobody queues it, until it is let go
//!   (T3). So nobody writes `next` meanwhile, and X1 holds (`models/parking.rs`).
//! - **X3** The observer is in a section then, so it allocates nothing (N1): what it
//!   finds goes on a [`Pad`] that has room from the start. It may take the lock of
//!   what it looks at: who holds that does not wait for the task or for observers.

use super::record::{Record, TaskId, flag};
use crate::chan::Side;
use crate::chan::seat::USERS;
use crate::sched::enqueue;
use crate::sync::Holder;
use crate::sys::futex;
use crate::sys::section::Section;
use crate::task::state::Release;
use core::cell::Cell;
use core::panic::Location;
use core::ptr;

/// Something that can say what it is.
pub(crate) trait Describe {
    /// Under X3.
    fn describe(&self, pad: &mut Pad);
}

/// What a task waits for; in the frame of the wait.
pub(crate) struct Subject {
    at: *const (),
    describe: unsafe fn(*const (), &mut Pad),
}

/// # Safety
/// `at` is a `D` that lasts.
unsafe fn describe<D: Describe>(at: *const (), pad: &mut Pad) {
    // SAFETY: of() made the pointer, from what lasts as long as the subject (X1).
    unsafe { &*at.cast::<D>() }.describe(pad);
}

impl Subject {
    /// The caller keeps `of` as long as the subject (X1): both stand in the same frame.
    #[inline]
    pub(crate) fn of<D: Describe>(of: &D) -> Subject {
        Subject { at: ptr::from_ref(of).cast(), describe: describe::<D> }
    }
}

/// One thing that a task waits for.
#[derive(Clone, Copy)]
#[expect(clippy::large_enum_variant, reason = "nothing can be boxed under X3")]
pub(crate) enum Sketch {
    Channel(ChannelSketch),
    Task(TaskId),
    Group { count: u64, counted: Option<Holder> },
    Condition { signalled: Option<Holder> },
    Semaphore { wants: u32, free: u32, size: u32, taken: Option<Holder> },
    Barrier { parties: u32, arrived: u32 },
}

#[derive(Clone, Copy)]
pub(crate) struct ChannelSketch {
    pub(crate) address: usize,
    pub(crate) side: Side,
    pub(crate) made: &'static Location<'static>,
    pub(crate) capacity: usize,
    pub(crate) len: usize,
    pub(crate) timer: bool,
    pub(crate) context: bool,
    pub(crate) senders: usize,
    pub(crate) receivers: usize,
    pub(crate) seats: [Option<SeatSketch>; SEATS],
}

#[derive(Clone, Copy)]
pub(crate) struct SeatSketch {
    pub(crate) side: Side,
    pub(crate) site: &'static Location<'static>,
    pub(crate) count: u32,
    pub(crate) users: [u64; USERS],
}

/// How many places that made handles are kept of a channel.
pub(crate) const SEATS: usize = 8;
/// How many cases are kept of a select.
const LINES: usize = 64;

/// Where an observer writes down what it finds, without allocating.
pub(crate) struct Pad {
    lines: Vec<Sketch>,
}

impl Pad {
    pub(crate) fn new() -> Pad {
        Pad { lines: Vec::with_capacity(LINES) }
    }

    /// What does not fit is left out.
    pub(crate) fn add(&mut self, sketch: Sketch) {
        if self.lines.len() < self.lines.capacity() {
            self.lines.push(sketch);
        }
    }

    /// Looks at what a task waits for, if it is still in the state with this stamp.
    pub(crate) fn look(&mut self, task: &'static Record, stamp: u64) -> &[Sketch] {
        self.lines.clear();
        let _section = Section::new();
        let seen = task.state.read();
        let thread = task.has(flag::THREAD);
        if seen.stamp() == stamp && task.state.begin_trim(seen) {
            // SAFETY: the task is held in its park (X2).
            if let Some(subject) = unsafe { task.subject() } {
                // SAFETY: the subject lasts (X1).
                unsafe { (subject.describe)(subject.at, self) };
            }
            if task.state.end_trim() == Release::Enqueue {
                match thread {
                    true => futex::wake_ptr(task.state.futex(), 1),
                    false => enqueue::enqueue(task),
                }
            }
        }
        &self.lines
    }
}

impl Record {
    /// By the task, which is about to park with this subject or none.
    #[inline]
    pub(crate) fn set_subject(&self, subject: *const Subject) {
        self.next.set(subject.cast());
    }

    /// # Safety
    /// The caller holds the task in its park (X2).
    unsafe fn subject(&self) -> Option<&Subject> {
        let at: &Cell<*const Record> = &self.next;
        // SAFETY: null, or a subject that lasts (X1).
        unsafe { at.get().cast::<Subject>().as_ref() }
    }
}

/// A joiner waits for a task, whose record is the handle's.
impl Describe for Record {
    fn describe(&self, pad: &mut Pad) {
        pad.add(Sketch::Task(self.id()));
    }
}
