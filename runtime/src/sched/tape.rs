//! What a thread writes down for the execution trace: a ring of words that the thread
//! fills and the collector (`trace/`) empties.
//!
//! A tape is made before it is written to, and never freed, so whoever writes to one
//! may be in a section (N1). It does not wait either: what finds no room is counted
//! and lost.
//!
//! ```text
//!   word 0            word 1 …                  texts, each
//!  ┌──────────┬──────┬────────────────────────┬────────┬──────────────┐
//!  │ ticks 59 │ kind │ numbers, by kind       │ length │ bytes, padded │
//!  └──────────┴──────┴────────────────────────┴────────┴──────────────┘
//! ```
//!
//! - **E1** One thread at a time writes to a tape: the worker that it belongs to, in a
//!   section, which no signal interrupts with another writing; or who holds the lock of
//!   the tape that threads share. One thread at a time reads: who holds the collector's
//!   lock.
//! - **E2** `turn` is odd while somebody writes. The writer makes it odd, **(v1)**
//!   [`barrier::light`], then asks whether it is to write at all and what time it is.
//!   The collector reads the time or says that all is over, **(v2)**
//!   [`barrier::heavy`], and waits until each turn has been even or another. So
//!   afterwards every entry of an earlier time is on its tape, and after the end
//!   nothing is written.
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
/// Bits of the kind.
const KIND: u32 = 5;

/// The writer's words in one cache line, the reader's in another.
#[repr(align(128))]
struct Line<T>(T);

/// What entries are written to.
pub(crate) type Words = [AtomicU64; SIZE as usize];

pub(crate) struct Tape {
    words: Box<Words>,
    /// Odd while somebody writes (E2).
    turn: Line<AtomicU64>,
    /// Words ever written.
    head: AtomicU64,
    lost: AtomicU64,
    /// Words ever read.
    tail: Line<AtomicU64>,
}

impl Tape {
    pub(crate) fn new(words: Box<Words>) -> Tape {
        Tape {
            words,
            turn: Line(AtomicU64::new(0)),
            head: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            tail: Line(AtomicU64::new(0)),
        }
    }

    /// Writes an entry (E1), unless `clock` says that none is wanted any more. Whether
    /// the collector should come soon.
    #[inline]
    pub(crate) fn put(
        &self,
        clock: impl FnOnce() -> Option<u64>,
        kind: u8,
        words: &[u64],
        texts: &[&str],
    ) -> bool {
        let turn = self.turn.0.load(Ordering::Relaxed);
        // ORDERING: Release; pairs with the Acquire in settle(): who sees this turn and
        // not the end of the one before finds what that has written.
        self.turn.0.store(turn + 1, Ordering::Release);
        // v1
        barrier::light();
        let fills = clock().is_some_and(|ticks| self.write(ticks, kind, words, texts));
        // ORDERING: Release; pairs with the Acquire in settle(): what was written is
        // on the tape.
        self.turn.0.store(turn + 2, Ordering::Release);
        fills
    }

    #[inline]
    fn write(&self, ticks: u64, kind: u8, words: &[u64], texts: &[&str]) -> bool {
        let length = |text: &&str| 1 + text.len().div_ceil(8) as u64;
        let count = 1 + words.len() as u64 + texts.iter().map(length).sum::<u64>();
        let head = self.head.load(Ordering::Relaxed);
        // ORDERING: Acquire; pairs with the Release in give_back(): those words are
        // free.
        if head + count - self.tail.0.load(Ordering::Acquire) > SIZE {
            self.lost.store(self.lost.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
            return false;
        }
        let mut at = head;
        let mut push = |word| {
            self.words[(at % SIZE) as usize].store(word, Ordering::Relaxed);
            at += 1;
        };
        push(ticks << KIND | u64::from(kind));
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
        self.head.store(at, Ordering::Release);
        head / ENOUGH != at / ENOUGH
    }

    /// Waits for who has begun to write before v2; `wait` lets him go on.
    pub(crate) fn settle(&self, wait: impl Fn()) {
        // ORDERING: Acquire; pairs with the Release in put().
        let turn = self.turn.0.load(Ordering::Acquire);
        // ORDERING: Acquire; as above.
        while turn % 2 == 1 && self.turn.0.load(Ordering::Acquire) == turn {
            wait();
        }
    }

    /// Begins to read what is on it at present (E1).
    pub(crate) fn reader(&self) -> Reader<'_> {
        // ORDERING: Acquire; pairs with the Release in write().
        let head = self.head.load(Ordering::Acquire);
        let at = self.tail.0.load(Ordering::Relaxed);
        Reader { tape: self, at, head, given_back: at }
    }

