//! Monotonic time as nanoseconds since an origin of the kernel's choice.
//!
//! `std::time::Instant` cannot be stored in a word; these can.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Nanoseconds on `CLOCK_MONOTONIC`, the clock of `Instant`.
pub(crate) fn now() -> u64 {
    read(libc::CLOCK_MONOTONIC)
}

/// The same clock as of the last timer interrupt (1–10 ms old): for ages of
/// waits, at a quarter of the price.
#[inline]
pub(crate) fn coarse() -> u64 {
    #[cfg(target_os = "linux")]
    return read(libc::CLOCK_MONOTONIC_COARSE);
    #[cfg(not(target_os = "linux"))]
    return now();
}

/// Time since boot as `/proc` counts it, in clock ticks (10 ms).
#[cfg(target_os = "linux")]
pub(crate) fn ticks() -> u64 {
    static PER_SECOND: AtomicU64 = AtomicU64::new(0);
    let per_second = match PER_SECOND.load(Ordering::Relaxed) {
        0 => {
            // SAFETY: asks for a number.
            let number = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
            let number = u64::try_from(number).unwrap_or(0).max(1);
            PER_SECOND.store(number, Ordering::Relaxed);
            number
        }
        known => known,
    };
    // Rounded as the kernel does.
    read(libc::CLOCK_BOOTTIME) / (1_000_000_000 / per_second)
}

/// Processor time that the calling thread has used.
pub(crate) fn thread_cpu() -> u64 {
    read(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// Processor time that the thread `tid` of this process has used; `None` if there is
/// none of that number.
#[cfg(target_os = "linux")]
pub(crate) fn cpu_of(tid: u32) -> Option<u64> {
    let mut ts = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `ts` is a valid place for one timespec.
    let rc = unsafe { libc::clock_gettime(cpu_clock_of(tid), &raw mut ts) };
    (rc == 0).then(|| ts.tv_sec as u64 * 1_000_000_000 + ts.tv_nsec as u64)
}

/// The clock of that, as pthread_getcpuclockid(3) makes it;
/// `CPUCLOCK_PERTHREAD | CPUCLOCK_SCHED`.
#[cfg(target_os = "linux")]
pub(crate) fn cpu_clock_of(tid: u32) -> libc::clockid_t {
    (!tid << 3 | 4 | 2) as libc::clockid_t
}

/// `now() + d`, saturating.
pub(crate) fn after(d: Duration) -> u64 {
    now().saturating_add(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX))
}

#[inline]
fn read(clock: libc::clockid_t) -> u64 {
    let mut ts = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `ts` is a valid place for one timespec.
    unsafe { libc::clock_gettime(clock, &raw mut ts) };
    ts.tv_sec as u64 * 1_000_000_000 + ts.tv_nsec as u64
}
