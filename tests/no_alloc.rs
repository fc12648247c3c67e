//! Rule N1 of the runtime, checked: the allocator of a test binary, and the C
//! library's locks, end the process when they are used in a section, where the
//! thread must not wait for somebody who is suspended.
//!
//! Shared by the test binaries, each of which has the file as a module.
#![expect(unsafe_code, reason = "an allocator, and functions in the place of the C library's")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::cell::Cell;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::{mem, process, ptr};

/// The system's allocator, not to be called in a section.
pub(crate) struct Checked;

/// Fails if the thread is in a section.
#[inline]
pub(crate) fn check(what: &str) {
    if !gopark::may_allocate() && !DYING.get() {
        die(what);
    }
}

thread_local!(static DYING: Cell<bool> = const { Cell::new(false) });

/// Seconds after which a process ends that cannot say what it wants to.
const PATIENCE: u32 = 20;

#[cold]
fn die(what: &str) -> ! {
    // What follows may allocate: the rule is broken already, and whoever waits for
    // this thread waits for the end.
    DYING.set(true);
    say(&["\nin a section of the runtime somebody ", what, "\n"]);
    // SAFETY: neither touches memory of ours. The default action is to end.
    unsafe {
        libc::signal(libc::SIGALRM, libc::SIG_DFL);
        libc::alarm(PATIENCE);
    }
    say(&[&Backtrace::force_capture().to_string()]);
    process::abort()
}

fn say(text: &[&str]) {
    for part in text {
        // SAFETY: the text is readable. What is not written is lost.
        unsafe { libc::write(libc::STDERR_FILENO, part.as_ptr().cast(), part.len()) };
    }
}

// SAFETY: all is left to the system's allocator.
unsafe impl GlobalAlloc for Checked {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        check("allocates");
        // SAFETY: by the caller's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        check("allocates");
        // SAFETY: by the caller's contract.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        check("reallocates");
        // SAFETY: by the caller's contract.
        unsafe { System.realloc(ptr, layout, size) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        check("frees");
        // SAFETY: by the caller's contract.
        unsafe { System.dealloc(ptr, layout) }
    }
}

/// Functions of the C library that wait or print, replaced by ones that check
/// first. Rust's own locks do not come here; the runtime checks those itself, and its
/// own threads. `pthread_create` is `leakcheck`'s; std allocates before it calls that.
macro_rules! checked {
    ($(fn $name:ident($($arg:ident: $type:ty),*) -> $result:ty;)*) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($arg: $type),*) -> $result {
            static REAL: AtomicPtr<libc::c_void> = AtomicPtr::new(ptr::null_mut());
            check(concat!("calls ", stringify!($name)));
            let mut real = REAL.load(Ordering::Relaxed);
            if real.is_null() {
                let name = concat!(stringify!($name), "\0").as_ptr().cast();
                // SAFETY: a C string; the definition after ours is the C library's.
                real = unsafe { libc::dlsym(libc::RTLD_NEXT, name) };
                REAL.store(real, Ordering::Relaxed);
            }
            // SAFETY: the function has that name, and these are its arguments.
            unsafe {
                let real: unsafe extern "C" fn($($type),*) -> $result = mem::transmute(real);
                real($($arg),*)
            }
        }
    )*};
}

type Pointer = *mut libc::c_void;

checked! {
    fn pthread_mutex_lock(mutex: Pointer) -> libc::c_int;
    fn pthread_rwlock_rdlock(lock: Pointer) -> libc::c_int;
    fn pthread_rwlock_wrlock(lock: Pointer) -> libc::c_int;
    fn pthread_cond_wait(condition: Pointer, mutex: Pointer) -> libc::c_int;
    fn pthread_cond_timedwait(condition: Pointer, mutex: Pointer, end: Pointer) -> libc::c_int;
    fn write(file: libc::c_int, bytes: Pointer, count: libc::size_t) -> libc::ssize_t;
    fn writev(file: libc::c_int, pieces: Pointer, count: libc::c_int) -> libc::ssize_t;
}
