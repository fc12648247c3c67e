//! The frames of a task that ran off its stack: found, named, written.
//!
//! Shown are the 50 innermost and the 50 outermost, in the form of Rust's own
//! backtraces; between them stands how many there are. Nothing is hidden, except
//! what calls the task's function, which is the same in every task: everything
//! from [`MARK`] on, as in Rust's own backtraces.
//!
//! After an overflow all of this runs under the watch of [`last_words`] (H2). Only
//! [`bare`] does not: it writes addresses where names cannot be had, and keeps H1.
//! Whoever asks for the frames of a task that is well finds them in `inspect`.

use crate::names;
use crate::sys::last_words::{self, Text, Trouble};
use crate::sys::program::Program;
use core::fmt::{self, Write};
use core::ops::Range;
use std::env;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// How many are shown of either end.
const SHOWN: usize = 50;
/// In the name of the function that calls a task's; it is not shown any more.
const MARK: &str = "__rust_begin_short_backtrace";
/// It is looked for in so many of the outermost frames. There are ten behind the
/// task's function in a debug build.
const CALLERS: usize = 20;

/// Bytes of stack that [`name`] may need.
pub(super) const ROOM: usize = 256 << 10;

/// What was found. Atomics for the sake of the handler that interrupts their one
/// user, not for other threads.
struct Frames {
    inner: [AtomicUsize; SHOWN],
    /// A ring.
    outer: [AtomicUsize; SHOWN + CALLERS],
    count: AtomicUsize,
    /// The outermost that was found is not the first of the task.
    torn: AtomicBool,
    /// The first one that was not written yet.
    next: AtomicUsize,
}

/// Of the overflow.
static FRAMES: Frames = Frames::new();

impl Frames {
    const fn new() -> Frames {
        Frames {
            inner: [const { AtomicUsize::new(0) }; SHOWN],
            outer: [const { AtomicUsize::new(0) }; SHOWN + CALLERS],
            count: AtomicUsize::new(0),
            torn: AtomicBool::new(true),
            next: AtomicUsize::new(0),
        }
    }

    /// Adds the next outer frame: an address inside of the instruction that it
    /// is at, which for a caller is the call and not what comes after it.
    fn push(&self, address: usize) {
        let n = self.count.load(Ordering::Relaxed);
        self.at(n).store(address, Ordering::Relaxed);
        self.count.store(n + 1, Ordering::Relaxed);
    }

    /// Where the frame of that number stands, if it is known.
    fn at(&self, n: usize) -> &AtomicUsize {
        self.inner.get(n).unwrap_or_else(|| &self.outer[n % self.outer.len()])
    }

    /// Forgets the outermost frames, up to the first of those that call a task's
    /// function; `is_caller` says whether that is among the functions at an
    /// address, and whether it is the only one.
    fn trim(&self, is_caller: impl Fn(usize) -> Option<bool>) {
        let count = self.count.load(Ordering::Relaxed);
        for n in (count.saturating_sub(CALLERS)..count).rev() {
            if let Some(alone) = is_caller(self.at(n).load(Ordering::Relaxed)) {
                // The first frame is the interrupted one, whatever it is.
                let own = if alone { n.max(1) } else { n + 1 };
                return self.count.store(own, Ordering::Relaxed);
            }
        }
    }

    /// The frames that are not shown.
    fn elided(&self) -> Range<usize> {
        SHOWN..self.count.load(Ordering::Relaxed).saturating_sub(SHOWN).max(SHOWN)
    }

    /// Calls `f` for every frame that is known and not written yet, and for
    /// what is missing.
    fn rest(&self, mut f: impl FnMut(Entry)) {
        let elided = self.elided();
        let mut n = self.next.load(Ordering::Relaxed);
        while n < self.count.load(Ordering::Relaxed) {
            if elided.contains(&n) {
                f(Entry::Elided(elided.len()));
                n = elided.end;
            } else {
                f(Entry::Frame(n, self.at(n).load(Ordering::Relaxed)));
                n += 1;
            }
            self.next.store(n, Ordering::Relaxed);
        }
        if self.torn.load(Ordering::Relaxed) {
            f(Entry::Torn);
        }
    }
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Entry {
    /// A frame's number and address.
    Frame(usize, usize),
    /// So many are not shown.
    Elided(usize),
    /// There are more, which could not be found.
    Torn,
}

/// What takes the place of frames.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Entry::Frame(..) => Ok(()),
            Entry::Elided(count) => writeln!(f, "      ... {count} frames elided ..."),
            Entry::Torn => writeln!(f, "      ... its caller cannot be found ..."),
        }
    }
}

