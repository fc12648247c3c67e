//! The fault handler and the alternate stacks it runs on.
//!
//! One handler for SIGSEGV and SIGBUS is installed when the runtime starts. It
//! asks the runtime whether the address is a stack guard; if not, the fault
//! goes to the handler that was there before (std's, which reports overflows of
//! ordinary threads), or to the default action.
//!
//! Invariant **H1**: what runs inside the handler takes no lock that other code
//! holds, allocates nothing, and writes with `write(2)` only.

use core::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, Ordering};

/// Asked for every fault with its address; returns only if it is not ours.
type OnFault = fn(usize);

struct Previous {
    on_fault: UnsafeCell<Option<OnFault>>,
    segv: UnsafeCell<libc::sigaction>,
    bus: UnsafeCell<libc::sigaction>,
    ready: AtomicBool,
}

// SAFETY: written once by install(), before `ready`; read after it.
unsafe impl Sync for Previous {}

static PREVIOUS: Previous = Previous {
    on_fault: UnsafeCell::new(None),
    // SAFETY: all-zero is a valid sigaction (SIG_DFL, no flags).
    segv: UnsafeCell::new(unsafe { core::mem::zeroed() }),
    // SAFETY: as above.
    bus: UnsafeCell::new(unsafe { core::mem::zeroed() }),
    ready: AtomicBool::new(false),
};

/// Installs the fault handler. Called once.
pub(crate) fn install(on_fault: OnFault) {
    // SAFETY: called once, before `ready`, so nobody else touches the cells;
    // the handler keeps H1.
    unsafe {
        *PREVIOUS.on_fault.get() = Some(on_fault);
        libc::sigaction(libc::SIGSEGV, core::ptr::null(), PREVIOUS.segv.get());
        libc::sigaction(libc::SIGBUS, core::ptr::null(), PREVIOUS.bus.get());
    }
    // ORDERING: Release; pairs with the Acquire in handler(). Publishes the cells.
    PREVIOUS.ready.store(true, Ordering::Release);
    // SAFETY: a zeroed sigaction is valid; `handler` has the SA_SIGINFO signature.
    unsafe {
        let mut action: libc::sigaction = core::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        libc::sigemptyset(&raw mut action.sa_mask);
        libc::sigaction(libc::SIGSEGV, &raw const action, core::ptr::null_mut());
        libc::sigaction(libc::SIGBUS, &raw const action, core::ptr::null_mut());
    }
}

extern "C" fn handler(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // ORDERING: Acquire; pairs with the Release in install().
    if !PREVIOUS.ready.load(Ordering::Acquire) {
        return;
    }
    // SAFETY: the kernel passes a valid siginfo; the cells are not written any more.
    let (address, on_fault, previous) = unsafe {
        let cell = if signal == libc::SIGBUS { &PREVIOUS.bus } else { &PREVIOUS.segv };
        ((*info).si_addr() as usize, *PREVIOUS.on_fault.get(), *cell.get())
    };
    if let Some(ask) = on_fault {
        ask(address);
    }
    match previous.sa_sigaction {
        libc::SIG_DFL | libc::SIG_IGN => {
            // The fault repeats when we return, and then takes the default action.
            // SAFETY: restores what was there before us.
            unsafe { libc::sigaction(signal, &raw const previous, core::ptr::null_mut()) };
        }
        address if previous.sa_flags & libc::SA_SIGINFO != 0 => {
            // SAFETY: with SA_SIGINFO the previous handler has this signature;
            // it gets the arguments that the kernel gave us.
            unsafe {
                let f: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
                    core::mem::transmute(address);
                f(signal, info, context);
            }
        }
        address => {
            // SAFETY: without SA_SIGINFO the previous handler takes the number only.
            unsafe {
                let f: extern "C" fn(libc::c_int) = core::mem::transmute(address);
                f(signal);
            }
        }
    }
}

/// An alternate signal stack for the thread that made it, as long as it lives.
pub(crate) struct AlternateStack(Vec<u8>);

impl AlternateStack {
    pub(crate) fn install() -> AlternateStack {
        // SAFETY: getauxval takes a number. AT_MINSIGSTKSZ is what this CPU's
        // register state needs; 0 where the kernel does not say.
        #[cfg(target_os = "linux")]
        let least = unsafe { libc::getauxval(libc::AT_MINSIGSTKSZ) } as usize;
        #[cfg(not(target_os = "linux"))]
        let least = 0;
        let mut memory = vec![0_u8; least.max(libc::MINSIGSTKSZ) + (32 << 10)];
        let stack =
            libc::stack_t { ss_sp: memory.as_mut_ptr().cast(), ss_flags: 0, ss_size: memory.len() };
        // SAFETY: the memory lives until drop() takes the stack away.
        unsafe { libc::sigaltstack(&raw const stack, core::ptr::null_mut()) };
        AlternateStack(memory)
    }
}

impl Drop for AlternateStack {
    fn drop(&mut self) {
        let none = libc::stack_t {
            ss_sp: core::ptr::null_mut(),
            ss_flags: libc::SS_DISABLE,
            ss_size: self.0.len(),
        };
        // SAFETY: dropped on the thread that installed it, outside of a handler.
        unsafe { libc::sigaltstack(&raw const none, core::ptr::null_mut()) };
    }
}

/// Text assembled without allocation and written to stderr in one call (H1).
pub(crate) struct Text {
    buffer: [u8; 1024],
    len: usize,
}

impl Text {
    pub(crate) fn new() -> Self {
        Text { buffer: [0; 1024], len: 0 }
    }

    pub(crate) fn write_to_stderr(&self) {
        // SAFETY: `len` bytes of the buffer are initialised.
        unsafe { libc::write(2, self.buffer.as_ptr().cast(), self.len) };
    }
}

impl core::fmt::Write for Text {
    /// Keeps what fits.
    fn write_str(&mut self, s: &str) -> core::fmt::Result {
        let n = s.len().min(self.buffer.len() - self.len);
        self.buffer[self.len..self.len + n].copy_from_slice(&s.as_bytes()[..n]);
        self.len += n;
        Ok(())
    }
}
