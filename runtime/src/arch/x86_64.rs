//! The switch for x86-64, System V calling convention.
//!
//! It is inlined. A function would be entered by `call` and left by a jump to
//! the other stack, and each such pair leaves the predictor of return addresses
//! one entry out of step, so that every `ret` behind it is mispredicted.
//! Inlined, there is no call at all, and the compiler saves only the registers
//! that are in use: the assembly declares all of them as overwritten, except
//! rbx and rbp, which it may not name and which are pushed by hand.

use super::Registers;
use core::arch::{asm, global_asm, naked_asm};

/// A thread's stores are seen by all in the order in which it made them.
pub(crate) const STORES_IN_ORDER: bool = true;

/// Leaves this stack at `*save` and continues the one saved at `to`.
///
/// # Safety
/// A1; `save` is writable. What the other stack does until it switches back is
/// a call like any other for this one.
#[inline(always)]
pub(crate) unsafe fn switch(save: *mut *mut u8, to: *mut u8) {
    // SAFETY: by contract. Both stacks have the layout of the module's picture
    // when they are not running, so the pops fit the pushes.
    unsafe {
        asm!(
            "lea rax, [rip + 2f]",
            "push rax",
            "push rbp",
            "push rbx",
            "mov [rdi], rsp",
            // From here on the old stack can be continued by another thread.
            "mov rsp, rsi",
            "pop rbx",
            "pop rbp",
            "pop rcx",
            "jmp rcx",
            "2:",
            inout("rdi") save => _,
            inout("rsi") to => _,
            out("r12") _,
            out("r13") _,
            out("r14") _,
            out("r15") _,
            clobber_abi("sysv64"),
        );
    }
}

/// Calls `f(data)` on the stack that ends at `top` and comes back.
///
/// The stack pointer that it leaves behind goes to `*left`: from there up stand
/// the caller's rbp and the address to return to.
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
        "push rbp",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        // From here on the caller's frame is found through rbp, whatever the
        // stack pointer points to.
        ".cfi_def_cfa_register rbp",
        "mov [rcx], rsp",
        "mov rsp, rdi",
        "mov rdi, rdx",
        "call rsi",
        "mov rsp, rbp",
        "pop rbp",
        ".cfi_def_cfa rsp, 8",
        ".cfi_restore rbp",
        "ret",
        ".cfi_endproc",
    )
}

/// First frame of every task: calls the entry that `prepare` left in rbx.
///
/// # Safety
/// Entered by [`switch`] on a stack that [`prepare`] has made.
#[unsafe(naked)]
unsafe extern "C" fn trampoline() -> ! {
    naked_asm!(
        // No caller: unwinders and backtraces stop here.
        ".cfi_startproc",
        ".cfi_undefined rip",
        "call rbx",
        "ud2",
        ".cfi_endproc",
    )
}

/// Makes an empty stack continue in `entry` at its first `switch`.
///
/// # Safety
/// `top` is 16-byte aligned, with at least 128 writable bytes below it that
/// nothing uses; A2.
pub(crate) unsafe fn prepare(top: *mut u8, entry: extern "C" fn() -> !) -> *mut u8 {
    let words: [usize; 5] = [
        entry as *const () as usize,      // rbx
        0,                                // rbp
        trampoline as *const () as usize, // where to continue
        // Two zero words end walks by frame pointer and keep the alignment:
        // the trampoline starts with rsp = top - 16.
        0,
        0,
    ];
    // SAFETY: by contract these bytes below `top` are ours; 40 bytes below an
    // aligned address is aligned for words.
    unsafe {
        let sp = top.sub(size_of_val(&words));
        sp.cast::<[usize; 5]>().write(words);
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
    let [_rbx, fp, pc] = unsafe { sp.cast::<[usize; 3]>().read() };
    Registers { pc, sp: sp.addr() + size_of::<[usize; 3]>(), fp, lr: 0 }
}

/// Where the function is that this is inlined into.
#[inline(always)]
pub(crate) fn here() -> Registers {
    let (pc, sp, fp);
    // SAFETY: reads registers.
    unsafe {
        asm!(
            "lea {pc}, [rip]",
            "mov {sp}, rsp",
            "mov {fp}, rbp",
            pc = out(reg) pc,
            sp = out(reg) sp,
            fp = out(reg) fp,
            options(nomem, nostack, preserves_flags),
        );
    }
    Registers { pc, sp, fp, lr: 0 }
}

/// The stack pointer of the function that this is inlined into.
#[inline(always)]
pub(crate) fn stack_pointer() -> usize {
    let sp;
    // SAFETY: reads a register.
    unsafe {
        asm!("mov {}, rsp", out(reg) sp, options(nomem, nostack, preserves_flags));
    }
    sp
}

/// Asks the cache for the line at `address`, which need not be valid.
#[inline]
pub(crate) fn prefetch(address: *const u8) {
    use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: a hint; it never faults. SSE is part of x86-64.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
}

// The thread's words: a pointer that belongs to the scheduler, the count of
// sections, and the record of an adopted thread. 24 bytes of the thread's static
// block, so that a signal handler may use them and no compiler can keep their
// address across a switch.
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
        asm!(
            "mov {word}, qword ptr [rip + gopark_thread@gottpoff]",
            "mov {word}, qword ptr fs:[{word} + {offset}]",
            word = out(reg) word,
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
        asm!(
            "mov {at}, qword ptr [rip + gopark_thread@gottpoff]",
            "mov qword ptr fs:[{at} + {offset}], {word}",
            at = out(reg) _,
            word = in(reg) word,
            offset = const AT,
            options(nostack, preserves_flags),
        );
    }
}

/// Counts one more section of this thread. No access to memory moves across.
#[inline(always)]
pub(crate) fn enter_section() {
    // SAFETY: as in set_thread_word().
    unsafe {
        asm!(
            "mov {at}, qword ptr [rip + gopark_thread@gottpoff]",
            "inc dword ptr fs:[{at} + 8]",
            at = out(reg) _,
            options(nostack),
        );
    }
}

/// Counts one section less. No access to memory moves across.
#[inline(always)]
pub(crate) fn leave_section() {
    // SAFETY: as in set_thread_word().
    unsafe {
        asm!(
            "mov {at}, qword ptr [rip + gopark_thread@gottpoff]",
            "dec dword ptr fs:[{at} + 8]",
            at = out(reg) _,
            options(nostack),
        );
    }
}

/// How many sections this thread is in.
#[inline]
pub(crate) fn sections() -> u32 {
    let count;
    // SAFETY: reads a word of this thread.
    unsafe {
        asm!(
            "mov {at}, qword ptr [rip + gopark_thread@gottpoff]",
            "mov {count:e}, dword ptr fs:[{at} + 8]",
            at = out(reg) _,
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
    // SAFETY: waits for earlier loads; every x86-64 can.
    unsafe { core::arch::x86_64::_mm_lfence() };
    ticks_early()
}

/// The same, perhaps before earlier loads; but before others see anything that the thread
/// writes afterwards, for it reads first and then retires its stores in order.
#[inline(always)]
pub(crate) fn ticks_early() -> u64 {
    // SAFETY: reads a counter that every x86-64 has.
    unsafe { core::arch::x86_64::_rdtsc() }
}
