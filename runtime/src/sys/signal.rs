//! The fault handler and the alternate stacks it runs on.
//!
//! One handler for SIGSEGV and SIGBUS is installed when the runtime starts. It
//! asks the runtime whether a task ran off its stack; if not, the fault goes to
//! the handler that was there before (std's, which reports overflows of ordinary
//! threads), or to the default action. What runs inside the handler keeps H1 of
//! [`last_words`](super::last_words).

use super::mem;
use super::section::Section;
use crate::arch::Registers;
use core::cell::{OnceCell, UnsafeCell};
use core::ptr;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether nobody has said what is to be done at this signal.
pub(crate) fn is_default(signal: libc::c_int) -> bool {
    // SAFETY: asks, and changes nothing; a zeroed sigaction is valid.
    unsafe {
        let mut action: libc::sigaction = core::mem::zeroed();
        libc::sigaction(signal, ptr::null(), &raw mut action);
        action.sa_sigaction == libc::SIG_DFL
    }
}

/// Calls `handler` at each such signal, whatever was done before. It must be fit for
/// having interrupted anything.
///
/// # Errors
/// If it is no signal, or one that nobody can handle.
pub(crate) fn on(signal: libc::c_int, handler: extern "C" fn(libc::c_int)) -> io::Result<()> {
    // SAFETY: a zeroed sigaction is valid, and the handler has the right signature for one
    // without SA_SIGINFO. It is not put on a task's stack, which may have no room for it.
    let rc = unsafe {
        let mut action: libc::sigaction = core::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = libc::SA_ONSTACK | libc::SA_RESTART;
        action.sa_mask = waiting();
        libc::sigaction(signal, &raw const action, ptr::null_mut())
    };
    if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Signals that wait while a handler of ours runs that is soon done: the alternate stack of
/// a thread of the program's may have no room for another one's frame. All, but those that
/// tell of a fault of the handler itself.
pub(super) fn waiting() -> libc::sigset_t {
    const FAULTS: [libc::c_int; 7] = [
        libc::SIGSEGV,
        libc::SIGBUS,
        libc::SIGILL,
        libc::SIGFPE,
        libc::SIGTRAP,
        libc::SIGSYS,
        libc::SIGABRT,
    ];
    // SAFETY: a local set, initialised by the second call.
    unsafe {
        let mut set: libc::sigset_t = core::mem::zeroed();
        libc::sigfillset(&raw mut set);
        for fault in FAULTS {
            libc::sigdelset(&raw mut set, fault);
        }
        set
    }
}

/// What a handler does must not be seen in the `errno` of the code that it has interrupted.
pub(crate) fn keep_errno(f: impl FnOnce()) {
    // SAFETY: the place of this thread.
    unsafe {
        let errno = libc::__errno_location();
        let saved = *errno;
        f();
        *errno = saved;
    }
}

/// An access to memory that the CPU refused.
#[derive(Clone, Copy)]
pub(crate) struct Fault {
    /// What was accessed.
    pub(crate) address: usize,
    /// The instruction.
    pub(crate) pc: usize,
    /// The stack pointer of the interrupted code.
    pub(crate) sp: usize,
    /// Bytes of the alternate stack that the handler has left.
    pub(crate) room: usize,
}

/// Asked for every fault; returns only if it is not ours.
type OnFault = fn(&Fault);

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
        libc::sigaction(libc::SIGSEGV, ptr::null(), PREVIOUS.segv.get());
        libc::sigaction(libc::SIGBUS, ptr::null(), PREVIOUS.bus.get());
    }
    // ORDERING: Release; pairs with the Acquire in handler(). Publishes the cells.
    PREVIOUS.ready.store(true, Ordering::Release);
    // SAFETY: a zeroed sigaction is valid; `handler` has the SA_SIGINFO signature.
    unsafe {
        let mut action: libc::sigaction = core::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        libc::sigemptyset(&raw mut action.sa_mask);
        // Nobody is asked where he is meanwhile, for the reason given at waiting().
        libc::sigaddset(&raw mut action.sa_mask, libc::SIGURG);
        libc::sigaction(libc::SIGSEGV, &raw const action, ptr::null_mut());
        libc::sigaction(libc::SIGBUS, &raw const action, ptr::null_mut());
    }
}

