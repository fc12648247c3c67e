//! The state word: where a task is in its life, in one atomic.
//!
//! What stands in which of its bits, `state/reading.rs` says; what the states are called,
//! `state/status.rs`. A task is *held* while its scan bit is set.
//!
//! A task that is runnable and not held is in a queue, or its worker is in the
//! FIFO with it, and only the worker that takes it from there changes its word;
//! observers hold parked and suspended tasks only. So the way of a task from ready to
//! running to parked is plain stores, and the one atomic read-modify-write of its cycle
//! is the claim.
//!
//! Every change goes through one method here:
//!
//! | method | transition | who |
//! |---|---|---|
//! | `birth` | idle, dead => runnable | the spawner, who owns the record |
//! | `adopt` | idle, dead => running | an OS thread, which owns the record |
//! | `start` | runnable => running | the worker that took it from a queue |
//! | `requeue` | running, syscall => runnable | the worker, for the task that yields |
//! | `begin_call`, `end_call` | running => syscall => running | the task, in a blocking call |
//! | `queue_after_call` | syscall => runnable | the task, before it waits for a processor |
//! | `suspend`, `resume` | running, syscall => preempted => running | the signal handler, on the task's thread |
//! | `wait`, `wait_held` | running, syscall => waiting [+ scan] | the worker, after the switch |
//! | `claim`, `claim_case` | waiting, copystack, leaked => runnable | whoever ends the park; one wins |
//! | `condemn` | waiting => leaked | the verifier |
//! | `finish` | running => dead | the worker, after the last switch |
//! | `begin_trim` | waiting => copystack + scan | sysmon |
//! | `end_trim` | copystack + scan => waiting, runnable + scan => runnable | sysmon |
//! | `settle` | + settled on waiting | sysmon |
//! | `hold` | + scan on waiting, leaked, preempted | who reads its frames |
//! | `release` | − scan | the worker after `wait_held`; `end_trim` after a claim; after `hold` |
//!
//! A transition from any other state is a bug of the runtime and aborts with
//! both states named.
//!
//! Rules, modelled with loom in `models.rs`:
//! - **T1** While a task is running or in a call, or runnable and not held, only
//!   one thread changes the word: its worker, or whoever took it from a queue.
//!   So those transitions are plain stores; but `resume`, which waits for who holds
//!   the suspended task.
//! - **T2** For one park exactly one `claim` succeeds.
//! - **T3** A claim never waits for an observer. If the scan bit is set it
//!   returns [`Claim::Held`], and the `release` that clears the bit returns
//!   [`Release::Enqueue`]: exactly one of the two enqueues the task.

#![cfg_attr(loom, allow(dead_code, unreachable_pub, reason = "the models use a part of it"))]

#[path = "state/reading.rs"]
mod reading;
#[path = "state/status.rs"]
mod status;
#[cfg(all(test, not(loom)))]
#[path = "state/tests.rs"]
mod tests;

pub(crate) use reading::{CASES, Cause, Reading};
pub use status::Status;

use crate::sys::atomic::{AtomicU64, Ordering};
#[cfg(not(loom))]
use reading::SETTLED;
use reading::{
    CASE, CASE_ONE, CASE_SHIFT, CAUSE, CAUSE_SHIFT, SCAN, STATUS, TICKET_ONE, is_parked,
    with_status,
};

/// The states of a task whose code runs.
const UNDER_WAY: &[Status] = &[Status::Running, Status::Syscall];

/// What `claim` achieved.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// The park is over, and the caller enqueues the task.
    Won,
    /// The park is over, and the observer that holds the task enqueues it (T3).
    Held,
    /// Somebody else ended the park, or it was another park.
    Lost,
}

/// What `release` found.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Release {
    /// Nothing happened meanwhile.
    Nothing,
    /// The task was claimed while it was held: the caller enqueues it (T3).
    Enqueue,
}

