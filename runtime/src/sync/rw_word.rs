//! The state word of a lock for many readers or one writer.
//!
//! Writers exclude each other by a mutex of their own; this word is between the
//! one that has it and the readers. As in Go, a writer that waits keeps new
//! readers out, and when a writer is done, all readers that wait by then go
//! before the next writer: neither side starves the other.
//!
//! ```text
//!   63                                   3        2        1         0
//!  ┌──────────────────────────────────────┬────────┬──────────┬────────┐
//!  │ readers that have the lock           │ QUEUED │ DRAINING │ WRITER │
//!  └──────────────────────────────────────┴────────┴──────────┴────────┘
//! ```
//!
//! | change | who |
//! |---|---|
//! | readers up, without `WRITER` | `read`, at any time |
//! | readers down | `unread`; if it leaves `WRITER + DRAINING` and no reader, it wakes the writer |
//! | `WRITER` on | `write`, by the owner of the writers' mutex, which has the lock if there are no readers |
//! | `DRAINING` on, with readers | `write_or_announce`, with the writer's queue locked; it then parks there |
//! | `DRAINING` off | `drained`, `stop_draining`, with that queue locked |
//! | `QUEUED` on, with `WRITER` | `read_or_announce`, with the readers' queue locked; it then queues and parks |
//! | `WRITER` off, without `QUEUED` | `unwrite` |
//! | `WRITER` and `QUEUED` off, readers up by those who are queued | `admit`, with the readers' queue locked, which ends the readers' round |
//!
//! A reader that was admitted has the lock from that moment on, whether it knows
//! or not: one that timed out or is reaped meanwhile finds its round over, and
//! keeps the lock or gives it back.

use crate::sys::atomic::{AtomicU64, Ordering};

const WRITER: u64 = 1;
const DRAINING: u64 = 1 << 1;
const QUEUED: u64 = 1 << 2;
const READER: u64 = 1 << 3;

pub(crate) struct RwWord(AtomicU64);

impl RwWord {
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Takes a reader's lock unless there is a writer, which may still wait.
    #[inline]
    #[must_use]
    pub(crate) fn read(&self) -> bool {
        let mut state = self.0.load(Ordering::Relaxed);
        while state & WRITER == 0 {
            // ORDERING: Acquire; pairs with the Release in unwrite() and admit():
            // what the writers did to the value is visible.
            match self.0.compare_exchange_weak(
                state,
                state + READER,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => state = now,
            }
        }
        false
    }

    /// Takes a reader's lock, or makes the writer look into the readers' queue,
    /// which is locked.
    #[must_use]
    pub(crate) fn read_or_announce(&self) -> bool {
        let mut state = self.0.load(Ordering::Relaxed);
        loop {
            let reads = state & WRITER == 0;
            let new = if reads { state + READER } else { state | QUEUED };
            // ORDERING: Acquire, as in read().
            match self.0.compare_exchange_weak(state, new, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return reads,
                Err(now) => state = now,
            }
        }
    }

    /// By a reader that was admitted: what the writers did is visible.
    pub(crate) fn admitted(&self) {
        // ORDERING: Acquire; pairs with the Release in admit().
        let state = self.0.load(Ordering::Acquire);
        debug_assert!(state >= READER, "admitted, but not counted");
    }

    /// Gives a reader's lock back. `true`: the writer waits for nobody else.
    #[inline]
    #[must_use]
    pub(crate) fn unread(&self) -> bool {
        // ORDERING: Release; pairs with the Acquire in write(),
        // write_or_announce() and stop_draining(): reading is over before the
        // writer writes.
        let state = self.0.fetch_sub(READER, Ordering::Release);
        debug_assert!(state >= READER, "unlock of a lock that nobody reads");
        (READER..2 * READER).contains(&state) && state & DRAINING != 0
    }

    /// By the owner of the writers' mutex: keeps new readers out. `true`: there
    /// are no others, so it has the lock.
    #[inline]
    #[must_use]
    pub(crate) fn write(&self) -> bool {
        // ORDERING: Acquire; pairs with the Release in unread(). What former
        // writers did comes with their mutex.
        let state = self.0.fetch_or(WRITER, Ordering::Acquire);
        debug_assert!(state & WRITER == 0, "two writers");
        state < READER
    }

    /// By the owner of the writers' mutex: takes the lock if nobody reads.
    #[cfg(not(loom))]
    #[inline]
    #[must_use]
    pub(crate) fn try_write(&self) -> bool {
        // ORDERING: Acquire, as in write().
        self.0.compare_exchange(0, WRITER, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// After [`write`](Self::write): whether the readers are gone; else makes the
    /// last one look into the writer's queue, which is locked.
    #[must_use]
    pub(crate) fn write_or_announce(&self) -> bool {
        let mut state = self.0.load(Ordering::Relaxed);
        loop {
            let writes = state < READER;
            let new = if writes { state & !DRAINING } else { state | DRAINING };
            // ORDERING: Acquire, as in write().
            match self.0.compare_exchange_weak(state, new, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return writes,
                Err(now) => state = now,
            }
        }
    }

    /// By the last reader: whether the writer that waits may be woken. Its queue
    /// is locked. `false`: it has given up, or somebody else was here.
    #[must_use]
    pub(crate) fn drained(&self) -> bool {
        let state = self.0.load(Ordering::Relaxed);
        if state >= READER || state & DRAINING == 0 {
            return false;
        }
        self.0.fetch_and(!DRAINING, Ordering::Relaxed);
        true
    }

    /// By a writer that gives up, with its queue locked. `true`: it has the lock
    /// all the same, since the readers are gone.
    #[must_use]
    pub(crate) fn stop_draining(&self) -> bool {
        // ORDERING: Acquire, as in write().
        self.0.fetch_and(!DRAINING, Ordering::Acquire) < READER
    }

    /// The writer lets go. `false`: readers wait, or have the lock; it must
    /// [`admit`](Self::admit).
    #[inline]
    #[must_use]
    pub(crate) fn unwrite(&self) -> bool {
        // ORDERING: Release; pairs with the Acquire in read().
        self.0.compare_exchange(WRITER, 0, Ordering::Release, Ordering::Relaxed).is_ok()
    }

    /// The writer lets go, and so many readers have the lock from here on: those
    /// in the queue, which is locked, and the writer itself if it goes on reading.
    pub(crate) fn admit(&self, readers: u32) {
        let mut state = self.0.load(Ordering::Relaxed);
        loop {
            let new = (state & !(WRITER | QUEUED)) + u64::from(readers) * READER;
            // ORDERING: Release; pairs with the Acquire in read() and admitted().
            match self.0.compare_exchange_weak(state, new, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => state = now,
            }
        }
    }

    #[cfg(not(loom))]
    pub(crate) fn is_written(&self) -> bool {
        let state = self.0.load(Ordering::Relaxed);
        state & WRITER != 0 && state < READER
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}
