//! What cannot be written in Rust: the switch, and the thread's own words.
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
//! `call_on(top, f, data, left)` is a call like any other, except that the callee
//! has another stack. Nothing is saved but the frame pointer, because `f` comes
//! back to where it was called, on the same stack if not on the same thread:
//!
//! ```text
//!    the caller's stack            the other stack, on which f runs
//!    ┌────────────────────┐
//!    │ frames of the      │
//!    │ caller             │   top ┌────────────────────┐
//!    ├────────────────────┤       │ into call_on       │ (x86-64; x30 on AArch64)
//!    │ into the caller    │       ├────────────────────┤
//!    │ its rbp, or x29    │       │ frames of f        │
//!    └────────────────────┘ ◀─┐   │                    │
//!             ▲               │   │     rbp or x29 ────┼─┐ until f needs it
//!           *left             │   └────────────────────┘ │
//!                             └──────────────────────────┘
//! ```
//!
//! Its unwind information says that the caller's frame is found through the
//! frame pointer, which `f` keeps as every function does, so backtraces walk
//! from one stack to the other. It calls itself a signal handler's frame too,
//! because gdb takes only those for sane whose caller is on a lower stack; gdb
//! shows it as `<signal handler called>` then. An unwinder that insists on
//! walking upwards (framehop does) stops when the caller's stack is the lower
//! one; for it there is `*left`, where the caller's frame pointer, the address in
//! the caller and, behind them, its stack pointer are.
//!
//! The thread's words are thread-locals in all but name: LLVM would take the
//! address of one for constant and keep it across a switch, after which the code
//! may run on another thread, and a signal handler must not be the first to touch
//! one. These three are in the block that exists as long as the thread does, and
//! each access finds them anew, in two instructions (the initial-exec model).
//!
//! Invariants:
//! - **A1** A saved stack pointer was stored by `switch` or made by `prepare`
//!   and is used by exactly one later `switch`.
//! - **A2** `entry` never returns and never unwinds.
//! - **A3** `call_on` gets the 16-byte aligned top of a stack that nobody else
//!   uses until it returns, and an `f` that takes `data` and never unwinds.

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "aarch64")]
pub(crate) use aarch64::{
    STORES_IN_ORDER, call_on, enter_section, here, leave_section, prefetch, prepare, saved,
    sections, set_thread_record, set_thread_word, stack_pointer, switch, thread_record,
    thread_word, ticks, ticks_early,
};
#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::{
    STORES_IN_ORDER, call_on, enter_section, here, leave_section, prefetch, prepare, saved,
    sections, set_thread_record, set_thread_word, stack_pointer, switch, thread_record,
    thread_word, ticks, ticks_early,
};

/// What an unwinder must know of code that stands still.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Registers {
    /// The instruction that comes next.
    pub(crate) pc: usize,
    pub(crate) sp: usize,
    /// rbp, or x29.
    pub(crate) fp: usize,
    /// x30; 0 on x86-64.
    pub(crate) lr: usize,
}
