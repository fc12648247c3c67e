//! What a thread writes down for the execution trace: a ring of words that the thread
//! fills and the collector (`trace/`) empties.
//!
//! A tape is made before it is written to, and never freed, so whoever writes to one
//! may be in a section (N1). It does not wait either: what finds no room is counted
//! and lost.
//!
//! ```text
//!   word 0                       word 1 …             texts, each
//!  ┌────────┬───────────┬──────┬────────────────────┬────────┬───────────────┐
//!  │ low 32 │ ticks  27 │ kind │ numbers, by kind   │ length │ bytes, padded │
//!  └────────┴───────────┴──────┴────────────────────┴────────┴───────────────┘
//! ```
//!
//! Writing costs by the line of memory, so word 0 has what most entries are: the low
//! bits of the number that each is about, and how long after the entry before. The
//! high bits are those of the entry before. Where one of them is not so, [`BASE`] comes
//! first, with the time and the high bits in full; so does it where a trace begins.
//!
//! - **E1** One thread at a time writes to a tape: the worker that it belongs to, in a
//!   section, which no signal interrupts with another writing; or who holds the lock of
//!   the tape that threads share. One thread at a time reads: who holds the collector's
//!   lock.
//! - **E2** `turn` is odd while somebody writes. The writer makes it odd, **(v1)**
//!   [`barrier::light`], then asks whether it is to write at all and what time it is.
//!   The collector reads the time or says that all is over, **(v2)**
//!   [`barrier::heavy`], and waits until each turn has been even or another. So
//!   afterwards every entry of an earlier time is on its tape, but for what
//!   [repeats](Tape::last) one; and after the end nothing is written.
//!
//! Model: `models/taping.rs`.

use crate::sys::atomic::{AtomicU64, Ordering};
use crate::sys::barrier;

/// Words of a tape: a MiB, of which the system backs what is written to.
#[cfg(not(loom))]
pub(crate) const SIZE: u64 = 1 << 17;
/// Small under loom, so that models reach the edges.
#[cfg(loom)]
pub(crate) const SIZE: u64 = 8;
/// The collector is to be woken when so much of a tape is new.
const ENOUGH: u64 = SIZE / 4;
/// Bits of the kind, and where the low bits of the number begin.
const KIND: u32 = 5;
const LOW: u32 = 32;
const HIGH: u64 = !0 << LOW;
/// Ticks that word 0 has room for: some tens of milliseconds.
const SHORT: u64 = 1 << (LOW - KIND);
/// The kind before an entry that word 0 has no room for: then come the time and the high
/// bits. No caller's own.
const BASE: u8 = 0;

fn kind(first: u64) -> u8 {
    (first & ((1 << KIND) - 1)) as u8
}

fn since(first: u64) -> u64 {
    (first & !HIGH) >> KIND
}

/// The writer's words in one cache line, the reader's in another.
#[repr(align(128))]
struct Line<T>(T);

/// What entries are written to.
pub(crate) type Words = [AtomicU64; SIZE as usize];

pub(crate) struct Tape {
    words: Box<Words>,
    writer: Line<Writing>,
    reader: Line<Reading>,
}

struct Writing {
    /// Odd while somebody writes (E2).
    turn: AtomicU64,
    /// Words ever written.
    head: AtomicU64,
    before: Before,
    lost: AtomicU64,
}

struct Reading {
    /// Words ever read.
    tail: AtomicU64,
    before: Before,
}

/// What an entry leaves out, as the one before has it: at the end that is written to (the
/// writer's), or read (the reader's).
struct Before {
    ticks: AtomicU64,
    high: AtomicU64,
}

impl Before {
    fn new() -> Before {
        Before { ticks: AtomicU64::new(0), high: AtomicU64::new(0) }
    }

    fn get(&self) -> (u64, u64) {
        (self.ticks.load(Ordering::Relaxed), self.high.load(Ordering::Relaxed))
    }

    fn set(&self, (ticks, high): (u64, u64)) {
        self.ticks.store(ticks, Ordering::Relaxed);
        self.high.store(high, Ordering::Relaxed);
    }
}

impl Tape {
    pub(crate) fn new(words: Box<Words>) -> Tape {
        Tape {
            words,
            writer: Line(Writing {
                turn: AtomicU64::new(0),
                head: AtomicU64::new(0),
                before: Before::new(),
                lost: AtomicU64::new(0),
            }),
            reader: Line(Reading { tail: AtomicU64::new(0), before: Before::new() }),
        }
    }

