//! The last words of a process that a fault ends.
//!
//! One thread speaks. Others that want to meanwhile, and those that want to
//! leave by `exit`, wait for the end, so that the words are whole and the
//! process dies of what they tell of. They come in two parts:
//!
//! 1. from [`begin`] on, what must be said whatever the fault interrupted (H1);
//! 2. from [`watch`] on, what would be good to know. This part may allocate,
//!    lock and read files (H2). The interrupted code may hold any of the locks
//!    that it takes, and nobody will release them; so a timer of the thread's
//!    own looks every two seconds whether it still does anything. If it does
//!    not, or faults, or aborts, what it began ends there, `trouble` says so, in
//!    the manner of the first part, and
//! 3. [`end`] is the death by SIGABRT, in every case.
//!
//! Nothing is cut because somebody reads slowly: a thread that waits for
//! `write` is left waiting, as everywhere else.
//!
//! Invariants:
//! - **H1** What runs in the fault handler, and in `trouble`, takes no lock,
//!   allocates nothing, and writes with `write(2)` only.
//! - **H2** What runs under the watch may do anything, because nothing that
//!   comes after it depends on it: the thread that was interrupted never goes
//!   on. It runs on the speaker's thread alone.

use super::{clock, section, thread};
use core::cell::UnsafeCell;
use core::mem::zeroed;
use core::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering};

/// What ended the second part.
#[derive(Clone, Copy)]
pub(crate) enum Trouble {
    /// It waits for a lock that nobody will release, or computes for ever.
    Stuck,
    /// It faulted or aborted.
    Signal(i32),
}

/// How often the watch looks.
const PERIOD: libc::time_t = 2;
/// Processor time within a period that shows that the thread is at work; one
/// that waits for a lock uses none.
const AT_WORK_NS: u64 = 1_000_000;
/// Periods of work after which it is not believed to end.
const PATIENCE: u32 = 30;

/// Signals by which the second part fails. SIGABRT is the timer's, too.
const TROUBLES: [libc::c_int; 6] =
    [libc::SIGABRT, libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP];

/// All of it belongs to the speaker's thread, whose handlers run on it too, so
/// nothing here is ordered; others read `thread` and wait.
struct Speaker {
    /// The kernel's id of the thread; 0: nobody speaks.
    thread: AtomicU32,
    /// Inside `write(2)`.
    writing: AtomicBool,
    watched: AtomicBool,
    /// `trouble` was called.
    troubled: AtomicBool,
    timer: AtomicI32,
    /// Processor time at the last look, in nanoseconds.
    worked: AtomicU64,
    looks: AtomicU32,
    trouble: UnsafeCell<fn(Trouble)>,
    /// What SIGABRT did before the watch.
    previous: UnsafeCell<libc::sigaction>,
}

// SAFETY: the cells are written by watch(), on the one thread that speaks,
// before any handler can read them there.
unsafe impl Sync for Speaker {}

static SPEAKER: Speaker = Speaker {
    thread: AtomicU32::new(0),
    writing: AtomicBool::new(false),
    watched: AtomicBool::new(false),
    troubled: AtomicBool::new(false),
    timer: AtomicI32::new(0),
    worked: AtomicU64::new(0),
    looks: AtomicU32::new(0),
    trouble: UnsafeCell::new(|_| ()),
    // SAFETY: all-zero is a valid sigaction (SIG_DFL, no flags).
    previous: UnsafeCell::new(unsafe { zeroed() }),
};

/// Makes `exit` wait while somebody speaks. Called once, when the runtime starts.
pub(crate) fn install() {
    extern "C" fn hold() {
        let speaker = SPEAKER.thread.load(Ordering::Relaxed);
        // A handler of SIGABRT that exits is on the speaker's own thread.
        if speaker != 0 && speaker != thread::id() {
            wait();
        }
    }
    // SAFETY: the function may run at any exit. A refusal means no hold.
    unsafe { libc::atexit(hold) };
}

/// Makes the calling thread the speaker, or never returns. For signal handlers.
pub(crate) fn begin() {
    section::lift();
    let me = thread::id();
    if SPEAKER.thread.compare_exchange(0, me, Ordering::Relaxed, Ordering::Relaxed).is_err() {
        wait();
    }
    // Nobody else's handler may come between, one least of all that suspends
    // the thread.
    // SAFETY: changes the calling thread's mask only; a zeroed set is writable.
    unsafe {
        let mut all: libc::sigset_t = zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, ptr::null_mut());
    }
}

