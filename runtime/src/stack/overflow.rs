//! What is said when a task runs off its stack.
//!
//! ```text
//! gopark: fatal error: stack overflow in task 7 "parser", app::main::{{closure}}
//!   created at src/main.rs:12
//!   its stack is 1048608 bytes deep, the limit is 1048576 (1 MiB)
//!   …
//! frames of task 7, innermost first:
//!    0: app::parse
//!              at ./src/main.rs:40:9
//!   …
//! ```
//!
//! The lines down to the frames are the first part of the [`last_words`], the
//! frames the second. All of it is read in a hurry, so that what to do comes
//! before a hundred frames, and every number can be pasted as it stands.

use super::arena;
use super::class::Class;
use super::frames::{self, Why};
use crate::sys::last_words::{self, Text};
use crate::sys::signal::{self, Fault};
use crate::sys::thread;
use crate::task::{self, TaskRef};
use core::fmt::{self, Write};

/// Installs the fault handler. Called once, when the runtime starts.
pub(crate) fn install() {
    last_words::install();
    signal::install(on_fault);
}

/// Runs in the signal handler (H1): returns unless a task ran off its stack.
fn on_fault(fault: &Fault) {
    let Some(overflow) = Overflow::of(fault) else { return };
    last_words::begin();
    frames::note(fault.pc);
    overflow.report();
    if fault.room < frames::ROOM {
        frames::bare(Why::NoRoom);
    } else if last_words::watch(|trouble| frames::bare(Why::Trouble(trouble))) {
        // From here on anything may happen (H2).
        frames::walk(fault.pc, overflow.top());
        frames::name();
    } else {
        frames::bare(Why::NoTimer);
    }
    last_words::end()
}

struct Overflow {
    class: Class,
    /// Bytes from the top of the stack to where it was used last.
    depth: usize,
    /// `None`: a thread that is no worker, on a segment.
    task: Option<TaskRef>,
    /// Not the stack that the task began on.
    segment: bool,
}

impl Overflow {
    fn of(fault: &Fault) -> Option<Overflow> {
        let stack = arena::guard_hit(fault.address)?;
        let top = stack.top().addr();
        let lowest = stack.base().addr() - arena::GUARD;
        if !ran_off(fault.address, fault.sp, lowest, top) {
            return None;
        }
        let task = task::running();
        Some(Overflow {
            class: stack.class(),
            depth: top - fault.sp.min(fault.address),
            task,
            segment: task.and_then(|task| task.record().place().stack()) != Some(stack),
        })
    }

    /// Where the first frame of the task is.
    fn top(&self) -> Option<usize> {
        Some(self.task?.record().place().stack()?.top().addr())
    }

    fn report(&self) {
        let mut text = Text::new();
        // `Text` never fails.
        let _ = self.write(&mut text);
        text.flush();
    }

    fn write(&self, out: &mut dyn Write) -> fmt::Result {
        let limit = self.class.usable();
        write!(out, "\ngopark: fatal error: stack overflow in ")?;
        match self.task {
            Some(task) => {
                let record = task.record();
                write!(out, "task {}", record.id())?;
                // SAFETY: we have interrupted the task, and it will not go on.
                if let Some(name) = unsafe { record.own_name() } {
                    write!(out, " {name:?}")?;
                }
                let at = record.created_at();
                let (file, line) = (at.file(), at.line());
                writeln!(out, ", {}\n  created at {file}:{line}", record.entry())?;
            }
            None => {
                let name = thread::name();
                let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
                writeln!(out, "thread \"{}\", which is no task", name.escape_ascii())?;
            }
        }
        let what = if self.segment { "the segment it is on" } else { "its stack" };
        let (depth, size) = (self.depth, Size(limit));
        writeln!(out, "  {what} is {depth} bytes deep, the limit is {limit} ({size})")?;
        match Class::for_bytes(limit + 1).map(Class::usable) {
            _ if self.segment => {
                let why = "gopark::stack::grow made it: ask for more bytes there, or call";
                let ensure = "gopark::stack::ensure at every level of the recursion";
                writeln!(out, "  {why}\n  {ensure}")?;
            }
            Some(more) => {
                let (number, word) = (Size(more).number(), Size(more).word());
                let builder = format_args!("gopark::Builder::stack_limit({number})");
                writeln!(out, "  to raise it for this task: {builder}")?;
                writeln!(
                    out,
                    "  to raise it for all tasks: GOPARK_STACK={word} in the environment"
                )?;
                let grow = "gopark::stack::ensure or gopark::stack::grow";
                writeln!(out, "  if no depth is known to be enough: {grow}")?;
            }
            None => {
                let grow = "gopark::stack::ensure or gopark::stack::grow";
                writeln!(out, "  no limit is higher; to go deeper still: {grow}")?;
            }
        }
        match self.task {
            Some(task) => writeln!(out, "frames of task {}, innermost first:", task.id()),
            None => writeln!(out, "frames of the thread, innermost first:"),
        }
    }
}