    /// Writes an entry (E1) about a number, unless `clock` says that none is wanted any
    /// more. Whether the collector should come soon.
    #[inline]
    pub(crate) fn put(
        &self,
        clock: impl FnOnce() -> Option<u64>,
        kind: u8,
        about: u64,
        words: &[u64],
        texts: &[&str],
    ) -> bool {
        let turn = self.writer.0.turn.load(Ordering::Relaxed);
        // ORDERING: Release; pairs with the Acquire in settle(): who sees this turn and
        // not the end of the one before finds what that has written.
        self.writer.0.turn.store(turn + 1, Ordering::Release);
        // v1
        barrier::light();
        let fills = clock().is_some_and(|ticks| self.write(ticks, kind, about, words, texts));
        // ORDERING: Release; pairs with the Acquire in settle(): what was written is
        // on the tape.
        self.writer.0.turn.store(turn + 2, Ordering::Release);
        fills
    }

    #[inline]
    fn write(&self, ticks: u64, kind: u8, about: u64, words: &[u64], texts: &[&str]) -> bool {
        let length = |text: &&str| 1 + text.len().div_ceil(8) as u64;
        let (before, high) = self.writer.0.before.get();
        let since = ticks.wrapping_sub(before);
        let fits = since < SHORT && about & HIGH == high;
        let base = if fits { 0 } else { 3 };
        let count = base + 1 + words.len() as u64 + texts.iter().map(length).sum::<u64>();
        let head = self.writer.0.head.load(Ordering::Relaxed);
        // ORDERING: Acquire; pairs with the Release in give_back(): those words are
        // free.
        if head + count - self.reader.0.tail.load(Ordering::Acquire) > SIZE {
            self.writer
                .0
                .lost
                .store(self.writer.0.lost.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
            return false;
        }
        let mut at = head;
        let mut push = |word| {
            self.words[(at % SIZE) as usize].store(word, Ordering::Relaxed);
            at += 1;
        };
        if !fits {
            [BASE.into(), ticks, about & HIGH].into_iter().for_each(&mut push);
        }
        self.writer.0.before.set((ticks, about & HIGH));
        let since = if fits { since } else { 0 };
        push((about << LOW) | (since << KIND) | u64::from(kind));
        words.iter().for_each(|&word| push(word));
        for text in texts {
            push(text.len() as u64);
            for part in text.as_bytes().chunks(8) {
                let mut bytes = [0; 8];
                bytes[..part.len()].copy_from_slice(part);
                push(u64::from_le_bytes(bytes));
            }
        }
        // ORDERING: Release; pairs with the Acquire in reader(): those words are written.
        self.writer.0.head.store(at, Ordering::Release);
        head / ENOUGH != at / ENOUGH
    }

    /// The time of the last entry (E1).
    #[inline]
    #[cfg(not(loom))]
    pub(crate) fn last(&self) -> u64 {
        self.writer.0.before.ticks.load(Ordering::Relaxed)
    }

    /// Waits for who has begun to write before v2; `wait` lets him go on.
    pub(crate) fn settle(&self, wait: impl Fn()) {
        // ORDERING: Acquire; pairs with the Release in put().
        let turn = self.writer.0.turn.load(Ordering::Acquire);
        // ORDERING: Acquire; as above.
        while turn % 2 == 1 && self.writer.0.turn.load(Ordering::Acquire) == turn {
            wait();
        }
    }

    /// Begins to read what is on it at present (E1).
    pub(crate) fn reader(&self) -> Reader<'_> {
        // ORDERING: Acquire; pairs with the Release in write().
        let head = self.writer.0.head.load(Ordering::Acquire);
        let at = self.reader.0.tail.load(Ordering::Relaxed);
        Reader { tape: self, at, head, given_back: at, before: self.reader.0.before.get() }
    }

    /// Forgets all that is on it; nobody writes, nor reads.
    pub(crate) fn rewind(&self) {
        let head = self.writer.0.head.load(Ordering::Relaxed);
        self.reader.0.before.set(self.writer.0.before.get());
        // ORDERING: Release; as in give_back().
        self.reader.0.tail.store(head, Ordering::Release);
        self.take_lost();
    }

    /// How many entries found no room, since the last time.
    pub(crate) fn take_lost(&self) -> u64 {
        // Between the writer's load and store it is counted once more, at worst.
        self.writer.0.lost.swap(0, Ordering::Relaxed)
    }
}

/// What is on a tape; what was read is given back when it is dropped, at the latest.
pub(crate) struct Reader<'a> {
    tape: &'a Tape,
    /// The next word.
    at: u64,
    head: u64,
    given_back: u64,
    /// See [`Before`].
    before: (u64, u64),
}

/// The writer gets back so many words at once.
const PART: u64 = ENOUGH / 2;