/// Begins the second part. `trouble` is called if that fails, and keeps H1.
/// `false`: there is no timer to watch with, so there must be no second part.
#[must_use]
pub(crate) fn watch(trouble: fn(Trouble)) -> bool {
    // SAFETY: on the speaker's thread, before the handlers (Speaker); the
    // structures are zeroed, hence valid, and outlive the calls; `on_signal`
    // has the SA_SIGINFO signature. System calls and not libc's functions where
    // the timer is made, because libc's may allocate (H1).
    unsafe {
        *SPEAKER.trouble.get() = trouble;
        SPEAKER.worked.store(clock::thread_cpu(), Ordering::Relaxed);
        let mut event: libc::sigevent = zeroed();
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        event.sigev_signo = libc::SIGABRT;
        event.sigev_notify_thread_id = thread::id() as libc::c_int;
        let clock = libc::CLOCK_MONOTONIC;
        let timer = SPEAKER.timer.as_ptr();
        if libc::syscall(libc::SYS_timer_create, clock, &raw const event, timer) != 0 {
            return false;
        }
        let mut set: libc::sigset_t = zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in TROUBLES {
            let mut action: libc::sigaction = zeroed();
            action.sa_sigaction = on_signal as *const () as usize;
            // NODEFER: trouble in `trouble` must be heard of too.
            action.sa_flags =
                libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER | libc::SA_RESTART;
            let previous =
                if signal == libc::SIGABRT { SPEAKER.previous.get() } else { ptr::null_mut() };
            libc::sigaction(signal, &raw const action, previous);
            libc::sigaddset(&raw mut set, signal);
        }
        SPEAKER.watched.store(true, Ordering::Relaxed);
        let period = libc::timespec { tv_sec: PERIOD, tv_nsec: 0 };
        let every = libc::itimerspec { it_interval: period, it_value: period };
        let null = ptr::null_mut::<libc::itimerspec>();
        libc::syscall(libc::SYS_timer_settime, *timer, 0, &raw const every, null);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, ptr::null_mut());
    }
    true
}

extern "C" fn on_signal(signal: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    if SPEAKER.thread.load(Ordering::Relaxed) != thread::id() {
        // A fault of its own, or an abort, which comes too late to be told of.
        wait();
    }
    // SAFETY: the kernel passes a valid siginfo.
    let look = signal == libc::SIGABRT && unsafe { (*info).si_code } == libc::SI_TIMER;
    if look && (SPEAKER.writing.load(Ordering::Relaxed) || works()) {
        return;
    }
    if !SPEAKER.troubled.swap(true, Ordering::Relaxed) {
        // SAFETY: written by watch(), which installed this handler.
        let trouble = unsafe { *SPEAKER.trouble.get() };
        trouble(if look { Trouble::Stuck } else { Trouble::Signal(signal) });
    }
    end()
}

/// Whether the second part got on with it since the last look.
fn works() -> bool {
    let now = clock::thread_cpu();
    let before = SPEAKER.worked.swap(now, Ordering::Relaxed);
    now - before >= AT_WORK_NS && SPEAKER.looks.fetch_add(1, Ordering::Relaxed) < PATIENCE
}

/// Ends the process.
pub(crate) fn end() -> ! {
    // SAFETY: abort is async-signal-safe, and so are the others. Who handled
    // SIGABRT before hears of it, without our timer between.
    unsafe {
        if SPEAKER.watched.load(Ordering::Relaxed) {
            libc::syscall(libc::SYS_timer_delete, SPEAKER.timer.load(Ordering::Relaxed));
            libc::sigaction(libc::SIGABRT, SPEAKER.previous.get(), ptr::null_mut());
        }
        libc::abort()
    }
}

/// Waits for the end of the process.
fn wait() -> ! {
    loop {
        // SAFETY: waits for a signal, and for another after that.
        unsafe { libc::pause() };
    }
}

/// Writes all of it to stderr, or as much as can be written. For the speaker.
pub(crate) fn write(bytes: &[u8]) {
    SPEAKER.writing.store(true, Ordering::Relaxed);
    write_all(bytes);
    SPEAKER.writing.store(false, Ordering::Relaxed);
}

fn write_all(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        // SAFETY: the pointer and the length are those of a slice.
        let n = unsafe { libc::write(2, bytes.as_ptr().cast(), bytes.len()) };
        match usize::try_from(n) {
            Ok(n) => bytes = &bytes[n..],
            Err(_) if std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted => {
            }
            Err(_) => break,
        }
    }
}

/// Text for stderr, assembled without allocation (H1) and written in as few
/// pieces as it fits into.
pub(crate) struct Text {
    buffer: [u8; 1024],
    len: usize,
}

impl Text {
    pub(crate) fn new() -> Self {
        Text { buffer: [0; 1024], len: 0 }
    }

    pub(crate) fn flush(&mut self) {
        write(&self.buffer[..self.len]);
        self.len = 0;
    }

    /// Writes what fits into one piece, for who is not the speaker.
    pub(crate) fn say(self) {
        write_all(&self.buffer[..self.len]);
    }
}

impl core::fmt::Write for Text {
    fn write_str(&mut self, s: &str) -> core::fmt::Result {
        let mut bytes = s.as_bytes();
        while !bytes.is_empty() {
            let room = &mut self.buffer[self.len..];
            let n = bytes.len().min(room.len());
            room[..n].copy_from_slice(&bytes[..n]);
            self.len += n;
            bytes = &bytes[n..];
            if self.len == self.buffer.len() {
                self.flush();
            }
        }
        Ok(())
    }
}
