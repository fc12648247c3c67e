//! The switch: the one thing that cannot be written in Rust.
//!
//! A stack that is not running is described by one word, its saved stack
//! pointer; everything else that must survive lies on the stack itself, just
//! above that address:
//!
//! ```text
//!            x86-64                      AArch64
//!   top   ┌────────────────┐          ┌────────────────┐
//!         │ 0, 0           │ ends     │ 0, 0           │ walks by frame pointer end here
//!         ├────────────────┤          ├────────────────┤
//!         │ frames of the  │          │ frames of the  │
//!         │ task           │          │ task           │
//!         ├────────────────┤          ├────────────────┤
//!         │ where to go on │          │ d8–d15         │
//!         │ rbp            │          │ x19–x28        │
//!         │ rbx            │          │ x29, x30       │
//!   sp ─▶ └────────────────┘    sp ─▶ └────────────────┘
//! ```
//!
//! `switch(save, to)` pushes what must survive, stores the stack pointer to
//! `*save`, loads `to`, pops and goes on on the other stack. All other registers
//! are the compiler's business, as at any call. The floating-point control
//! words are not saved: changing them is undefined behaviour in Rust anyway.
//!
//! `prepare(top, entry)` writes the picture above onto an empty stack, so that
//! the first switch to it calls `entry` on it. Unwinders stop at the trampoline
//! between them: its unwind information says that there is no caller.
//!
//! Invariants:
//! - **A1** A saved stack pointer was stored by `switch` or made by `prepare`
//!   and is used by exactly one later `switch`.
//! - **A2** `entry` never returns and never unwinds.

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "aarch64")]
pub(crate) use aarch64::{prefetch, prepare, switch};
#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::{prefetch, prepare, switch};