extern "C" fn handler(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // ORDERING: Acquire; pairs with the Release in install().
    if !PREVIOUS.ready.load(Ordering::Acquire) {
        return;
    }
    // SAFETY: the kernel passes a valid siginfo and context; the cells are not
    // written any more.
    let (fault, on_fault, previous) = unsafe {
        let cell = if signal == libc::SIGBUS { &PREVIOUS.bus } else { &PREVIOUS.segv };
        (Fault::new(info, context), *PREVIOUS.on_fault.get(), *cell.get())
    };
    if let (Some(fault), Some(ask)) = (&fault, on_fault) {
        // What it says is not interrupted, and nobody goes on beside it for long.
        let _section = Section::new();
        ask(fault);
    }
    match previous.sa_sigaction {
        libc::SIG_DFL | libc::SIG_IGN => {
            // SAFETY: restores what was there before us.
            unsafe { libc::sigaction(signal, &raw const previous, ptr::null_mut()) };
            if fault.is_none() {
                // SAFETY: sends this thread what somebody has sent; it arrives
                // when we return.
                unsafe { libc::raise(signal) };
            }
            // A fault repeats when we return, and then takes the default action.
        }
        // SAFETY: it was installed for this signal, whose arguments these are.
        _ => unsafe { call(&previous, signal, info, context) },
    }
}

/// Calls the handler that `action` names.
///
/// # Safety
/// It names one, which was installed for this signal, and the arguments are what the
/// kernel gave the running handler.
pub(super) unsafe fn call(
    action: &libc::sigaction,
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    let address = action.sa_sigaction;
    // SAFETY: by contract, and SA_SIGINFO says which signature the handler has.
    unsafe {
        if action.sa_flags & libc::SA_SIGINFO != 0 {
            let f: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
                core::mem::transmute(address);
            f(signal, info, context);
        } else {
            let f: extern "C" fn(libc::c_int) = core::mem::transmute(address);
            f(signal);
        }
    }
}

impl Fault {
    /// `None`: no fault, but a signal that somebody sent.
    ///
    /// # Safety
    /// Both are what the kernel gave the running handler.
    unsafe fn new(info: *mut libc::siginfo_t, context: *mut libc::c_void) -> Option<Fault> {
        // SAFETY: by contract. The address is the kernel's word only where the
        // kernel raised the signal, which a positive code says.
        unsafe {
            if (*info).si_code <= 0 {
                return None;
            }
            let context = &*context.cast::<libc::ucontext_t>();
            let Registers { pc, sp, .. } = registers(&context.uc_mcontext);
            // Anything in this frame shows how far the handler has come.
            let left = (&raw const sp).addr().wrapping_sub(context.uc_stack.ss_sp.addr());
            let room = if left < context.uc_stack.ss_size { left } else { 0 };
            Some(Fault { address: (*info).si_addr().addr(), pc, sp, room })
        }
    }
}

/// Where the interrupted code is.
#[cfg(target_arch = "x86_64")]
pub(super) fn registers(context: &libc::mcontext_t) -> Registers {
    let of = |register: libc::c_int| context.gregs[register as usize] as usize;
    Registers { pc: of(libc::REG_RIP), sp: of(libc::REG_RSP), fp: of(libc::REG_RBP), lr: 0 }
}

/// Where the interrupted code is.
#[cfg(target_arch = "aarch64")]
pub(super) fn registers(context: &libc::mcontext_t) -> Registers {
    let (fp, lr) = (context.regs[29] as usize, context.regs[30] as usize);
    Registers { pc: context.pc as usize, sp: context.sp as usize, fp, lr }
}