impl Reader<'_> {
    fn peek(&self) -> u64 {
        self.tape.words[(self.at % SIZE) as usize].load(Ordering::Relaxed)
    }

    /// The time of the next entry; `None` behind the last.
    #[inline]
    pub(crate) fn ticks(&mut self) -> Option<u64> {
        debug_assert!(self.at <= self.head, "entries end where they end");
        if self.at == self.head {
            return None;
        }
        let mut first = self.peek();
        if kind(first) == BASE {
            self.at += 1;
            self.before = (self.word(), self.word());
            first = self.peek();
        }
        Some(self.before.0 + since(first))
    }

    /// Begins to read the next entry, whose [time](Reader::ticks) is known: its kind, and
    /// what it is about. Then come its [words](Reader::word) and [texts](Reader::text), as
    /// many as the kind has.
    #[inline]
    pub(crate) fn begin(&mut self) -> (u8, u64) {
        if self.at - self.given_back >= PART {
            self.give_back();
        }
        let first = self.word();
        self.before.0 += since(first);
        (kind(first), self.before.1 | (first >> LOW))
    }

    #[inline]
    pub(crate) fn word(&mut self) -> u64 {
        let word = self.peek();
        self.at += 1;
        word
    }

    fn give_back(&mut self) {
        self.given_back = self.at;
        // ORDERING: Release; pairs with the Acquire in write().
        self.tape.reader.0.tail.store(self.at, Ordering::Release);
    }

    pub(crate) fn text(&mut self) -> String {
        let length = self.word() as usize;
        let mut bytes = Vec::with_capacity(length.next_multiple_of(8));
        while bytes.len() < length {
            bytes.extend(self.word().to_le_bytes());
        }
        bytes.truncate(length);
        String::from_utf8(bytes).expect("a text went in")
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        self.tape.reader.0.before.set(self.before);
        self.give_back();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn blank() -> Tape {
        let words: Box<[_]> = (0..SIZE).map(|_| AtomicU64::new(0)).collect();
        Tape::new(words.try_into().expect("so many"))
    }

    #[test]
    fn entries_come_out_as_they_went_in() {
        // Near to each other and far, and back; of few numbers and of many.
        let entry = |n: u64| {
            let time = n * 100 + [0, SHORT << 4, 3][n as usize / 5000 % 3];
            (time, (n % 700) | [0, 1 << 40, u64::MAX << 48][n as usize / 300 % 3])
        };
        let tape = blank();
        let mut seen = 0;
        for n in 0..20_000 {
            let (time, about) = entry(n);
            let text = &"a text of some length, ÄÖÜ"[..n as usize % 22];
            tape.write(time, 3, about, &[n, u64::MAX], &[text, ""]);
            if n % 700 == 0 {
                let mut reader = tape.reader();
                while let Some(ticks) = reader.ticks() {
                    let (time, about) = entry(seen);
                    assert_eq!((ticks, reader.ticks()), (time, Some(time)));
                    assert_eq!(reader.begin(), (3, about));
                    assert_eq!((reader.word(), reader.word()), (seen, u64::MAX));
                    assert_eq!(reader.text().len(), seen as usize % 22);
                    assert_eq!(reader.text(), "");
                    seen += 1;
                }
            }
        }
        assert!(seen > 19_000);
        assert_eq!(tape.take_lost(), 0);
    }

    #[test]
    fn a_full_tape_counts_what_it_loses() {
        const ABOUT: u64 = (1 << 40) | 7;
        let tape = blank();
        let entry = || tape.write(9, 1, ABOUT, &[5], &[]);
        (0..SIZE).for_each(|_| {
            entry();
        });
        // The first has three words more than the others.
        let fit = (SIZE - 3) / 2;
        let (mut seen, mut reader) = (0, tape.reader());
        while reader.ticks().is_some() {
            assert_eq!((reader.begin(), reader.word()), ((1, ABOUT), 5));
            seen += 1;
        }
        assert_eq!((seen, tape.take_lost()), (fit, SIZE - fit));
        drop(reader);
        entry();
        let mut reader = tape.reader();
        assert_eq!((reader.ticks(), reader.begin(), reader.word()), (Some(9), (1, ABOUT), 5));
        assert_eq!(reader.ticks(), None);
    }

    #[test]
    fn after_it_was_rewound_it_goes_on() {
        let tape = blank();
        tape.write(SHORT * 3, 1, 1 << 50, &[], &[]);
        tape.rewind();
        tape.write(SHORT * 3 + 4, 2, (1 << 50) | 6, &[], &[]);
        let mut reader = tape.reader();
        assert_eq!((reader.ticks(), reader.begin()), (Some(SHORT * 3 + 4), (2, (1 << 50) | 6)));
        assert_eq!(reader.ticks(), None);
    }
}
