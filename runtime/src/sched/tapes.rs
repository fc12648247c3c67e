//! The tapes that there are, whether anything is to be written on them, and who reads
//! them.

use super::tape::Tape;
use crate::arch;
use crate::sys::lock::RawLock;
use crate::sys::thread::{self, Service};
use crate::sys::{barrier, futex};
use core::ptr;
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Whether threads are to write: 1, or 0.
static ON: AtomicU32 = AtomicU32::new(0);
/// Counts what wakes the collector; its futex.
static WAKE: AtomicU32 = AtomicU32::new(0);
/// Entries of threads that had no tape.
static LOST: AtomicU64 = AtomicU64::new(0);

/// The tape of all threads that are no workers.
pub(crate) static OUTSIDE: Outside = Outside { lock: RawLock::new(), tape: Slot::new() };

#[inline(always)]
pub(crate) fn is_on() -> bool {
    // Relaxed: who writes asks again behind v1 (E2).
    ON.load(Ordering::Relaxed) != 0
}

/// After the next [`settle`] whoever comes to a hook writes.
pub(crate) fn turn_on() {
    ON.store(1, Ordering::Relaxed);
}

/// From the next [`settle`] on nobody writes.
pub(crate) fn turn_off() {
    ON.store(0, Ordering::Relaxed);
}

/// v2, before the collector waits for each tape.
pub(crate) fn settle() {
    barrier::heavy();
}

/// Sleeps for so long, or until a tape fills; returns what is to be passed next time.
pub(crate) fn sleep(seen: u32, time: Option<std::time::Duration>) -> u32 {
    futex::wait(&WAKE, seen, time);
    WAKE.load(Ordering::Relaxed)
}

/// Ends the collector's sleep.
pub(crate) fn wake() {
    WAKE.fetch_add(1, Ordering::Relaxed);
    futex::wake(&WAKE, 1);
}

static COLLECTOR: Service = Service::new();
static COLLECT: OnceLock<fn() -> !> = OnceLock::new();

/// Kernel id of the collector's thread, 0 if it has just been made.
pub(crate) fn thread_id() -> u32 {
    COLLECTOR.id()
}

/// Starts the collector's thread, once. The caller excludes others.
pub(crate) fn start_collector(collect: fn() -> !) -> io::Result<()> {
    if COLLECTOR.id() != thread::ENDED {
        return Ok(());
    }
    COLLECT.get_or_init(|| collect);
    // SAFETY: `main` takes no argument and does not unwind.
    unsafe { COLLECTOR.start(main, ptr::null_mut()) }
}

extern "C" fn main(_: *mut libc::c_void) -> *mut libc::c_void {
    COLLECTOR.begin("gopark-trace");
    let collect = COLLECT.get().expect("set before the thread was made");
    collect()
}

/// How many entries had no tape, since the last time.
pub(crate) fn take_lost() -> u64 {
    LOST.swap(0, Ordering::Relaxed)
}

/// The place of a tape, which is made when somebody first wants a trace.
pub(crate) struct Slot(OnceLock<Box<Tape>>);

/// The time of an entry.
#[derive(Clone, Copy)]
pub(crate) enum Time {
    /// After all that the thread has read before.
    Now,
    /// Perhaps a little earlier; before others see what the thread writes from here on.
    Early,
    /// That of the entry before.
    Before,
}

impl Slot {
    pub(crate) const fn new() -> Slot {
        Slot(OnceLock::new())
    }

    /// Not in a section: it allocates.
    pub(crate) fn prepare(&'static self) -> &'static Tape {
        self.0.get_or_init(|| {
            // SAFETY: zero is a value of an atomic. The system gives such memory when it is
            // first written to: a worker that does little takes little.
            Box::new(Tape::new(unsafe { Box::new_zeroed().assume_init() }))
        })
    }

    /// Writes an entry (E1), or counts it as lost.
    #[inline]
    pub(crate) fn put(&self, time: Time, kind: u8, about: u64, words: &[u64], texts: &[&str]) {
        match self.0.get() {
            Some(tape) => {
                let ticks = || match time {
                    Time::Now => arch::ticks(),
                    Time::Early => arch::ticks_early(),
                    Time::Before => tape.last(),
                };
                if tape.put(|| is_on().then(ticks), kind, about, words, texts) {
                    wake();
                }
            }
            None => {
                LOST.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

pub(crate) struct Outside {
    lock: RawLock,
    tape: Slot,
}

impl Outside {
    pub(crate) fn put(&self, kind: u8, about: u64, words: &[u64], texts: &[&str]) {
        self.lock.with(|| self.tape.put(Time::Now, kind, about, words, texts));
    }

    pub(crate) fn prepare(&'static self) -> &'static Tape {
        self.tape.prepare()
    }
}
