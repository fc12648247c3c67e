//! What the system allows this process.

use std::fs;

/// The most address space, in KiB (`ulimit -v`); `None` without a limit.
pub(crate) fn address_space() -> Option<u64> {
    limit(libc::RLIMIT_AS)
}

/// The most locked memory, in KiB (`ulimit -l`); `None` without a limit.
pub(crate) fn locked() -> Option<u64> {
    limit(libc::RLIMIT_MEMLOCK)
}

#[cfg(target_os = "linux")]
type Resource = libc::__rlimit_resource_t;
#[cfg(not(target_os = "linux"))]
type Resource = libc::c_int;

fn limit(of: Resource) -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: writes one rlimit to the place that it is given.
    let rc = unsafe { libc::getrlimit(of, &raw mut limit) };
    (rc == 0 && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur >> 10)
}

/// The number in `/proc/sys/vm/NAME`.
pub(crate) fn vm(name: &str) -> Option<u64> {
    fs::read_to_string(format!("/proc/sys/vm/{name}")).ok()?.trim().parse().ok()
}
