//! What the kernel says of this process.

use std::fs;

/// The most memory that was resident at once.
pub(crate) const PEAK: &str = "VmHWM";
/// The memory that is resident now.
pub(crate) const RESIDENT: &str = "VmRSS";
/// The page tables' memory.
pub(crate) const PAGE_TABLES: &str = "VmPTE";

/// A line of `/proc/self/status`, in KiB.
pub(crate) fn kib(name: &str) -> Result<f64, String> {
    let status = fs::read_to_string("/proc/self/status")
        .map_err(|why| format!("/proc/self/status: {why}"))?;
    let mut lines = status.lines().filter_map(|line| line.split_once(':'));
    let value = lines.find_map(|(key, value)| (key == name).then_some(value));
    let number = value.and_then(|value| value.split_whitespace().next());
    let kib = number.and_then(|number| number.parse().ok());
    kib.ok_or_else(|| format!("/proc/self/status has no {name}"))
}
