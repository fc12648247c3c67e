//! The switch for AArch64, AAPCS64 calling convention.

use super::Registers;
use core::arch::{asm, global_asm, naked_asm};

/// Bytes that `switch` keeps: x19–x30 and d8–d15.
const SAVED: usize = 160;

/// Others see a thread's stores in any order, unless it asks for one.
pub(crate) const STORES_IN_ORDER: bool = false;

/// Leaves this stack at `*save` and continues the one saved at `to`.
///
/// # Safety
/// A1; `save` is writable. What the other stack does until it switches back is
/// a call like any other for this one.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn switch(save: *mut *mut u8, to: *mut u8) {
    naked_asm!(
        ".cfi_startproc",
        "stp x29, x30, [sp, #-160]!",
        ".cfi_def_cfa_offset 160",
        "stp x19, x20, [sp, #16]",
        "stp x21, x22, [sp, #32]",
        "stp x23, x24, [sp, #48]",
        "stp x25, x26, [sp, #64]",
        "stp x27, x28, [sp, #80]",
        "stp d8, d9, [sp, #96]",
        "stp d10, d11, [sp, #112]",
        "stp d12, d13, [sp, #128]",
        "stp d14, d15, [sp, #144]",
        "mov x9, sp",
        // From here on the old stack can be continued by another thread.
        "str x9, [x0]",
        "mov sp, x1",
        "ldp x19, x20, [sp, #16]",
        "ldp x21, x22, [sp, #32]",
        "ldp x23, x24, [sp, #48]",
        "ldp x25, x26, [sp, #64]",
        "ldp x27, x28, [sp, #80]",
        "ldp d8, d9, [sp, #96]",
        "ldp d10, d11, [sp, #112]",
        "ldp d12, d13, [sp, #128]",
        "ldp d14, d15, [sp, #144]",
        "ldp x29, x30, [sp], #160",
        ".cfi_def_cfa_offset 0",
        "ret",
        ".cfi_endproc",
    )
}

/// Calls `f(data)` on the stack that ends at `top` and comes back.
///
/// The stack pointer that it leaves behind goes to `*left`: from there up stand
/// the caller's x29 and the address to return to.
///
/// # Safety
/// A3; `left` is writable.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn call_on(
    top: *mut u8,
    f: extern "C" fn(*mut ()),
    data: *mut (),
    left: *mut *mut u8,
) {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_signal_frame",
        "stp x29, x30, [sp, #-16]!",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset x29, -16",
        ".cfi_offset x30, -8",
        "mov x29, sp",
        // From here on the caller's frame is found through x29, whatever the
        // stack pointer points to.
        ".cfi_def_cfa_register x29",
        "str x29, [x3]",
        "mov sp, x0",
        "mov x0, x2",
        "blr x1",
        "mov sp, x29",
        ".cfi_def_cfa_register sp",
        "ldp x29, x30, [sp], #16",
        ".cfi_def_cfa_offset 0",
        ".cfi_restore x29",
        ".cfi_restore x30",
        "ret",
        ".cfi_endproc",
    )
}

/// First frame of every task: calls the entry that `prepare` left in x19.
///
/// # Safety
/// Entered by [`switch`] on a stack that [`prepare`] has made.
#[unsafe(naked)]
unsafe extern "C" fn trampoline() -> ! {
    naked_asm!(
        // No caller: unwinders and backtraces stop here.
        ".cfi_startproc",
        ".cfi_undefined x30",
        "blr x19",
        "brk #1",
        ".cfi_endproc",
    )
}

/// Makes an empty stack continue in `entry` at its first `switch`.
///
/// # Safety
/// `top` is 16-byte aligned, with at least 256 writable bytes below it that
/// nothing uses; A2.
pub(crate) unsafe fn prepare(top: *mut u8, entry: extern "C" fn() -> !) -> *mut u8 {
    // SAFETY: by contract these bytes below `top` are ours.
    unsafe {
        let sp = top.sub(16 + SAVED);
        sp.write_bytes(0, 16 + SAVED);
        let words = sp.cast::<usize>();
        words.add(1).write(trampoline as *const () as usize); // x30
        words.add(2).write(entry as *const () as usize); // x19
        sp
    }
}

/// Where the stack that was left at `sp` goes on.
///
/// # Safety
/// A1: `sp` was saved by `switch` or made by `prepare`, and the stack is not continued
/// meanwhile.
pub(crate) unsafe fn saved(sp: *const u8) -> Registers {
    // SAFETY: by contract the words of the module's picture are there.
    let [fp, lr] = unsafe { sp.cast::<[usize; 2]>().read() };
    Registers { pc: lr, sp: sp.addr() + SAVED, fp, lr }
}

/// Where the function is that this is inlined into.
#[inline(always)]
pub(crate) fn here() -> Registers {
    let (pc, sp, fp, lr);
    // SAFETY: reads registers.
    unsafe {
        asm!(
            "adr {pc}, .",
            "mov {sp}, sp",
            "mov {fp}, x29",
            "mov {lr}, x30",
            pc = out(reg) pc,
            sp = out(reg) sp,
            fp = out(reg) fp,
            lr = out(reg) lr,
            options(nomem, nostack, preserves_flags),
        );
    }
    Registers { pc, sp, fp, lr }
}