pub(crate) struct StateWord(AtomicU64);

impl StateWord {
    pub(crate) fn new() -> Self {
        StateWord(AtomicU64::new(Status::Idle as u64))
    }

    /// Reads the word.
    #[inline]
    pub(crate) fn read(&self) -> Reading {
        // ORDERING: Acquire; pairs with the Release of every transition, so that
        // what the writer stored before is visible to an observer.
        Reading(self.0.load(Ordering::Acquire))
    }

    /// idle, dead => runnable. The caller owns the record.
    #[inline]
    pub(crate) fn birth(&self) {
        let old = self.0.load(Ordering::Relaxed);
        check(old, &[Status::Idle, Status::Dead], Status::Runnable);
        // ORDERING: Release; pairs with the Acquire in read() and start().
        // Publishes the fields of the new task.
        self.0.store((old & !(STATUS | CAUSE)) | Status::Runnable as u64, Ordering::Release);
    }

    /// idle, dead => running, for an OS thread that is adopted.
    pub(crate) fn adopt(&self) {
        let old = self.0.load(Ordering::Relaxed);
        check(old, &[Status::Idle, Status::Dead], Status::Running);
        // ORDERING: Release; pairs with the Acquire in read(). Publishes the fields.
        self.0.store((old & !(STATUS | CAUSE)) | Status::Running as u64, Ordering::Release);
    }

    /// runnable => running, for the worker that took the task from a queue.
    /// Returns who made it ready.
    #[inline]
    pub(crate) fn start(&self) -> Cause {
        // ORDERING: Acquire; pairs with the Release of birth(), requeue(), claim()
        // and release(): what was done before the task was made runnable is
        // visible on this worker.
        let old = self.0.load(Ordering::Acquire);
        check(old, &[Status::Runnable], Status::Running);
        // A plain store is enough: T1.
        // ORDERING: Release; pairs with the Acquire in read(), for observers.
        self.0.store((old & !STATUS) | Status::Running as u64, Ordering::Release);
        Reading(old).cause()
    }

    /// running => syscall: the task blocks its thread.
    #[inline]
    pub(crate) fn begin_call(&self) {
        self.change(&[Status::Running], Status::Syscall);
    }

    /// syscall => running: it has a processor again.
    #[inline]
    pub(crate) fn end_call(&self) {
        self.change(&[Status::Syscall], Status::Running);
    }

    /// syscall => runnable: it waits for a processor.
    pub(crate) fn queue_after_call(&self) {
        self.change(&[Status::Syscall], Status::Runnable);
    }

    /// running, syscall => preempted: it waits for a processor in the middle of its
    /// code.
    pub(crate) fn suspend(&self) {
        self.change(UNDER_WAY, Status::Preempted);
    }

