//! Wait until a word changes.

use core::sync::atomic::AtomicU32;
use std::time::Duration;

/// Sleeps while `*word == expected`, until a [`wake`] or the timeout.
/// Returns spuriously; the caller looks at the word again.
pub(crate) fn wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) {
    // SAFETY: the reference keeps the word alive for the call.
    unsafe { wait_ptr(word.as_ptr(), expected, timeout) }
}

/// [`wait`] on a word given by address.
///
/// # Safety
/// `word` is aligned and readable for the length of the call.
pub(crate) unsafe fn wait_ptr(word: *const u32, expected: u32, timeout: Option<Duration>) {
    let ts = timeout.map(|d| libc::timespec {
        tv_sec: libc::time_t::try_from(d.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(d.subsec_nanos() as i32),
    });
    let ts_ptr = ts.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
    // SAFETY: by contract the word is readable; `ts` outlives the call. The
    // kernel reads the word atomically with respect to other futex calls.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word,
            libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
            expected,
            ts_ptr,
        );
    }
}

/// Wakes up to `count` threads that wait on the word.
///
/// The address may be stale (the word's owner gone): the kernel then wakes
/// nobody, or somebody spuriously, which every waiter tolerates.
pub(crate) fn wake_ptr(word: *const u32, count: i32) {
    // SAFETY: FUTEX_WAKE never reads the word; any address is allowed.
    unsafe {
        libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, count);
    }
}

/// Wakes up to `count` threads that wait on the word.
pub(crate) fn wake(word: &AtomicU32, count: i32) {
    wake_ptr(word.as_ptr(), count);
}
