//! Raw threads and the list of threads.
//!
//! Workers are made by `pthread_create`, not by std: std would hand them the
//! creating test's output capture.

use super::mem::{self, PAGE};
use super::{clock, section};
use core::cell::Cell;
use std::fmt;
use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Starts a detached thread that runs `main(arg)`.
///
/// # Safety
/// `main` accepts `arg` on another thread and does not unwind.
pub(crate) unsafe fn spawn(
    main: extern "C" fn(*mut libc::c_void) -> *mut libc::c_void,
    arg: *mut libc::c_void,
) -> io::Result<()> {
    section::check_outside();
    OWN.set(true);
    // SAFETY: attr and thread are local places that outlive the calls; the
    // caller vouches for `main` and `arg`.
    let rc = unsafe {
        let mut attr: libc::pthread_attr_t = core::mem::zeroed();
        libc::pthread_attr_init(&raw mut attr);
        libc::pthread_attr_setdetachstate(&raw mut attr, libc::PTHREAD_CREATE_DETACHED);
        let mut thread: libc::pthread_t = core::mem::zeroed();
        let rc = libc::pthread_create(&raw mut thread, &raw const attr, main, arg);
        libc::pthread_attr_destroy(&raw mut attr);
        rc
    };
    OWN.set(false);
    if rc != 0 {
        return Err(io::Error::from_raw_os_error(rc));
    }
    Ok(())
}

thread_local! {
    static OWN: Cell<bool> = const { Cell::new(false) };
}

/// Whether the thread that the caller is just making is the runtime's own.
pub(crate) fn makes_own() -> bool {
    OWN.get()
}

/// Calls `f(value)`, which may not unwind, when the calling thread ends: after the
/// destructors of its thread-locals. One such call a thread; `value` is not 0. False
/// if that cannot be.
pub(crate) fn at_end(value: usize, f: extern "C" fn(*mut libc::c_void)) -> bool {
    static KEY: OnceLock<Option<libc::pthread_key_t>> = OnceLock::new();
    let key = KEY.get_or_init(|| {
        let mut key = 0;
        // SAFETY: the place is writable; f is a function that takes what is set below.
        let rc = unsafe { libc::pthread_key_create(&raw mut key, Some(destructor(f))) };
        (rc == 0).then_some(key)
    });
    let value = core::ptr::without_provenance::<libc::c_void>(value);
    // SAFETY: the key exists and is never deleted.
    key.is_some_and(|key| unsafe { libc::pthread_setspecific(key, value) } == 0)
}

/// The same function for libc's type of it.
fn destructor(f: extern "C" fn(*mut libc::c_void)) -> unsafe extern "C" fn(*mut libc::c_void) {
    f
}

/// A thread of the runtime's own that lasts as long as the process.
pub(crate) struct Service {
    /// 0 until it runs.
    tid: AtomicU32,
}

impl Service {
    pub(crate) const fn new() -> Service {
        Service { tid: AtomicU32::new(ENDED) }
    }

    /// Starts it; `main` calls [`begin`](Self::begin) first.
    ///
    /// # Safety
    /// `main` accepts `arg` on another thread and does not unwind.
    ///
    /// # Errors
    /// If the system refuses it.
    pub(crate) unsafe fn start(
        &self,
        main: extern "C" fn(*mut libc::c_void) -> *mut libc::c_void,
        arg: *mut libc::c_void,
    ) -> io::Result<()> {
        self.tid.store(0, Ordering::Relaxed);
        // SAFETY: by contract.
        let started = unsafe { spawn(main, arg) };
        if started.is_err() {
            self.tid.store(ENDED, Ordering::Relaxed);
        }
        started
    }

    /// On the thread itself.
    pub(crate) fn begin(&self, name: &str) {
        set_name(format_args!("{name}"));
        self.tid.store(id(), Ordering::Relaxed);
    }

    /// Kernel id of the thread, 0 if it has just been made.
    pub(crate) fn id(&self) -> u32 {
        self.tid.load(Ordering::Relaxed)
    }
}

/// Names the calling thread (15 bytes at most are kept). Allocates nothing (N1).
pub(crate) fn set_name(name: fmt::Arguments<'_>) {
    // The last byte stays zero.
    let mut bytes = [0_u8; 16];
    // What has no room is an error, and left out.
    let _ = (&mut bytes[..15]).write_fmt(name);
    #[cfg(target_os = "linux")]
    // SAFETY: a C string of at most 16 bytes.
    unsafe {
        libc::prctl(libc::PR_SET_NAME, bytes.as_ptr());
    }
}

/// The name of the calling thread, as far as the kernel keeps it: up to 15 bytes
/// and zeros. For signal handlers too.
pub(crate) fn name() -> [u8; 16] {
    let mut name = [0; 16];
    #[cfg(target_os = "linux")]
    // SAFETY: the kernel writes 16 bytes.
    unsafe {
        libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr());
    }
    name
}