/// Notes the frame that was interrupted at `pc`.
pub(super) fn note(pc: usize) {
    FRAMES.push(pc);
}

/// Finds the callers of the frame that was interrupted at `pc`, up to the one at
/// the `top` of the task's own stack. Called in the handler that interrupted it.
pub(super) fn walk(pc: usize, top: Option<usize>) {
    FRAMES.walk(pc, top);
}

/// Writes the frames with their names.
pub(super) fn name() {
    FRAMES.name(|text| last_words::write(text.as_bytes()));
}

impl Frames {
    fn walk(&self, pc: usize, top: Option<usize>) {
        let mut interrupted = false;
        let mut reached = 0;
        // SAFETY: the lock that this does without, and that the interrupted code may
        // hold, is for other systems: here the walk is `_Unwind_Backtrace`, which
        // threads may call at the same time.
        unsafe {
            backtrace::trace_unsynchronized(|frame| {
                let ip = frame.ip().addr();
                if interrupted && ip != 0 {
                    self.push(ip - 1);
                }
                interrupted |= ip == pc;
                reached = frame.sp().addr();
                true
            });
        }
        // The first frame has no more than its return address there.
        let all = top.is_none_or(|top| (top - 64..=top).contains(&reached));
        self.torn.store(!interrupted || !all, Ordering::Relaxed);
    }

    /// Trims them and calls `write` with each that is not written yet.
    fn name(&self, mut write: impl FnMut(&str)) {
        let folder = env::current_dir().ok();
        self.trim(|address| {
            let functions = functions(address, None);
            let mark = functions.iter().position(Function::is_mark)?;
            Some(mark == 0)
        });
        self.rest(|entry| {
            let mut text = String::new();
            let _ = match entry {
                Entry::Frame(n, address) => {
                    let functions = functions(address, folder.as_deref());
                    let own = functions.iter().take_while(|function| !function.is_mark());
                    write_named(&mut text, n, address, own)
                }
                other => write!(text, "{other}"),
            };
            write(&text);
        });
    }
}

/// The functions that have this instruction: several, if some were inlined,
/// the innermost first; none, if the program has no symbols.
fn functions(address: usize, folder: Option<&Path>) -> Vec<Function> {
    let mut functions = Vec::new();
    // The crate looks for the instruction before the one that it is given.
    backtrace::resolve((address + 1) as *mut _, |symbol| {
        let Some(name) = symbol.name() else { return };
        let at = symbol.filename().zip(symbol.lineno()).map(|(file, line)| {
            let column = symbol.colno().filter(|&column| column != 0);
            let column = column.map_or(String::new(), |column| format!(":{column}"));
            match folder.and_then(|folder| file.strip_prefix(folder).ok()) {
                Some(file) => format!("./{}:{line}{column}", file.display()),
                None => format!("{}:{line}{column}", file.display()),
            }
        });
        functions.push(Function { name: names::of_symbol(name.as_bytes()), at });
    });
    functions
}

struct Function {
    /// Without the compiler's hash.
    name: String,
    /// File, line and column, if they are known.
    at: Option<String>,
}

impl Function {
    fn is_mark(&self) -> bool {
        self.name.contains(MARK)
    }
}

fn write_named<'a>(
    out: &mut String,
    n: usize,
    address: usize,
    functions: impl Iterator<Item = &'a Function>,
) -> fmt::Result {
    let mut number = Some(n);
    for function in functions {
        match number.take() {
            Some(n) => writeln!(out, "{n:4}: {}", function.name)?,
            None => writeln!(out, "      {}", function.name)?,
        }
        if let Some(at) = &function.at {
            writeln!(out, "             at {at}")?;
        }
    }
    match number {
        Some(n) => writeln!(out, "{n:4}: <unknown> at {address:#x}"),
        None => Ok(()),
    }
}

