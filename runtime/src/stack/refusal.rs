//! What is said when the system refuses address space or a guard: how much was
//! asked for, which limit it met, and what to do.

use crate::sys::limits;
use std::fmt::Write;
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What limits a reservation; sizes in KiB.
#[derive(Clone, Copy, Default, Debug)]
struct Limits {
    /// `ulimit -v`.
    address_space: Option<u64>,
    /// `ulimit -l`.
    locked: Option<u64>,
    /// `vm.overcommit_memory`.
    overcommit: Option<u64>,
}

impl Limits {
    fn now() -> Limits {
        Limits {
            address_space: limits::address_space(),
            locked: limits::locked(),
            overcommit: limits::vm("overcommit_memory"),
        }
    }
}

/// No arena, not even for one slot of `stride` bytes.
pub(crate) fn of_reservation(stride: usize, error: &io::Error) -> io::Error {
    io::Error::new(io::ErrorKind::OutOfMemory, reservation(stride, error, Limits::now()))
}

fn reservation(stride: usize, error: &io::Error, limits: Limits) -> String {
    let mut text = format!(
        "gopark: no address space for another task's stack of {} KiB: {error}; ",
        stride >> 10
    );
    let reason = match limits {
        Limits { locked: Some(kib), .. } if error.kind() == io::ErrorKind::WouldBlock => write!(
            text,
            "this process locks its future memory (mlockall with MCL_FUTURE), and ulimit -l \
             allows {kib} KiB: raise it, or call mlockall after the tasks were started"
        ),
        Limits { overcommit: Some(2), .. } => write!(
            text,
            "vm.overcommit_memory is 2, so the system counts what is reserved as if it were used: \
             set it to 0 or 1, or raise vm.overcommit_ratio"
        ),
        Limits { address_space: Some(kib), .. } => {
            write!(text, "ulimit -v allows this process {kib} KiB: raise it")
        }
        _ => write!(text, "vm.max_map_count or the address space is used up"),
    };
    reason.expect("writing to a string does not fail");
    text.push_str(
        "; or start fewer tasks at a time, or give them smaller stacks (Builder::stack_limit, \
         Config::stack_limit, GOPARK_STACK)",
    );
    text
}

/// Mappings that guards have made.
static MAPPINGS: AtomicUsize = AtomicUsize::new(0);

/// What the kernel allows.
fn most_mappings() -> usize {
    static MOST: OnceLock<usize> = OnceLock::new();
    *MOST.get_or_init(|| limits::vm("max_map_count").map_or(usize::MAX, |count| count as usize))
}

/// No guard for a slot.
pub(crate) fn of_guard(error: &io::Error) -> io::Error {
    let text = format!(
        "gopark: no guard for another task's stack: {error}; this kernel has no guard pages \
         (MADV_GUARD_INSTALL, Linux 6.13), so each stack takes two memory mappings, and \
         vm.max_map_count allows {}: raise it, or start fewer tasks at a time",
        most_mappings()
    );
    io::Error::new(io::ErrorKind::OutOfMemory, text)
}

/// The most that guards may make: some are left to threads and the allocator.
fn most_for_guards(most: usize) -> usize {
    most / 20 * 19
}

/// Whether a guard may make so many more.
pub(crate) fn room_for_mappings(more: usize) -> io::Result<()> {
    if MAPPINGS.load(Ordering::Relaxed) + more <= most_for_guards(most_mappings()) {
        Ok(())
    } else {
        // What the kernel would say some mappings later.
        Err(io::Error::from_raw_os_error(libc::ENOMEM))
    }
}

/// Counts mappings that a guard has made, and warns once before they run out.
pub(crate) fn count_mappings(more: usize) {
    static SAID: AtomicBool = AtomicBool::new(false);
    let now = MAPPINGS.fetch_add(more, Ordering::Relaxed) + more;
    if now >= most_mappings() / 5 * 4 && !SAID.swap(true, Ordering::Relaxed) {
        crate::sys::warn(&mappings(now, most_mappings()));
    }
}

fn mappings(now: usize, most: usize) -> String {
    format!(
        "the stacks of tasks take {now} of the {most} memory mappings that \
         vm.max_map_count allows, two each, because this kernel has no guard pages \
         (MADV_GUARD_INSTALL, Linux 6.13); beyond about {} tasks at a time, starting one is an \
         error: raise vm.max_map_count",
        most_for_guards(most) / 2
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use io::ErrorKind::{OutOfMemory, WouldBlock};

    fn said(kind: io::ErrorKind, limits: Limits) -> String {
        reservation(576 << 10, &kind.into(), limits)
    }

    #[test]
    fn the_limit_that_was_met_is_named() {
        let none = Limits::default();
        let strict = Limits { overcommit: Some(2), address_space: Some(5), ..none };
        let locked = Limits { locked: Some(64), ..strict };
        for (kind, limits, says) in [
            (OutOfMemory, none, "vm.max_map_count or the address space is used up"),
            (OutOfMemory, Limits { overcommit: Some(0), ..none }, "is used up"),
            (OutOfMemory, strict, "vm.overcommit_memory is 2"),
            (
                OutOfMemory,
                Limits { address_space: Some(5), ..none },
                "ulimit -v allows this process 5 KiB",
            ),
            (OutOfMemory, locked, "vm.overcommit_memory is 2"),
            (WouldBlock, locked, "ulimit -l allows 64 KiB"),
        ] {
            let text = said(kind, limits);
            assert!(text.contains(says), "{text}");
            assert!(text.contains("576 KiB") && text.contains("GOPARK_STACK"), "{text}");
        }
    }

    #[test]
    fn the_warning_says_how_many_and_what_to_do() {
        let text = mappings(52_424, 65_530);
        for says in ["52424 of the 65530", "about 31122 tasks", "raise vm.max_map_count"] {
            assert!(text.contains(says), "{text}");
        }
    }
}
