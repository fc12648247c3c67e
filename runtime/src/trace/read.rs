//! Reading a trace file back, for those who show it in another form.
//!
//! It takes what [`start`](super::start()) writes and checks what it needs: that bytes are
//! there and numbers mean something. It is no judge of traces.

use super::file::{HEADER, NO_THREAD, ev};
use std::collections::HashMap;
use std::io;

/// What the file says, in the order of time.
pub(super) struct Read {
    pub(super) events: Vec<Line>,
    pub(super) generations: Vec<Tables>,
}

/// An event.
pub(super) struct Line {
    pub(super) time: u64,
    pub(super) m: u64,
    pub(super) kind: u8,
    pub(super) args: Vec<u64>,
    /// Whose tables its numbers are of.
    pub(super) generation: usize,
}

/// The texts and stacks of a generation.
#[derive(Default)]
pub(super) struct Tables {
    strings: HashMap<u64, String>,
    /// The first frame: function and file, as strings, and line.
    stacks: HashMap<u64, (u64, u64, u64)>,
}

impl Tables {
    pub(super) fn string(&self, id: u64) -> &str {
        self.strings.get(&id).map_or("", String::as_str)
    }

    /// Function and place of a stack.
    pub(super) fn stack(&self, id: u64) -> Option<(&str, String)> {
        let &(function, file, line) = self.stacks.get(&id)?;
        Some((self.string(function), format!("{}:{line}", self.string(file))))
    }
}

/// How many numbers follow an event's time.
pub(super) fn args(kind: u8) -> Option<usize> {
    Some(match kind {
        ev::PROC_STOP | ev::GO_DESTROY | ev::SYSCALL_END_BLOCKED => 0,
        ev::GO_LABEL => 1,
        ev::PROCS_CHANGE
        | ev::PROC_START
        | ev::PROC_STATUS
        | ev::GO_START
        | ev::GO_STOP
        | ev::GO_BLOCK
        | ev::SYSCALL_BEGIN
        | ev::TASK_END => 2,
        ev::GO_CREATE | ev::GO_UNBLOCK | ev::REGION_BEGIN | ev::REGION_END => 3,
        ev::GO_STATUS_STACK | ev::TASK_BEGIN | ev::LOG => 4,
        _ => return None,
    })
}

pub(super) fn read(file: &[u8]) -> io::Result<Read> {
    let mut rest = Bytes(file.strip_prefix(HEADER).ok_or_else(|| bad("it has another header"))?);
    let mut read = Read { events: Vec::new(), generations: vec![Tables::default()] };
    while let Some(kind) = rest.next() {
        match kind {
            ev::END => read.generations.push(Tables::default()),
            ev::BATCH => {
                let [_, m, time, size] = rest.numbers()?;
                read.batch(m, time, Bytes(rest.take(size)?))?;
            }
            other => return Err(bad(&format!("a batch of kind {other}"))),
        }
    }
    read.events.sort_by_key(|event| event.time);
    Ok(read)
}

impl Read {
    fn batch(&mut self, m: u64, mut time: u64, mut data: Bytes<'_>) -> io::Result<()> {
        let generation = self.generations.len() - 1;
        if m == NO_THREAD {
            return self.generations[generation].fill(data);
        }
        while let Some(kind) = data.next() {
            let count = args(kind).ok_or_else(|| bad(&format!("an event of kind {kind}")))?;
            let more = data.number()?;
            time = time.checked_add(more).ok_or_else(|| bad("a time without an end"))?;
            let args = (0..count).map(|_| data.number()).collect::<Result<_, _>>()?;
            self.events.push(Line { time, m, kind, args, generation });
        }
        Ok(())
    }
}

impl Tables {
    fn fill(&mut self, mut data: Bytes<'_>) -> io::Result<()> {
        match data.next() {
            Some(ev::SYNC) => {}
            Some(ev::STRINGS) => {
                while data.next().is_some() {
                    let [id, length] = data.numbers()?;
                    let text = String::from_utf8_lossy(data.take(length)?).into_owned();
                    self.strings.insert(id, text);
                }
            }
            Some(ev::STACKS) => {
                while data.next().is_some() {
                    let [id, frames] = data.numbers()?;
                    for n in 0..frames {
                        let [_, function, file, line] = data.numbers()?;
                        if n == 0 {
                            self.stacks.insert(id, (function, file, line));
                        }
                    }
                }
            }
            other => return Err(bad(&format!("a table of kind {other:?}"))),
        }
        Ok(())
    }
}

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn next(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn number(&mut self) -> io::Result<u64> {
        let mut n = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.next().ok_or_else(|| bad("it ends in the middle"))?;
            n |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Ok(n);
            }
        }
        Err(bad("a number of more than 64 bits"))
    }

    fn numbers<const N: usize>(&mut self) -> io::Result<[u64; N]> {
        let mut numbers = [0; N];
        for n in &mut numbers {
            *n = self.number()?;
        }
        Ok(numbers)
    }

    fn take(&mut self, count: u64) -> io::Result<&'a [u8]> {
        let count = usize::try_from(count).map_err(|_| bad("too long"))?;
        let (taken, rest) =
            self.0.split_at_checked(count).ok_or_else(|| bad("it ends in the middle"))?;
        self.0 = rest;
        Ok(taken)
    }
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("no trace of gopark's: {what}"))
}
