//! What the system allows this process.

use super::mem::PAGE;
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

/// The address space that is left, in KiB: to the process by `ulimit -v`, to all
/// where `vm.overcommit_memory` is 2. `None` without a limit, or if the system
/// does not say.
pub(crate) fn left() -> Option<u64> {
    let own = address_space().and_then(|most| Some(most.saturating_sub(size()?)));
    let all = (vm("overcommit_memory") == Some(2)).then(uncommitted).flatten();
    own.into_iter().chain(all).min()
}

/// The address space of this process.
fn size() -> Option<u64> {
    let pages = fs::read_to_string("/proc/self/statm").ok()?;
    Some(pages.split(' ').next()?.parse::<u64>().ok()? * (PAGE as u64 >> 10))
}

/// What all processes together may still reserve.
fn uncommitted() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let number = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok()
    };
    Some(number("CommitLimit:")?.saturating_sub(number("Committed_AS:")?))
}

/// The number in `/proc/sys/vm/NAME`.
pub(crate) fn vm(name: &str) -> Option<u64> {
    fs::read_to_string(format!("/proc/sys/vm/{name}")).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_says_what_is_there() {
        let size = size().expect("the size of this process");
        assert!(size > 1000, "{size} KiB");
        assert!(uncommitted().is_some());
        assert!(left().is_none_or(|left| left > 0));
    }
}
