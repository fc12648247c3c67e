//! Values that are numbered, and what became of each.

use crate::fail;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

/// The send said that it had succeeded.
const SENT: u8 = 1;
/// The send gave it back.
const BACK: u8 = 1 << 1;
/// Somebody received it.
const GOT: u8 = 1 << 2;
/// It was dropped.
const GONE: u8 = 1 << 3;
/// Whoever sends it may end inside of the send.
const UNSURE: u8 = 1 << 4;

/// Values of one round.
const ROOM: usize = 1 << 16;

pub(crate) struct Ledger {
    next: AtomicU32,
    marks: Vec<AtomicU8>,
}

/// A value that is sent.
pub(crate) struct Token {
    pub(crate) id: u32,
    pub(crate) maker: u32,
    ledger: Arc<Ledger>,
}

impl Ledger {
    pub(crate) fn new() -> Arc<Ledger> {
        let marks = (0..ROOM).map(|_| AtomicU8::new(0)).collect();
        Arc::new(Ledger { next: AtomicU32::new(0), marks })
    }

    pub(crate) fn token(self: &Arc<Ledger>, maker: u32, unsure: bool) -> Token {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        if id as usize >= ROOM {
            fail("more values in a round than there is room for");
        }
        if unsure {
            self.mark(id, UNSURE, 0);
        }
        Token { id, maker, ledger: self.clone() }
    }

    /// A send of it has returned well.
    pub(crate) fn sent(&self, id: u32) {
        self.mark(id, SENT, SENT | BACK);
    }

    fn mark(&self, id: u32, mark: u8, not_after: u8) {
        let before = self.marks[id as usize].fetch_or(mark, Ordering::Relaxed);
        if before & not_after != 0 {
            fail(&format!("value {id} has marks {before:#b} and gets {mark:#b}"));
        }
    }

    /// Whether it is exactly one of: received, given back, dropped with a task that
    /// ended in the send. How many were received.
    pub(crate) fn settle(&self) -> u64 {
        let made = self.next.load(Ordering::Relaxed);
        let mut received = 0;
        for (id, mark) in self.marks[..made as usize].iter().enumerate() {
            let mark = mark.load(Ordering::Relaxed);
            let is = |bit| mark & bit != 0;
            let what = match () {
                () if !is(GONE) => "is still somewhere",
                () if is(SENT) && !is(GOT) => "was sent and got lost",
                () if is(BACK) && is(GOT) => "was given back and received",
                () if !is(SENT | BACK | UNSURE) => "has no outcome",
                () => {
                    received += u64::from(is(GOT));
                    continue;
                }
            };
            fail(&format!("value {id} {what} ({mark:#b})"));
        }
        received
    }
}

impl Token {
    /// A send has given it back.
    pub(crate) fn back(self) {
        self.ledger.mark(self.id, BACK, SENT | BACK | GOT);
    }

    /// Somebody has received it.
    pub(crate) fn got(self) {
        self.ledger.mark(self.id, GOT, BACK | GOT);
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.ledger.mark(self.id, GONE, GONE);
    }
}