    /// preempted => running, when nobody holds it.
    pub(crate) fn resume(&self) {
        loop {
            let old = self.0.load(Ordering::Relaxed);
            check(old & !SCAN, &[Status::Preempted], Status::Running);
            let new = with_status(old, Status::Running);
            // ORDERING: AcqRel; Acquire pairs with the Release in release(): who has
            // held it reads no more. Release pairs with the Acquire in read().
            if old & SCAN == 0
                && self.0.compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed).is_ok()
            {
                return;
            }
            yield_thread();
        }
    }

    /// waiting, leaked, preempted => the same + scan, if the reading is one that is
    /// `wanted`: until [`release`](Self::release) the task does not go on. Waits for
    /// others who hold it, for microseconds. In a section.
    pub(crate) fn hold(&self, wanted: impl Fn(Reading) -> bool) -> Option<Reading> {
        loop {
            let old = self.0.load(Ordering::Relaxed);
            let seen = Reading(old & !SCAN);
            if !(seen.parked() || seen.status() == Status::Preempted) || !wanted(seen) {
                return None;
            }
            // ORDERING: Acquire; pairs with the Release in wait() and suspend(): the
            // caller may read the saved context.
            let held = old & SCAN == 0
                && seen.status() != Status::CopyStack
                && self
                    .0
                    .compare_exchange(old, old | SCAN, Ordering::Acquire, Ordering::Relaxed)
                    .is_ok();
            if held {
                return Some(seen);
            }
            yield_thread();
        }
    }

    #[inline]
    fn change(&self, from: &[Status], to: Status) {
        let old = self.0.load(Ordering::Relaxed);
        check(old, from, to);
        // A plain store is enough: T1. The cause stays: a task that resumes in a
        // call is in it again before it asks who ended its park.
        // ORDERING: Release; pairs with the Acquire in read(), for observers.
        self.0.store((old & !STATUS) | to as u64, Ordering::Release);
    }

    /// running, syscall => runnable. Counted, as it may be in the same state before long.
    #[inline]
    pub(crate) fn requeue(&self) {
        let yields = |old: u64| old.wrapping_add(CASE_ONE) & CASE;
        self.leave(UNDER_WAY, Status::Runnable, |old| old & !CAUSE | yields(old));
    }

    /// running, syscall => waiting, under a new ticket.
    #[inline]
    pub(crate) fn wait(&self) {
        self.leave(UNDER_WAY, Status::Waiting, next);
    }

    /// running, syscall => waiting + scan: the caller is its first observer.
    #[inline]
    pub(crate) fn wait_held(&self) {
        self.leave(UNDER_WAY, Status::Waiting, |old| next(old) | SCAN);
    }

    /// running => dead. Ends every reading that was taken before.
    #[inline]
    pub(crate) fn finish(&self) {
        self.leave(&[Status::Running], Status::Dead, next);
    }

    /// With what is said of the former state made into what is said of this one.
    #[inline]
    fn leave(&self, from: &[Status], to: Status, said: impl FnOnce(u64) -> u64) {
        let old = self.0.load(Ordering::Relaxed);
        check(old, from, to);
        let new = with_status(said(old), to);
        // A plain store is enough: T1.
        // ORDERING: Release; pairs with the Acquire in read(), claim() and
        // start(). Publishes the saved context and the wait's reason and site.
        self.0.store(new, Ordering::Release);
    }

    /// waiting, copystack, leaked => runnable, if the park still lasts. With a ticket, only
    /// if it is that park.
    #[inline]
    pub(crate) fn claim(&self, cause: Cause, ticket: Option<u32>) -> Claim {
        self.claim_as((cause as u64) << CAUSE_SHIFT, ticket)
    }

    /// The same for a partner that serves one case of a select. Who wins and
    /// which case it is are one step.
    #[inline]
    pub(crate) fn claim_case(&self, case: u16) -> Claim {
        debug_assert!(usize::from(case) < CASES);
        let cause = (Cause::Ready as u64) << CAUSE_SHIFT;
        self.claim_as(u64::from(case) << CASE_SHIFT | cause, None)
    }

    #[inline]
    fn claim_as(&self, cause: u64, ticket: Option<u32>) -> Claim {
        let mut old = self.0.load(Ordering::Relaxed);
        loop {
            if !is_parked(old) || ticket.is_some_and(|t| t != Reading(old).ticket()) {
                return Claim::Lost;
            }
            let new = (old & !(STATUS | CAUSE)) | Status::Runnable as u64 | cause;
            // ORDERING: AcqRel. Acquire pairs with the Release in wait(): the
            // claimer may now touch the saved context. Release pairs with the
            // Acquire in start(): what the claimer did for the task is visible to it.
            match self.0.compare_exchange_weak(old, new, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) if old & SCAN != 0 => return Claim::Held,
                Ok(_) => return Claim::Won,
                Err(now) => old = now,
            }
        }
    }

    /// waiting => leaked, if it is still the state that was seen. Waits for the
    /// end of a trim, which takes microseconds.
    pub(crate) fn condemn(&self, seen: Reading) -> bool {
        if !matches!(seen.status(), Status::Waiting | Status::CopyStack) {
            return false;
        }
        loop {
            let old = self.0.load(Ordering::Relaxed);
            if Reading(old).stamp() != seen.stamp() {
                return false;
            }
            let new = with_status(old, Status::Leaked);
            // ORDERING: Relaxed; the verdict publishes nothing.
            if old & SCAN == 0
                && self.0.compare_exchange(old, new, Ordering::Relaxed, Ordering::Relaxed).is_ok()
            {
                return true;
            }
            yield_thread();
        }
    }

    /// waiting => copystack + scan, if it is still the state that was seen: the
    /// task will not start before [`end_trim`](Self::end_trim).
    pub(crate) fn begin_trim(&self, seen: Reading) -> bool {
        if seen.status() != Status::Waiting || seen.held() {
            return false;
        }
        let new = with_status(seen.0, Status::CopyStack) | SCAN;
        // ORDERING: Acquire; pairs with the Release in wait(): the caller may
        // read the saved context.
        self.0.compare_exchange(seen.0, new, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Ends [`begin_trim`](Self::begin_trim): copystack + scan => waiting, or
    /// what a claim has made of it meanwhile without the scan bit.
    pub(crate) fn end_trim(&self) -> Release {
        let old = self.0.load(Ordering::Relaxed);
        if old & STATUS == Status::CopyStack as u64 {
            let new = with_status(old & !SCAN, Status::Waiting);
            // ORDERING: Release; pairs with the Acquire in claim(): what was done
            // to the stack is done before the task runs on it.
            if self.0.compare_exchange(old, new, Ordering::Release, Ordering::Relaxed).is_ok() {
                return Release::Nothing;
            }
        }
        // Only a claim changes the word of a task that is held.
        self.release()
    }

    /// + settled, if it is still the state that was seen.
    #[cfg(not(loom))]
    pub(crate) fn settle(&self, seen: Reading) {
        // ORDERING: Relaxed; publishes nothing. Lost to any other change.
        let _ =
            self.0.compare_exchange(seen.0, seen.0 | SETTLED, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Clears the scan bit.
    #[inline]
    pub(crate) fn release(&self) -> Release {
        // ORDERING: Release; pairs with the Acquire in start(): the observer's
        // reads end before the task runs again.
        let old = self.0.fetch_and(!SCAN, Ordering::Release);
        debug_assert!(old & SCAN != 0, "released a task that nobody held");
        if old & STATUS == Status::Runnable as u64 { Release::Enqueue } else { Release::Nothing }
    }

    /// The address that a futex waits on: the low half of the word.
    #[cfg(not(loom))]
    pub(crate) fn futex(&self) -> *const u32 {
        self.0.as_ptr().cast_const().cast()
    }
}

/// Under a new ticket.
#[inline]
fn next(old: u64) -> u64 {
    old.wrapping_add(TICKET_ONE) & !CAUSE
}

fn yield_thread() {
    #[cfg(not(loom))]
    std::thread::yield_now();
    #[cfg(loom)]
    loom::thread::yield_now();
}

#[inline]
fn check(old: u64, from: &[Status], to: Status) {
    if !from.iter().any(|s| *s as u64 == old & STATUS) || old & SCAN != 0 {
        illegal(old, to);
    }
}

#[cold]
fn illegal(old: u64, to: Status) -> ! {
    let from = Reading(old);
    let scan = if from.held() { " + scan" } else { "" };
    // Nothing is allocated: this may be in a section.
    let abort = |message| {
        #[cfg(not(loom))]
        crate::sys::fatal(message);
        #[cfg(loom)]
        panic!("{message}");
    };
    abort(format_args!(
        "illegal task transition {} ({}){scan} => {} ({})",
        from.status() as u8,
        from.status().as_str(),
        to as u8,
        to.as_str(),
    ))
}
