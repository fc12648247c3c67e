//! Signals to one thread: by a timer, by another thread; and what one interrupted.

use super::signal::{call, registers, waiting};
use crate::arch::Registers;
use core::cell::UnsafeCell;
use core::ptr;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Which time a timer counts.
#[derive(Clone, Copy)]
pub(crate) enum Clock {
    /// The wall's.
    Monotonic,
    /// What the thread computes. The kernel looks at it by its own tick, so a timer
    /// can be some milliseconds late.
    ThreadCpu,
}

/// A timer that sends a thread a signal: its number in the kernel. By system calls, because
/// some C libraries allocate a timer, which is made in a section (N1).
pub(crate) struct Timer(libc::c_int);

impl Timer {
    /// A timer that is off. The handler finds `value` with the signal.
    pub(crate) fn new(clock: Clock, signal: libc::c_int, value: *mut ()) -> io::Result<Timer> {
        let clock = match clock {
            Clock::Monotonic => libc::CLOCK_MONOTONIC,
            Clock::ThreadCpu => libc::CLOCK_THREAD_CPUTIME_ID,
        };
        Timer::make(clock, super::thread::id(), signal, value)
    }

    /// A timer that is off, for what another thread of this process computes; the signal is
    /// that thread's.
    pub(crate) fn of_thread(tid: u32, signal: libc::c_int) -> io::Result<Timer> {
        Timer::make(super::clock::cpu_clock_of(tid), tid, signal, ptr::null_mut())
    }

    fn make(
        clock: libc::clockid_t,
        tid: u32,
        signal: libc::c_int,
        value: *mut (),
    ) -> io::Result<Timer> {
        let mut timer = 0;
        // SAFETY: a zeroed sigevent is valid; all pointers are to local places.
        let rc = unsafe {
            let mut event: libc::sigevent = core::mem::zeroed();
            event.sigev_notify = libc::SIGEV_THREAD_ID;
            event.sigev_signo = signal;
            event.sigev_value.sival_ptr = value.cast();
            event.sigev_notify_thread_id = tid as libc::c_int;
            libc::syscall(libc::SYS_timer_create, clock, &raw const event, &raw mut timer)
        };
        if rc == 0 { Ok(Timer(timer)) } else { Err(io::Error::last_os_error()) }
    }

    /// From now on a signal in every `period`; none if that is zero. For handlers
    /// too.
    pub(crate) fn set(&self, period: Duration) {
        let period = libc::timespec {
            tv_sec: period.as_secs() as libc::time_t,
            tv_nsec: period.subsec_nanos().into(),
        };
        let period = libc::itimerspec { it_interval: period, it_value: period };
        let before = ptr::null_mut::<libc::itimerspec>();
        // SAFETY: a timer that was made and is deleted by drop() only.
        unsafe { libc::syscall(libc::SYS_timer_settime, self.0, 0, &raw const period, before) };
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // SAFETY: made by new(), deleted once.
        unsafe { libc::syscall(libc::SYS_timer_delete, self.0) };
    }
}

/// The head of the kernel's `siginfo_t` for a signal with a value.
#[repr(C)]
struct Queued {
    signal: libc::c_int,
    errno: libc::c_int,
    code: libc::c_int,
    _align: libc::c_int,
    pid: libc::pid_t,
    uid: libc::uid_t,
    value: *mut (),
    rest: [usize; 12],
}

/// Sends one thread of this process a signal with a value. `false`: there is no such
/// thread any more. Allocates nothing.
pub(crate) fn queue(tid: u32, signal: libc::c_int, value: *mut ()) -> bool {
    let pid = std::process::id() as libc::pid_t;
    let info = Queued {
        signal,
        errno: 0,
        code: libc::SI_QUEUE,
        _align: 0,
        pid,
        uid: 0,
        value,
        rest: [0; 12],
    };
    // SAFETY: the kernel reads 128 bytes of a siginfo.
    unsafe { libc::syscall(libc::SYS_rt_tgsigqueueinfo, pid, tid, signal, &raw const info) == 0 }
}

/// A signal that has arrived.
#[derive(Clone, Copy)]
pub(crate) struct Arrived<'a> {
    pub(crate) value: *mut (),
    /// Where the code is that it has interrupted.
    pub(crate) at: Registers,
    signal: libc::c_int,
    context: &'a libc::ucontext_t,
}

impl Arrived<'_> {
    /// It has interrupted a system call, or the thread was just about to make one. Reads
    /// the code, which on a thread of the program's may be code that can be executed only.
    pub(crate) fn in_system_call(&self) -> bool {
        in_system_call(&self.context.uc_mcontext)
    }

    /// The handler will last: other signals come as if it had not interrupted anything. The
    /// thread has a large alternate stack.
    pub(crate) fn let_others_come(&self) {
        let mut mask = self.context.uc_sigmask;
        // SAFETY: a copy of the mask that the kernel has saved, and that it restores.
        unsafe {
            libc::sigaddset(&raw mut mask, self.signal);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const mask, ptr::null_mut());
        }
    }
}