/// Usable bytes of an alternate stack, beside what the kernel puts there. The
/// frames of an overflow are named on it, for which 44 KiB were seen in use by
/// unoptimised code, and up to 256 KiB for names as nested as the demangler
/// allows. A page that is not touched costs nothing.
const ALTERNATE: usize = 512 << 10;
/// Below it, as below every stack.
const GUARD: usize = 64 << 10;

/// An alternate signal stack: of the thread that installed it, as long as it lives.
pub(crate) struct AlternateStack {
    base: *mut u8,
    len: usize,
}

thread_local! {
    /// What [`AlternateStack::ensure`] installed.
    static ENSURED: OnceCell<Option<AlternateStack>> = const { OnceCell::new() };
}

impl AlternateStack {
    /// Gives the calling thread one until its end, unless it has one that is as
    /// large: std's are not, and threads made by others have none.
    pub(crate) fn ensure() {
        let enough = || installed().is_some_and(|stack| stack.ss_size >= ALTERNATE);
        // A thread that is about to end goes without.
        let _ = ENSURED.try_with(|ensured| {
            ensured.get_or_init(|| {
                if enough() { None } else { AlternateStack::reserve().inspect(Self::install) }
            });
        });
    }

    /// `None`: the kernel has no room for it. An overflow on its thread is then
    /// an ordinary fault. Not in a section: it may allocate.
    pub(crate) fn reserve() -> Option<AlternateStack> {
        // SAFETY: getauxval takes a number. AT_MINSIGSTKSZ is what this CPU's
        // register state needs; 0 where the kernel does not say.
        #[cfg(target_os = "linux")]
        let least = unsafe { libc::getauxval(libc::AT_MINSIGSTKSZ) } as usize;
        #[cfg(not(target_os = "linux"))]
        let least = 0;
        let len = GUARD + ALTERNATE + least.max(libc::MINSIGSTKSZ).next_multiple_of(GUARD);
        // From here on it is unmapped if anything fails.
        let alternate = AlternateStack { base: mem::reserve(len).ok()?, len };
        // SAFETY: reserved above, and nothing uses it yet.
        unsafe { mem::guard(alternate.base, GUARD).ok()? };
        Some(alternate)
    }

    /// Gives it to the calling thread, on which it is to be dropped.
    pub(crate) fn install(&self) {
        let (ss_sp, ss_size) = (self.lowest().cast(), self.len - GUARD);
        let stack = libc::stack_t { ss_sp, ss_flags: 0, ss_size };
        // SAFETY: the memory stays until drop() takes the stack away.
        unsafe { libc::sigaltstack(&raw const stack, ptr::null_mut()) };
    }

    fn lowest(&self) -> *mut u8 {
        self.base.wrapping_add(GUARD)
    }
}

/// The alternate stack that the calling thread has.
fn installed() -> Option<libc::stack_t> {
    // SAFETY: asks, and changes nothing; a zeroed stack_t is writable.
    let stack = unsafe {
        let mut stack: libc::stack_t = core::mem::zeroed();
        libc::sigaltstack(ptr::null(), &raw mut stack);
        stack
    };
    (stack.ss_flags & libc::SS_DISABLE == 0).then_some(stack)
}

impl Drop for AlternateStack {
    fn drop(&mut self) {
        // Somebody may have put another in its place, whose it is to take away.
        if installed().is_some_and(|stack| stack.ss_sp == self.lowest().cast()) {
            let none = libc::stack_t {
                ss_sp: ptr::null_mut(),
                ss_flags: libc::SS_DISABLE,
                ss_size: self.len,
            };
            // SAFETY: dropped on the thread that has it, outside of a handler.
            unsafe { libc::sigaltstack(&raw const none, ptr::null_mut()) };
        }
        // SAFETY: reserve() mapped it, and no signal arrives on it any more.
        unsafe { libc::munmap(self.base.cast(), self.len) };
    }
}
