//! What stands where in the state word, and what one reading of it says.
//!
//! ```text
//!   63            32 31     19   18        17 16    12       0
//!  ┌────────────────┬─────────┬─────────┬───────┬──────┬────────┐
//!  │ ticket         │ case    │ settled │ cause │ scan │ status │
//!  └────────────────┴─────────┴─────────┴───────┴──────┴────────┘
//! ```
//!
//! *Status* has Go's numbers. *Ticket* counts parks and deaths, so that equal
//! words mean one uninterrupted state: nothing happened between two readings.
//! *Cause* says who ended the last park, and *case*, if it was a partner of a
//! `select`, through which of its cases. By the time that the task yields it has asked
//! for it; from then on to the next park *case* counts yields, for the same end as the
//! ticket, modulo 8192. *Settled* means that its stack needs no more trimming in this
//! park. *Scan* means that an observer holds the parked task: it may be made runnable,
//! but it may not start; or the suspended one, which waits for him before it goes on.

use super::status::Status;

pub(super) const STATUS: u64 = 0x0FFF;
pub(super) const SCAN: u64 = 0x1000;
pub(super) const CAUSE_SHIFT: u32 = 16;
/// The cause and whatever else ends with the state.
pub(super) const CAUSE: u64 = 0xFFFF << CAUSE_SHIFT;
pub(super) const SETTLED: u64 = 4 << CAUSE_SHIFT;
pub(super) const CASE_SHIFT: u32 = 19;
pub(super) const CASE_ONE: u64 = 1 << CASE_SHIFT;
pub(super) const CASE: u64 = (CASES as u64 - 1) << CASE_SHIFT;
/// How many cases a select can have: what the word has room for.
pub(crate) const CASES: usize = 1 << (TICKET_SHIFT - CASE_SHIFT);
pub(super) const TICKET_SHIFT: u32 = 32;
pub(super) const TICKET_ONE: u64 = 1 << TICKET_SHIFT;

/// Who ended a park.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Cause {
    /// A partner: the operation is done.
    Ready = 0,
    /// The timer of a timed park.
    Timer = 1,
    /// The reaper.
    Reaper = 2,
}

/// One reading of the word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Reading(pub(super) u64);

impl Reading {
    pub(crate) fn status(self) -> Status {
        Status::from_bits(self.0)
    }

    pub(crate) fn held(self) -> bool {
        self.0 & SCAN != 0
    }

    #[inline]
    pub(crate) fn cause(self) -> Cause {
        match (self.0 >> CAUSE_SHIFT) & 3 {
            0 => Cause::Ready,
            1 => Cause::Timer,
            _ => Cause::Reaper,
        }
    }

    /// Which case of a select the partner served; 0 for any other park.
    #[inline]
    pub(crate) fn case(self) -> u16 {
        (self.low() >> CASE_SHIFT) as u16
    }

    /// Waiting, whatever observers do with it or think of it.
    #[inline]
    pub(crate) fn parked(self) -> bool {
        is_parked(self.0)
    }

    /// Ready or running: in a state from which it may go into another and come back while
    /// somebody looks.
    pub(crate) fn runs(self) -> bool {
        matches!(self.status(), Status::Runnable | Status::Running)
    }

    /// The same task, running, unless it has ended.
    #[cfg(not(loom))]
    pub(crate) fn under_way(self) -> Reading {
        match self.status() {
            Status::Idle | Status::Dead | Status::Runnable => self,
            _ => Reading(with_status(self.0, Status::Running)),
        }
    }

    /// Nothing is left to trim in this park.
    #[cfg(not(loom))]
    pub(crate) fn settled(self) -> bool {
        self.0 & SETTLED != 0
    }

    /// Parks and deaths so far.
    #[inline]
    pub(crate) fn ticket(self) -> u32 {
        (self.0 >> TICKET_SHIFT) as u32
    }

    /// Equal for two readings of one uninterrupted state, held or not, and
    /// whether its stack is trimmed meanwhile or was.
    pub(crate) fn stamp(self) -> u64 {
        let stamp = self.0 & !(SCAN | SETTLED);
        if stamp & STATUS == Status::CopyStack as u64 {
            return with_status(stamp, Status::Waiting);
        }
        stamp
    }

    /// The half of the word that a futex waits on.
    #[inline]
    pub(crate) fn low(self) -> u32 {
        self.0 as u32
    }
}

#[inline]
pub(super) fn is_parked(word: u64) -> bool {
    matches!(word & STATUS, 4 | 8 | 10)
}

#[inline]
pub(super) const fn with_status(word: u64, status: Status) -> u64 {
    word & !STATUS | status as u64
}
