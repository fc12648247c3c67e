//! Processor time of this process.

use std::time::Duration;

/// What all threads have taken so far, those that have ended and the kernel's part
/// included. Unlike the clock on the wall it stands still while others have the
/// processors.
pub(crate) fn time() -> Duration {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes to that struct, which is ours, and to nothing else.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut now) };
    assert_eq!(failed, 0, "Linux has this clock");
    // Neither is negative.
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_runs_while_somebody_computes() {
        let start = time();
        while time() == start {}
        assert!(time() > start);
    }
}