/// Writes the frames that are not written yet without names, and says why (H1).
pub(super) fn bare(why: Why) {
    let mut text = Text::new();
    let program = Program::new();
    // `Text` never fails.
    FRAMES.rest(|entry| {
        let _ = match entry {
            Entry::Frame(n, address) => {
                match program.as_ref().and_then(|program| program.in_file(address)) {
                    Some(at) => writeln!(text, "{n:4}: {address:#x} (program + {at:#x})"),
                    None => writeln!(text, "{n:4}: {address:#x}"),
                }
            }
            other => write!(text, "{other}"),
        };
    });
    let _ = write!(text, "  without names, because ");
    let _ = match why {
        Why::Trouble(Trouble::Stuck) => write!(
            text,
            "looking them up did not end: the interrupted code may hold a lock that it \
             takes, the allocator's perhaps"
        ),
        Why::Trouble(Trouble::Signal(signal)) => {
            write!(text, "looking them up was ended by signal {signal}")
        }
        Why::NoTimer => write!(text, "the system refuses a timer to watch over looking them up"),
        Why::NoRoom => write!(text, "the signal stack of this thread is too small to look them up"),
    };
    let path = Program::path().unwrap_or("PROGRAM");
    let _ = writeln!(text, ";\n  addr2line -Cfie {path} 0x… says what program + 0x… is");
    text.flush();
}

/// Why there are no names.
#[derive(Clone, Copy)]
pub(super) enum Why {
    Trouble(Trouble),
    NoTimer,
    NoRoom,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rest(frames: &Frames) -> Vec<Entry> {
        let mut rest = Vec::new();
        frames.rest(|entry| rest.push(entry));
        rest
    }

    fn of(count: usize) -> Frames {
        let frames = Frames::new();
        frames.torn.store(false, Ordering::Relaxed);
        (0..count).for_each(|n| frames.push(1000 + n));
        frames
    }

    #[test]
    fn both_ends_are_shown_and_what_is_between_is_counted() {
        let frame = |n| Entry::Frame(n, 1000 + n);
        for count in [0, 1, 49, 50, 51, 99, 100] {
            let all: Vec<_> = (0..count).map(frame).collect();
            assert_eq!(rest(&of(count)), all, "{count}");
        }
        for count in [101, 150, 151, 12_345] {
            let inner = (0..50).map(frame);
            let outer = (count - 50..count).map(frame);
            let shown: Vec<_> = inner.chain([Entry::Elided(count - 100)]).chain(outer).collect();
            assert_eq!(rest(&of(count)), shown, "{count}");
        }
    }

    #[test]
    fn what_was_shown_is_not_shown_again() {
        let frames = of(3);
        assert_eq!(rest(&frames).len(), 3);
        assert_eq!(rest(&frames), []);
        frames.push(1003);
        frames.torn.store(true, Ordering::Relaxed);
        assert_eq!(rest(&frames), [Entry::Frame(3, 1003), Entry::Torn]);
    }

    #[test]
    fn callers_of_the_tasks_function_are_left_out() {
        let last = |count, mark: usize, alone: bool| {
            let frames = of(count);
            frames.trim(|address| (address == 1000 + mark).then_some(alone));
            let shown = rest(&frames);
            let outer = shown.iter().rev().take_while(|entry| matches!(entry, Entry::Frame(..)));
            assert_eq!(outer.count(), count.min(50));
            shown.last().copied()
        };
        assert_eq!(last(200, 188, true), Some(Entry::Frame(187, 1187)));
        // Inlined into the task's function.
        assert_eq!(last(200, 188, false), Some(Entry::Frame(188, 1188)));
        // Not among the last, or nowhere.
        assert_eq!(last(200, 100, true), Some(Entry::Frame(199, 1199)));
        assert_eq!(last(1, 0, true), Some(Entry::Frame(0, 1000)));
    }
}