/// In the place of a thread's id when the thread has ended.
pub(crate) const ENDED: u32 = u32::MAX;

/// The kernel's id of the calling thread.
pub(crate) fn id() -> u32 {
    #[cfg(target_os = "linux")]
    // SAFETY: takes nothing, cannot fail.
    return unsafe { libc::syscall(libc::SYS_gettid) as u32 };
    #[cfg(not(target_os = "linux"))]
    return 0;
}

/// The id of the process, which is the main thread's on Linux.
pub(crate) fn main_id() -> u32 {
    std::process::id()
}

/// A thread of this process, told apart from a later one with the same id by
/// its start time (clock ticks since boot).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct ThreadKey {
    pub(crate) id: u32,
    pub(crate) started: u64,
}

impl ThreadKey {
    /// Whether this is the thread that was seen there, and not one that has got its id
    /// since.
    pub(crate) fn is(&self, seen: Sighting) -> bool {
        // One that began later than it was seen is another. Both times are whole ticks of
        // one clock; no id comes round within a tick.
        self.id == seen.id && self.started <= seen.at
    }
}

/// A thread at a moment of its life: it takes no look at a file, as a key does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sighting {
    id: u32,
    /// Clock ticks since boot.
    at: u64,
}

impl Sighting {
    /// The calling thread, now.
    pub(crate) fn here() -> Sighting {
        Sighting { id: id(), at: clock::ticks() }
    }
}

/// Pages that the kernel keeps free between the main thread's stack and what is
/// mapped below it (`stack_guard_gap`: 256 pages unless the kernel's command
/// line says otherwise).
const GAP: usize = 256;

/// The lowest usable byte of the calling thread's stack and the end of it.
/// `None` where the system does not know.
///
/// The main thread's stack is mapped as it grows; its lowest byte is where
/// `RLIMIT_STACK` ends it, or the gap above what is mapped below.
pub(crate) fn stack() -> Option<(usize, usize)> {
    let (mut low, mut len) = (core::ptr::null_mut(), 0);
    // SAFETY: attr is a local place, initialised by the first call before it is
    // asked and destroyed.
    unsafe {
        let mut attr: libc::pthread_attr_t = core::mem::zeroed();
        if libc::pthread_getattr_np(libc::pthread_self(), &raw mut attr) != 0 {
            return None;
        }
        let rc = libc::pthread_attr_getstack(&raw const attr, &raw mut low, &raw mut len);
        libc::pthread_attr_destroy(&raw mut attr);
        if rc != 0 {
            return None;
        }
    }
    let (mut low, end) = (low.addr(), low.addr() + len);
    // The limit would reach into another mapping, so the size was cut to end
    // there.
    if id() == main_id() && mem::is_mapped(low - PAGE) {
        low += GAP * PAGE;
    }
    Some((low, end))
}

/// Every thread of the process. Empty where the system has no such list.
pub(crate) fn list() -> Vec<ThreadKey> {
    let Ok(dir) = std::fs::read_dir("/proc/self/task") else {
        return Vec::new();
    };
    dir.filter_map(|entry| key(entry.ok()?.file_name().to_str()?.parse().ok()?)).collect()
}

/// The key of a living thread.
pub(crate) fn key(id: u32) -> Option<ThreadKey> {
    let stat = std::fs::read_to_string(format!("/proc/self/task/{id}/stat")).ok()?;
    // The second field is the name in parentheses and may hold anything, so
    // fields are counted from its end: the start time is field 22 of the file.
    let after_name = &stat[stat.rfind(')')? + 1..];
    let mut fields = after_name.split_ascii_whitespace();
    let state = fields.next()?;
    if state == "Z" || state == "X" {
        return None;
    }
    let started = fields.nth(18)?.parse().ok()?;
    Some(ThreadKey { id, started })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_who_was_seen_there() {
        for _ in 0..100 {
            let young = std::thread::spawn(|| {
                let seen = Sighting::here();
                key(id()).expect("it is alive").is(seen)
            });
            assert!(young.join().unwrap());
        }
    }

    #[test]
    fn who_has_its_id_later_is_another() {
        let seen = Sighting { id: 7, at: 1000 };
        assert!(ThreadKey { id: 7, started: 1000 }.is(seen), "it was seen in its first tick");
        assert!(ThreadKey { id: 7, started: 3 }.is(seen));
        assert!(!ThreadKey { id: 7, started: 1001 }.is(seen));
        assert!(!ThreadKey { id: 8, started: 3 }.is(seen));
    }

    /// Else all would be who was seen, or none.
    #[test]
    fn both_clocks_tell_the_same_time() {
        let before = clock::ticks();
        let started = std::thread::spawn(|| key(id()).expect("it is alive").started);
        let started = started.join().unwrap();
        assert!((before..=clock::ticks()).contains(&started));
    }
}
