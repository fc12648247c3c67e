//! Stacks: where they come from, what guards them, how they are reused.
//!
//! A stack never moves, because nothing in Rust could adjust the pointers into
//! it. It is a *slot* of an *arena*: a contiguous reservation of address space
//! that the kernel backs page by page as the task goes deeper. Growing is a
//! page fault; a task that stays shallow costs one page.
//!
//! ```text
//!   arena (one mapping, MAP_NORESERVE)
//!   ┌───────┬──────────────────┬───────┬──────────────────┬──
//!   │ guard │   usable bytes ◀─│ guard │   usable bytes ◀─│ …
//!   └───────┴──────────────────┴───────┴──────────────────┴──
//!     64 KiB                 top
//! ```
//!
//! The guard lies below the usable bytes, so running off the end faults; the
//! fault handler ([`overflow`]) names the task and aborts. It is installed once
//! per slot, the first time the slot is used, and survives reuse.
//!
//! A stack whose task has ended goes to its processor's [`pool`] and is the
//! next one used there, still in the cache and without a system call; what a
//! processor does not need goes to the global pool, and what that does not
//! need gives its pages back to the kernel and keeps only its address.
//!
//! Invariants:
//! - **K1** A slot belongs to one owner at a time: a pool, or one task from its
//!   first instruction to its last.
//! - **K2** Arenas are never unmapped, so an address inside one stays readable
//!   as a *number* to compare with for ever.
//! - **K3** The guard below every slot that a task owns is installed.

pub(crate) mod arena;
#[expect(dead_code, reason = "a step on the way: the pools follow")]
pub(crate) mod class;
pub(crate) mod overflow;
pub(crate) mod pool;

/// One slot, owned. Losing it leaks its address space, nothing worse.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stack {
    /// One past the highest usable byte; page-aligned.
    top: *mut u8,
}

impl Stack {
    /// The slot that ends at `top`.
    ///
    /// # Safety
    /// `top` came from [`top`](Self::top), and the caller owns the slot (K1).
    pub(crate) unsafe fn from_top(top: *mut u8) -> Stack {
        Stack { top }
    }

    pub(crate) fn top(self) -> *mut u8 {
        self.top
    }

    /// The lowest usable byte.
    pub(crate) fn base(self) -> *mut u8 {
        self.top.wrapping_sub(arena::usable())
    }
}