/// Whether code whose stack pointer is `sp` has used up the stack from `lowest`,
/// where its guard begins, to `top`, given that `address` lies in the guard.
///
/// It has if it is on this stack, and so near to its end that the access can be
/// one to a frame: frames up to the size of the guard are what that is made for,
/// and lie above their stack pointer or, before that is moved, at most so far
/// below it. Anything else is a bad pointer: from another stack, or from far up
/// on this one.
fn ran_off(address: usize, sp: usize, lowest: usize, top: usize) -> bool {
    (lowest..=top).contains(&sp) && sp <= address + arena::GUARD
}

/// A limit, which is a power of two.
#[derive(Clone, Copy)]
struct Size(usize);

impl Size {
    const UNITS: [(u32, &str, &str); 3] = [(30, "G", "GiB"), (20, "M", "MiB"), (10, "K", "KiB")];

    fn parts(self) -> (usize, (u32, &'static str, &'static str)) {
        let fits = |(shift, ..): &(u32, &str, &str)| self.0.trailing_zeros() >= *shift;
        let unit = Self::UNITS.into_iter().find(fits).expect("no limit is under one KiB");
        (self.0 >> unit.0, unit)
    }

    /// In Rust.
    fn number(self) -> impl fmt::Display {
        let (n, (shift, ..)) = self.parts();
        fmt::from_fn(move |f| write!(f, "{n} << {shift}"))
    }

    /// In the environment.
    fn word(self) -> impl fmt::Display {
        let (n, (_, letter, _)) = self.parts();
        fmt::from_fn(move |f| write!(f, "{n}{letter}"))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n, (.., unit)) = self.parts();
        write!(f, "{n} {unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUARD: usize = arena::GUARD;
    /// A slot, its neighbours below and above.
    const LOWEST: usize = 100 << 20;
    const BASE: usize = LOWEST + GUARD;
    const TOP: usize = BASE + (1 << 20);

    #[test]
    fn an_access_to_a_frame_is_told_from_a_bad_pointer() {
        let ran_off = |address, sp| super::ran_off(address, sp, LOWEST, TOP);
        // A push, at the very end.
        assert!(ran_off(BASE - 8, BASE));
        // A frame of nearly the guard's size, moved to or not yet.
        assert!(ran_off(LOWEST + 8, LOWEST + 16));
        assert!(ran_off(LOWEST + 8, BASE));
        assert!(ran_off(BASE - 1, LOWEST));
        // From far up on the same stack.
        assert!(!ran_off(BASE - 8, TOP - 4096));
        // From the neighbours, close as they are.
        assert!(!ran_off(LOWEST + 8, LOWEST - 64));
        assert!(!ran_off(BASE - 8, TOP + GUARD));
        // From far away.
        assert!(!ran_off(BASE - 8, 4096));
        assert!(!ran_off(BASE - 8, 1 << 46));
    }

    #[test]
    fn sizes_as_they_are_written() {
        let all = |bytes| {
            let size = Size(bytes);
            [size.to_string(), size.number().to_string(), size.word().to_string()]
        };
        assert_eq!(all(64 << 10), ["64 KiB", "64 << 10", "64K"]);
        assert_eq!(all(1 << 20), ["1 MiB", "1 << 20", "1M"]);
        assert_eq!(all(1 << 30), ["1 GiB", "1 << 30", "1G"]);
    }
}