/// The stack pointer of the function that this is inlined into.
#[inline(always)]
pub(crate) fn stack_pointer() -> usize {
    let sp;
    // SAFETY: reads a register.
    unsafe {
        asm!("mov {}, sp", out(reg) sp, options(nomem, nostack, preserves_flags));
    }
    sp
}

/// Asks the cache for the line at `address`, which need not be valid.
#[inline]
pub(crate) fn prefetch(address: *const u8) {
    // SAFETY: a hint; it never faults.
    unsafe {
        asm!(
            "prfm pldl1keep, [{}]",
            in(reg) address,
            options(nostack, preserves_flags, readonly),
        );
    }
}

// The thread's words; see x86_64.rs.
global_asm!(
    ".pushsection .tbss.gopark_thread,\"awT\",@nobits",
    ".balign 16",
    ".globl gopark_thread",
    ".type gopark_thread,@object",
    ".size gopark_thread,24",
    "gopark_thread:",
    ".zero 24",
    ".popsection",
);

/// Assembles a loads-and-stores snippet that finds the thread's words in `{at}`.
macro_rules! on_thread {
    ($($line:literal),+; $($rest:tt)*) => {
        asm!(
            "adrp {at}, :gottprel:gopark_thread",
            "ldr {at}, [{at}, :gottprel_lo12:gopark_thread]",
            "mrs {tp}, tpidr_el0",
            "add {at}, {at}, {tp}",
            $($line,)+
            at = out(reg) _,
            tp = out(reg) _,
            $($rest)*
        )
    };
}

/// The scheduler's word of this thread; null at first.
#[inline(always)]
pub(crate) fn thread_word() -> *mut () {
    word::<0>()
}

/// Sets the scheduler's word of this thread.
#[inline]
pub(crate) fn set_thread_word(word: *mut ()) {
    set_word::<0>(word);
}

/// The record of this thread, if it is adopted; null at first.
#[inline]
pub(crate) fn thread_record() -> *mut () {
    word::<16>()
}

/// Sets the record of this thread. No access to memory moves across.
#[inline]
pub(crate) fn set_thread_record(word: *mut ()) {
    set_word::<16>(word);
}

/// The word of this thread that lies there.
#[inline(always)]
fn word<const AT: usize>() -> *mut () {
    let word;
    // SAFETY: reads a word of this thread. Not `pure`, so that two reads, with a
    // switch between them, are not made one.
    unsafe {
        on_thread!(
            "ldr {word}, [{at}, #{offset}]";
            word = lateout(reg) word,
            offset = const AT,
            options(nomem, nostack, preserves_flags),
        );
    }
    word
}

#[inline(always)]
fn set_word<const AT: usize>(word: *mut ()) {
    // SAFETY: writes a word of this thread that nothing but this room knows.
    unsafe {
        on_thread!(
            "str {word}, [{at}, #{offset}]";
            word = in(reg) word,
            offset = const AT,
            options(nostack, preserves_flags),
        );
    }
}

/// Counts one more section of this thread. No access to memory moves across. A
/// signal between the load and the store leaves the count as it found it.
#[inline(always)]
pub(crate) fn enter_section() {
    // SAFETY: as in set_thread_word().
    unsafe {
        on_thread!(
            "ldr {n:w}, [{at}, #8]",
            "add {n:w}, {n:w}, #1",
            "str {n:w}, [{at}, #8]";
            n = out(reg) _,
            options(nostack, preserves_flags),
        );
    }
}

/// Counts one section less. No access to memory moves across.
#[inline(always)]
pub(crate) fn leave_section() {
    // SAFETY: as in set_thread_word().
    unsafe {
        on_thread!(
            "ldr {n:w}, [{at}, #8]",
            "sub {n:w}, {n:w}, #1",
            "str {n:w}, [{at}, #8]";
            n = out(reg) _,
            options(nostack, preserves_flags),
        );
    }
}

/// How many sections this thread is in.
#[inline]
pub(crate) fn sections() -> u32 {
    let count;
    // SAFETY: reads a word of this thread.
    unsafe {
        on_thread!(
            "ldr {count:w}, [{at}, #8]";
            count = out(reg) count,
            options(nostack, preserves_flags),
        );
    }
    count
}

/// The processor's counter of time, which all processors of a machine share: after all
/// that the thread has read before, so that an effect is not earlier than its cause.
#[inline(always)]
pub(crate) fn ticks() -> u64 {
    let count;
    // SAFETY: waits for earlier instructions, and reads a counter that Linux lets programs
    // read.
    unsafe {
        asm!("isb", "mrs {count}, cntvct_el0", count = out(reg) count, options(nostack));
    }
    count
}

/// The same, for where it need only be before what others see afterwards: it always waits
/// here, for stores do not wait for it.
#[inline(always)]
pub(crate) fn ticks_early() -> u64 {
    ticks()
}
