//! Stacks: where they come from, what guards them, how they grow and shrink.
//!
//! Go moves a stack that has become too small, because its compiler tells it
//! where every pointer is. Nothing in Rust could adjust the pointers into a
//! stack, so here a stack never moves. It is a *slot* of an *arena*: a
//! contiguous reservation of address space that the kernel backs page by page as
//! the task goes deeper. Growing is a page fault and copies nothing; a task that
//! stays shallow costs one page.
//!
//! ```text
//!   arena (one mapping, MAP_NORESERVE)
//!   ┌───────┬──────────────────┬───────┬──────────────────┬──
//!   │ guard │   usable bytes ◀─│ guard │   usable bytes ◀─│ …
//!   └───────┴──────────────────┴───────┴──────────────────┴──
//!     64 KiB                 top
//! ```
//!
//! | file | what |
//! |---|---|
//! | `class.rs` | how large a stack can be |
//! | `arena.rs` | address space, reserved in steps; guards; whose address is this |
//! | `pool.rs` | slots without a task: per processor, global, given back |
//! | `adapt.rs` | how many pages of a free stack are worth keeping |
//! | `trim.rs` | giving pages of parked tasks and of free stacks back |
//! | `usage.rs` | how much of everything there is |
//! | `refusal.rs` | what is said when the system refuses |
//! | `overflow.rs` | what is said when a task runs off its stack |
//! | `frames.rs` | where it was then |
//! | `segment.rs` | going on on another stack: `grow`; how deep one is |
//! | `exact.rs` | whether a stack that is used again remembers |
//!
//! The guard lies below the usable bytes, so running off the end faults; the
//! fault handler (`overflow.rs`) tells which task, how to mend it and where it
//! was, and aborts. The guard is installed once per slot and survives reuse.
//!
//! # Counted and owned
//! `go` counts a task against the slots that are reserved, and reserves another
//! arena when they run out: if the system refuses, `go` has an error to return.
//! The slot itself is taken when the task starts, so a million tasks that wait
//! for their turn own no stack, and the one that is started next gets the stack
//! that was left last, warm in the cache. `pool.rs` shows that who was counted
//! finds a slot.
//!
//! Invariants:
//! - **K1** A slot belongs to one owner at a time: a pool, one task from its
//!   first instruction to its last, or one call of `grow`.
//! - **K2** Arenas are never unmapped, so every address of one can be asked
//!   about, and compared with, for ever.
//! - **K3** The guard below every slot that somebody owns is installed.
//! - **K4** There are at least as many slots without an owner within everybody's
//!   reach as tasks that were counted and have not started.

pub(crate) mod adapt;
pub(crate) mod arena;
pub(crate) mod class;
mod exact;
pub(crate) mod frames;
pub(crate) mod overflow;
pub(crate) mod pool;
mod refusal;
mod segment;
pub(crate) mod trim;
mod usage;

pub(crate) use segment::{Part, Pieces, has_word, know_thread, pieces_of, pieces_of_thread};
pub use segment::{ensure, grow, high_water, remaining};
pub use usage::{Usage, scavenge, usage};

use class::Class;
use std::ptr;

/// Usable bytes of the classes that [`Builder::stack_limit`](crate::Builder::stack_limit)
/// chooses from: the smallest that is enough.
///
/// ```
/// assert_eq!(gopark::stack::CLASSES[0], 64 << 10);
/// ```
pub const CLASSES: [usize; 7] = class::SIZES;

/// Usable bytes of a task's stack that was started without a limit of its own.
///
/// 512 KiB, or 1 MiB with debug assertions, unless
/// [`Config::stack_limit`](crate::runtime::Config::stack_limit) or `GOPARK_STACK`
/// say otherwise. Starts the runtime if it is not running.
///
/// ```
/// assert!(gopark::stack::CLASSES.contains(&gopark::stack::default_limit()));
/// ```
pub fn default_limit() -> usize {
    crate::sched::start_default();
    Class::chosen(None).usable()
}

/// One slot, owned. Losing it leaks its address space, nothing worse.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stack {
    /// One past the highest usable byte; page-aligned.
    top: *mut u8,
    class: Class,
}

impl Stack {
    pub(crate) fn top(self) -> *mut u8 {
        self.top
    }

    pub(crate) fn class(self) -> Class {
        self.class
    }

    /// The lowest usable byte.
    pub(crate) fn base(self) -> *mut u8 {
        self.top.wrapping_sub(self.class.usable())
    }

    /// Is the address one of its usable bytes, or one past the last?
    pub(crate) fn contains(self, address: usize) -> bool {
        (self.base().addr()..=self.top.addr()).contains(&address)
    }

    /// Its topmost word. In a pool it is the list's link; of an owned slot it is
    /// the innermost segment that `grow` has chained to it, or null.
    pub(crate) fn chain(self) -> *mut *mut u8 {
        self.top.wrapping_sub(size_of::<*mut u8>()).cast()
    }

    /// Where frames begin: below the topmost word, aligned to 16 bytes.
    pub(crate) fn first_frame(self) -> *mut u8 {
        self.top.wrapping_sub(16)
    }
}

/// What a record knows of its task's stack, in one word.
///
/// ```text
///   63                       12 11        3 2     0
///  ┌───────────────────────────┬───────────┬───────┐
///  │ top of the stack, or 0    │ segments  │ class │
///  └───────────────────────────┴───────────┴───────┘
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place(usize);

const CLASS: usize = 0b111;
const ONE_SEGMENT: usize = CLASS + 1;
const SEGMENTS: usize = 0xFFF & !CLASS;

impl Place {
    /// Of a task that has not started.
    pub(crate) fn none(class: Class) -> Place {
        Place(class.index())
    }

    pub(crate) fn of(stack: Stack) -> Place {
        Place(stack.top.expose_provenance() | stack.class.index())
    }

    pub(crate) fn from_bits(bits: usize) -> Place {
        Place(bits)
    }

    pub(crate) fn bits(self) -> usize {
        self.0
    }

    #[inline]
    pub(crate) fn class(self) -> Class {
        Class::of_index(self.0 & CLASS)
    }

    #[inline]
    pub(crate) fn stack(self) -> Option<Stack> {
        let top = self.0 & !(SEGMENTS | CLASS);
        (top != 0)
            .then(|| Stack { top: ptr::with_exposed_provenance_mut(top), class: self.class() })
    }

    /// Segments that the task is on; more than 511 are not counted.
    pub(crate) fn segments(self) -> usize {
        (self.0 & SEGMENTS) / ONE_SEGMENT
    }

    pub(crate) fn with_segments(self, count: usize) -> Place {
        Place(self.0 & !SEGMENTS | (count * ONE_SEGMENT).min(SEGMENTS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_holds_stack_and_segments() {
        let class = Class::for_bytes(1 << 20).unwrap();
        let none = Place::none(class);
        assert_eq!((none.stack(), none.class(), none.segments()), (None, class, 0));
        let stack = Stack { top: ptr::with_exposed_provenance_mut(0x7fff_dead_b000), class };
        let place = Place::of(stack);
        assert_eq!((place.stack(), place.class(), place.segments()), (Some(stack), class, 0));
        let deeper = place.with_segments(3);
        assert_eq!((deeper.stack(), deeper.class(), deeper.segments()), (Some(stack), class, 3));
        assert_eq!(place.with_segments(100_000).segments(), 511);
        assert_eq!(place.with_segments(100_000).with_segments(0), place);
    }
}