    /// Forgets all that is on it; nobody writes.
    pub(crate) fn rewind(&self) {
        let head = self.head.load(Ordering::Relaxed);
        // ORDERING: Release; as in give_back().
        self.tail.0.store(head, Ordering::Release);
        self.take_lost();
    }

    /// How many entries found no room, since the last time.
    pub(crate) fn take_lost(&self) -> u64 {
        // Between the writer's load and store it is counted once more, at worst.
        self.lost.swap(0, Ordering::Relaxed)
    }
}

/// What is on a tape; what was read is given back when it is dropped, at the latest.
pub(crate) struct Reader<'a> {
    tape: &'a Tape,
    /// The next word.
    at: u64,
    head: u64,
    given_back: u64,
}

/// The writer gets back so many words at once.
const PART: u64 = ENOUGH / 2;

impl Reader<'_> {
    fn peek(&self) -> u64 {
        self.tape.words[(self.at % SIZE) as usize].load(Ordering::Relaxed)
    }

    /// The time of the next entry; `None` behind the last.
    #[inline]
    pub(crate) fn ticks(&self) -> Option<u64> {
        debug_assert!(self.at <= self.head, "entries end where they end");
        (self.at < self.head).then(|| self.peek() >> KIND)
    }

    /// Begins to read the next entry: its kind. Then come its [words](Reader::word) and
    /// [texts](Reader::text), as many as the kind has.
    #[inline]
    pub(crate) fn kind(&mut self) -> u8 {
        if self.at - self.given_back >= PART {
            self.give_back();
        }
        (self.word() & ((1 << KIND) - 1)) as u8
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
        self.tape.tail.0.store(self.at, Ordering::Release);
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
        let tape = blank();
        let mut seen = 0;
        for n in 0..20_000 {
            let text = &"a text of some length, ÄÖÜ"[..n % 22];
            tape.write(n as u64, 3, &[n as u64, u64::MAX], &[text, ""]);
            if n % 700 == 0 {
                let mut reader = tape.reader();
                while reader.ticks() == Some(seen) {
                    assert_eq!((reader.kind(), reader.word(), reader.word()), (3, seen, u64::MAX));
                    assert_eq!(reader.text().len(), seen as usize % 22);
                    assert_eq!(reader.text(), "");
                    seen += 1;
                }
                assert_eq!(reader.ticks(), None);
            }
        }
        assert!(seen > 19_000);
        assert_eq!(tape.take_lost(), 0);
    }

    #[test]
    fn a_full_tape_counts_what_it_loses() {
        let tape = blank();
        (0..SIZE).for_each(|n| {
            tape.write(0, 1, &[n], &[]);
        });
        let (mut seen, mut reader) = (0, tape.reader());
        while reader.ticks().is_some() {
            assert_eq!((reader.kind(), reader.word()), (1, seen));
            seen += 1;
        }
        assert_eq!((seen, tape.take_lost()), (SIZE / 2, SIZE / 2));
        drop(reader);
        tape.write(0, 1, &[7], &[]);
        let mut reader = tape.reader();
        assert_eq!((reader.kind(), reader.word(), reader.ticks()), (1, 7, None));
    }
}
