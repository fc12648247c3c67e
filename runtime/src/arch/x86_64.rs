//! The switch for x86-64, System V calling convention.

use core::arch::naked_asm;

/// Words that `switch` keeps: six registers and the return address.
const SAVED: usize = 7;

/// Leaves this stack at `*save` and continues the one saved at `to`.
///
/// # Safety
/// A1; `save` is writable. What the other stack does until it switches back is
/// a call like any other for this one.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn switch(save: *mut *mut u8, to: *mut u8) {
    naked_asm!(
        ".cfi_startproc",
        "push rbp",
        ".cfi_adjust_cfa_offset 8",
        "push rbx",
        ".cfi_adjust_cfa_offset 8",
        "push r12",
        ".cfi_adjust_cfa_offset 8",
        "push r13",
        ".cfi_adjust_cfa_offset 8",
        "push r14",
        ".cfi_adjust_cfa_offset 8",
        "push r15",
        ".cfi_adjust_cfa_offset 8",
        // From here on the old stack can be continued by another thread.
        "mov [rdi], rsp",
        "mov rsp, rsi",
        "pop r15",
        ".cfi_adjust_cfa_offset -8",
        "pop r14",
        ".cfi_adjust_cfa_offset -8",
        "pop r13",
        ".cfi_adjust_cfa_offset -8",
        "pop r12",
        ".cfi_adjust_cfa_offset -8",
        "pop rbx",
        ".cfi_adjust_cfa_offset -8",
        "pop rbp",
        ".cfi_adjust_cfa_offset -8",
        // Not `ret`: the return-address predictor would always guess the
        // caller on the other stack. An indirect jump is predicted by history.
        "pop rcx",
        ".cfi_adjust_cfa_offset -8",
        ".cfi_register rip, rcx",
        "jmp rcx",
        ".cfi_endproc",
    )
}

/// First frame of every task: calls the entry that `prepare` left in r12.
#[unsafe(naked)]
unsafe extern "C" fn trampoline() -> ! {
    naked_asm!(
        // No caller: unwinders and backtraces stop here.
        ".cfi_startproc",
        ".cfi_undefined rip",
        "call r12",
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
    // Two zero words end walks by frame pointer and keep the alignment: the
    // trampoline starts with rsp = top - 16.
    let words: [usize; SAVED + 2] = [
        0,                                      // r15
        0,                                      // r14
        0,                                      // r13
        entry as *const () as usize,            // r12
        0,                                      // rbx
        0,                                      // rbp
        trampoline as *const () as usize,       // return address
        0,
        0,
    ];
    // SAFETY: by contract these bytes below `top` are ours; 72 bytes below an
    // aligned address is aligned for words.
    unsafe {
        let sp = top.sub(size_of_val(&words));
        sp.cast::<[usize; SAVED + 2]>().write(words);
        sp
    }
}