/// Asked for every signal that has a value. `false`: it is somebody else's.
type OnSignal = fn(&Arrived<'_>) -> bool;

struct Handler {
    on_signal: UnsafeCell<Option<OnSignal>>,
    previous: UnsafeCell<libc::sigaction>,
    ready: AtomicBool,
}

// SAFETY: written once by install(), before `ready`; read after it.
unsafe impl Sync for Handler {}

static HANDLER: Handler = Handler {
    on_signal: UnsafeCell::new(None),
    // SAFETY: all-zero is a valid sigaction (SIG_DFL, no flags).
    previous: UnsafeCell::new(unsafe { core::mem::zeroed() }),
    ready: AtomicBool::new(false),
};

/// Calls `on_signal` for each `signal` that has a value; others, and those that it
/// does not know, go to the handler that was there before. Called once.
///
/// `on_signal` must be fit for a handler: it may have interrupted anything.
pub(crate) fn install(signal: libc::c_int, on_signal: OnSignal) {
    // SAFETY: called once, before `ready`, so nobody else touches the cells.
    unsafe {
        *HANDLER.on_signal.get() = Some(on_signal);
        libc::sigaction(signal, ptr::null(), HANDLER.previous.get());
    }
    // ORDERING: Release; pairs with the Acquire in handler(). Publishes the cells.
    HANDLER.ready.store(true, Ordering::Release);
    // SAFETY: a zeroed sigaction is valid; `handler` has the SA_SIGINFO signature.
    unsafe {
        let mut action: libc::sigaction = core::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        // Calls that can be restarted are; the frame is not put on a task's stack,
        // which may have no room for it.
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
        action.sa_mask = waiting();
        libc::sigaction(signal, &raw const action, ptr::null_mut());
    }
}

/// Lets the calling thread receive the signal, whatever it has inherited.
pub(crate) fn unblock(signal: libc::c_int) {
    // SAFETY: a local set, initialised by the first call.
    unsafe {
        let mut set: libc::sigset_t = core::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, ptr::null_mut());
    }
}

extern "C" fn handler(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // ORDERING: Acquire; pairs with the Release in install().
    if !HANDLER.ready.load(Ordering::Acquire) {
        return;
    }
    // SAFETY: the place of this thread; the kernel passes a valid siginfo and
    // context; the cells are not written any more.
    let (errno, code, on_signal, previous) = unsafe {
        let errno = libc::__errno_location();
        (errno, (*info).si_code, *HANDLER.on_signal.get(), *HANDLER.previous.get())
    };
    // SAFETY: as above.
    let saved = unsafe { *errno };
    let ours = (code == libc::SI_TIMER || code == libc::SI_QUEUE)
        && on_signal.is_some_and(|on_signal| {
            // SAFETY: both kinds have a value; the context is this handler's.
            let (value, context) =
                unsafe { ((*info).si_value().sival_ptr, &*context.cast::<libc::ucontext_t>()) };
            let at = registers(&context.uc_mcontext);
            on_signal(&Arrived { value: value.cast(), at, signal, context })
        });
    // SAFETY: as above. What follows is the other handler's business.
    unsafe { *errno = saved };
    // The default of SIGURG is to ignore it.
    let named = !matches!(previous.sa_sigaction, libc::SIG_DFL | libc::SIG_IGN);
    if !ours && named {
        // SAFETY: it was installed for this signal, whose arguments these are.
        unsafe { call(&previous, signal, info, context) };
    }
}

/// Whether the interrupted code is in a system call that goes on when the handler
/// returns, or has just been given `EINTR` by one.
///
/// For the first the kernel sets the program counter back to the instruction, so
/// a thread that was just about to execute it looks the same.
#[cfg(target_arch = "x86_64")]
fn in_system_call(context: &libc::mcontext_t) -> bool {
    /// `syscall`.
    const INSTRUCTION: [u8; 2] = [0x0F, 0x05];
    const PAGE: usize = super::mem::PAGE;
    let pc = context.gregs[libc::REG_RIP as usize] as usize;
    let result = context.gregs[libc::REG_RAX as usize];
    // SAFETY: this byte is about to be executed, so it can be read; so can the next
    // one, which is on the same page or, after this first byte, belongs to the same
    // instruction.
    let restarts = unsafe {
        let code = pc as *const u8;
        code.read() == INSTRUCTION[0] && code.add(1).read() == INSTRUCTION[1]
    };
    // SAFETY: both bytes are on the page of the one that is about to be executed.
    let ended = || unsafe {
        let code = (pc - 2) as *const u8;
        [code.read(), code.add(1).read()] == INSTRUCTION
    };
    restarts || (result == -i64::from(libc::EINTR) && pc % PAGE >= 2 && ended())
}

/// See above.
#[cfg(target_arch = "aarch64")]
fn in_system_call(context: &libc::mcontext_t) -> bool {
    /// `svc #0`.
    const INSTRUCTION: u32 = 0xD400_0001;
    const PAGE: usize = super::mem::PAGE;
    let pc = context.pc as usize;
    // SAFETY: this word is about to be executed, so it can be read.
    let restarts = unsafe { (pc as *const u32).read() } == INSTRUCTION;
    // SAFETY: on the page of the one that is about to be executed.
    let ended = || unsafe { ((pc - 4) as *const u32).read() } == INSTRUCTION;
    restarts || (context.regs[0] as i64 == -i64::from(libc::EINTR) && pc % PAGE >= 4 && ended())
}
