//! One line on where and with what the figures were taken.

use std::fs;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::go;

/// Processor, system, versions, date.
pub(crate) fn describe(quick: bool, has_go: bool) -> String {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let mut parts = vec![
        format!("{cpus} x {}", processor()),
        format!("Linux {} {}", kernel(), std::env::consts::ARCH),
        rustc(),
    ];
    if has_go {
        parts.push(format!("Go {}", go::VERSION));
    }
    let peers = ["tokio", "may", "crossbeam-channel"];
    parts.extend(peers.map(|name| format!("{name} {}", locked(name))));
    parts.push(today());
    if quick {
        parts.push("quick run".to_owned());
    }
    if cfg!(debug_assertions) {
        eprintln!("bench: a debug build; its figures mean nothing, use --release");
        parts.push("DEBUG BUILD".to_owned());
    }
    parts.join(", ")
}

fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = info.lines().find_map(|line| line.strip_prefix("model name"));
    let name = line.map(|line| line.trim_start_matches([' ', '\t', ':']).to_owned());
    name.unwrap_or_else(|| "unnamed processor".to_owned())
}

fn kernel() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    release.trim().to_owned()
}

fn rustc() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output();
    let version = version.map(|done| String::from_utf8_lossy(&done.stdout).trim().to_owned());
    version.unwrap_or_else(|_| "rustc unknown".to_owned())
}

/// The version of a dependency that this program was built with.
fn locked(package: &str) -> &'static str {
    let lock = include_str!("../../Cargo.lock");
    let entry = lock.split_once(&format!("name = \"{package}\"\nversion = \""));
    entry.and_then(|(_, rest)| rest.split('"').next()).unwrap_or("?")
}

fn today() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (year, month, day) = date(since.as_secs() / 86_400);
    format!("{year}-{month:02}-{day:02}")
}

/// The Gregorian date of a day since 1970-01-01. Years begin in March here, so
/// that the leap day is the last one.
fn date(day: u64) -> (u64, u64, u64) {
    let day = day + 719_468;
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + carry, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates() {
        for (day, expected) in
            [(0, (1970, 1, 1)), (59, (1970, 3, 1)), (11_016, (2000, 2, 29)), (20_454, (2026, 1, 1))]
        {
            assert_eq!(date(day), expected, "day {day}");
        }
    }

    #[test]
    fn versions_come_from_the_lock_file() {
        for package in ["tokio", "may", "crossbeam-channel"] {
            assert!(locked(package).contains('.'), "{package}");
        }
    }
}
