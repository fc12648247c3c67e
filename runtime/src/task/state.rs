//! The state word: where a task is in its life, in one atomic.
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
//! `select`, through which of its cases. *Settled* means that its stack needs no
//! more trimming in this park. *Scan* means that an observer holds the parked
//! task: it may be made runnable, but it may not start; or the suspended one, which
//! waits for him before it goes on.
//!
//! A task that is runnable and not held is in a queue, or its worker is in the
//! FIFO with it, and only the worker that takes it from there changes its word;
//! observers hold parked and suspended tasks only. So the way of a task from ready to running to
//! parked is plain stores, and the one atomic read-modify-write of its cycle is the
//! claim.
//!
//! Every change goes through one method here:
//!
//! | method | transition | who |
//! |---|---|---|
//! | `birth` | idle, dead => runnable | the spawner, who owns the record |
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

use crate::sys::atomic::{AtomicU64, Ordering};

/// The states of a task, with Go's numbers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
#[repr(u8)]
pub enum Status {
    /// The record was just allocated.
    Idle = 0,
    /// In a queue.
    Runnable = 1,
    /// On a worker that holds a processor.
    Running = 2,
    /// In a blocking call, without a processor.
    Syscall = 3,
    /// Parked; reason and site are set.
    Waiting = 4,
    /// Finished; the record is kept for reuse.
    Dead = 6,
    /// Parked, and its stack is being trimmed or extended.
    CopyStack = 8,
    /// Suspended by the signal, waiting for a processor.
    Preempted = 9,
    /// Parked, and judged never to wake; a late wake-up still works.
    Leaked = 10,
}

impl Status {
    /// Go's word for the state, as dumps print it.
    ///
    /// ```
    /// assert_eq!(gopark::inspect::Status::Runnable.as_str(), "runnable");
    /// ```
    pub const fn as_str(self) -> &'static str {
        match self {
            Status::Idle => "idle",
            Status::Runnable => "runnable",
            Status::Running => "running",
            Status::Syscall => "syscall",
            Status::Waiting => "waiting",
            Status::Dead => "dead",
            Status::CopyStack => "copystack",
            Status::Preempted => "preempted",
            Status::Leaked => "leaked",
        }
    }

    fn from_bits(word: u64) -> Status {
        match word & STATUS {
            0 => Status::Idle,
            1 => Status::Runnable,
            2 => Status::Running,
            3 => Status::Syscall,
            4 => Status::Waiting,
            6 => Status::Dead,
            8 => Status::CopyStack,
            9 => Status::Preempted,
            10 => Status::Leaked,
            n => unreachable!("status {n} does not exist"),
        }
    }
}

/// The states of a task whose code runs.
const UNDER_WAY: &[Status] = &[Status::Running, Status::Syscall];

const STATUS: u64 = 0x0FFF;
const SCAN: u64 = 0x1000;
const CAUSE_SHIFT: u32 = 16;
/// The cause and whatever else ends with the state.
const CAUSE: u64 = 0xFFFF << CAUSE_SHIFT;
const SETTLED: u64 = 4 << CAUSE_SHIFT;
const CASE_SHIFT: u32 = 19;
/// How many cases a select can have: what the word has room for.
pub(crate) const CASES: usize = 1 << (TICKET_SHIFT - CASE_SHIFT);
const TICKET_SHIFT: u32 = 32;
const TICKET_ONE: u64 = 1 << TICKET_SHIFT;

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
pub(crate) struct Reading(u64);

impl Reading {
    pub(crate) fn status(self) -> Status {
        Status::from_bits(self.0)
    }

    pub(crate) fn held(self) -> bool {
        self.0 & SCAN != 0
    }

    pub(crate) fn cause(self) -> Cause {
        match (self.0 >> CAUSE_SHIFT) & 3 {
            0 => Cause::Ready,
            1 => Cause::Timer,
            _ => Cause::Reaper,
        }
    }

    /// Which case of a select the partner served; 0 for any other park.
    pub(crate) fn case(self) -> u16 {
        (self.low() >> CASE_SHIFT) as u16
    }

    /// Waiting, whatever observers do with it or think of it.
    pub(crate) fn parked(self) -> bool {
        is_parked(self.0)
    }

    /// Nothing is left to trim in this park.
    #[cfg(not(loom))]
    pub(crate) fn settled(self) -> bool {
        self.0 & SETTLED != 0
    }

    /// Parks and deaths so far.
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
    pub(crate) fn low(self) -> u32 {
        self.0 as u32
    }
}

fn is_parked(word: u64) -> bool {
    matches!(word & STATUS, 4 | 8 | 10)
}

const fn with_status(word: u64, status: Status) -> u64 {
    word & !STATUS | status as u64
}

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

    /// running, syscall => runnable.
    #[inline]
    pub(crate) fn requeue(&self) {
        self.leave(UNDER_WAY, Status::Runnable, 0, 0);
    }

    /// running, syscall => waiting, under a new ticket.
    #[inline]
    pub(crate) fn wait(&self) {
        self.leave(UNDER_WAY, Status::Waiting, 0, TICKET_ONE);
    }

    /// running, syscall => waiting + scan: the caller is its first observer.
    #[inline]
    pub(crate) fn wait_held(&self) {
        self.leave(UNDER_WAY, Status::Waiting, SCAN, TICKET_ONE);
    }

    /// running => dead. Ends every reading that was taken before.
    #[inline]
    pub(crate) fn finish(&self) {
        self.leave(&[Status::Running], Status::Dead, 0, TICKET_ONE);
    }

    #[inline]
    fn leave(&self, from: &[Status], to: Status, scan: u64, ticket: u64) {
        let old = self.0.load(Ordering::Relaxed);
        check(old, from, to);
        let new = (old.wrapping_add(ticket) & !(STATUS | CAUSE)) | to as u64 | scan;
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

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_life() {
        let s = StateWord::new();
        s.birth();
        assert_eq!(s.start(), Cause::Ready);
        s.wait();
        assert_eq!(s.claim(Cause::Timer, Some(7)), Claim::Lost);
        assert_eq!(s.claim(Cause::Timer, Some(1)), Claim::Won);
        assert_eq!(s.claim(Cause::Ready, None), Claim::Lost);
        assert_eq!(s.start(), Cause::Timer);
        s.requeue();
        assert_eq!(s.start(), Cause::Ready);
        s.finish();
        assert_eq!(s.read().status(), Status::Dead);
        assert_eq!(s.read().ticket(), 2);
    }

    /// A task that has just parked.
    fn parked() -> StateWord {
        let s = StateWord::new();
        s.birth();
        assert_eq!(s.start(), Cause::Ready);
        s.wait();
        s
    }

    #[test]
    fn a_claim_during_a_trim_is_enqueued_by_the_trimmer() {
        let s = parked();
        let seen = s.read();
        assert!(s.begin_trim(seen));
        assert_eq!(s.read().status(), Status::CopyStack);
        assert!(!s.begin_trim(s.read()), "one trimmer at a time");
        assert_eq!(s.claim(Cause::Timer, None), Claim::Held);
        assert_eq!(s.end_trim(), Release::Enqueue);
        assert_eq!(s.start(), Cause::Timer);
    }

    #[test]
    fn a_trim_is_no_change_of_state() {
        let s = parked();
        let seen = s.read();
        assert!(s.begin_trim(seen));
        assert_eq!(s.read().stamp(), seen.stamp());
        assert!(s.read().parked());
        assert_eq!(s.end_trim(), Release::Nothing);
        assert_eq!(s.read(), seen);
        s.settle(seen);
        assert!(s.read().settled());
        assert_eq!(s.read().stamp(), seen.stamp());
        assert!(s.condemn(seen));
        assert_eq!(s.claim(Cause::Reaper, Some(seen.ticket())), Claim::Won);
        assert!(!s.read().settled(), "of that park only");
        assert_eq!(s.start(), Cause::Reaper);
    }

    #[test]
    fn a_call_keeps_the_cause_of_the_park_before() {
        let s = parked();
        assert_eq!(s.claim(Cause::Timer, None), Claim::Won);
        assert_eq!(s.start(), Cause::Timer);
        s.begin_call();
        assert_eq!((s.read().status(), s.read().cause()), (Status::Syscall, Cause::Timer));
        s.queue_after_call();
        assert_eq!(s.start(), Cause::Timer);
        s.begin_call();
        s.end_call();
        assert_eq!((s.read().status(), s.read().cause()), (Status::Running, Cause::Timer));
        s.begin_call();
        s.wait();
        assert_eq!(s.claim(Cause::Ready, None), Claim::Won);
    }

    const ALL: [Status; 9] = [
        Status::Idle,
        Status::Runnable,
        Status::Running,
        Status::Syscall,
        Status::Waiting,
        Status::Dead,
        Status::CopyStack,
        Status::Preempted,
        Status::Leaked,
    ];

    type Change = (&'static str, fn(&StateWord), &'static [Status], Status);

    /// What aborts in a state that it is not for; and where it leads in the others.
    const CHANGES: [Change; 12] = {
        use Status::*;
        [
            ("birth", StateWord::birth, &[Idle, Dead], Runnable),
            ("adopt", StateWord::adopt, &[Idle, Dead], Running),
            ("start", |s| _ = s.start(), &[Runnable], Running),
            ("begin_call", StateWord::begin_call, &[Running], Syscall),
            ("end_call", StateWord::end_call, &[Syscall], Running),
            ("queue_after_call", StateWord::queue_after_call, &[Syscall], Runnable),
            ("suspend", StateWord::suspend, &[Running, Syscall], Preempted),
            ("resume", StateWord::resume, &[Preempted], Running),
            ("requeue", StateWord::requeue, &[Running, Syscall], Runnable),
            ("wait", StateWord::wait, &[Running, Syscall], Waiting),
            ("wait_held", StateWord::wait_held, &[Running, Syscall], Waiting),
            ("finish", StateWord::finish, &[Running], Dead),
        ]
    };

    /// Set in a process that makes the change.
    const MAKES: &str = "GOPARK_TEST_MAKES";

    fn made(name: &str, from: Status) -> std::process::Output {
        let here = module_path!().split_once("::").unwrap().1;
        let test = format!("{here}::every_other_change_aborts_and_names_both_states");
        let binary = std::env::current_exe().unwrap();
        let mut process = std::process::Command::new(binary);
        process.args(["--exact", &test, "--nocapture"]);
        process.env(MAKES, format!("{name} {}", from as u8)).output().unwrap()
    }

    #[test]
    fn every_change_leads_where_the_table_says() {
        for (name, change, from, to) in CHANGES {
            for from in from {
                let s = StateWord(AtomicU64::new(*from as u64));
                change(&s);
                assert_eq!(s.read().status(), to, "{name} from {from:?}");
            }
        }
    }

    #[test]
    fn every_other_change_aborts_and_names_both_states() {
        if let Ok(makes) = std::env::var(MAKES) {
            let (name, from) = makes.split_once(' ').unwrap();
            let (_, change, ..) = CHANGES.iter().find(|change| change.0 == name).unwrap();
            change(&StateWord(AtomicU64::new(from.parse().unwrap())));
            return;
        }
        for (name, _, legal, to) in CHANGES {
            for from in ALL.into_iter().filter(|from| !legal.contains(from)) {
                let ended = made(name, from);
                let text = String::from_utf8_lossy(&ended.stderr);
                let says = format!(
                    "illegal task transition {} ({}) => {} ({})",
                    from as u8,
                    from.as_str(),
                    to as u8,
                    to.as_str()
                );
                let signal = std::os::unix::process::ExitStatusExt::signal(&ended.status);
                assert_eq!(signal, Some(libc::SIGABRT), "{name} from {from:?}: {text}");
                assert!(text.contains(&says), "{name} from {from:?}: {text}");
            }
        }
        // A legal one does not, or this test shows nothing.
        assert!(made("suspend", Status::Running).status.success());
    }

    /// While an observer holds it, only a claim may change it.
    #[test]
    fn a_held_task_does_not_start() {
        let s = parked();
        assert!(s.begin_trim(s.read()));
        assert_eq!(s.claim(Cause::Ready, None), Claim::Held);
        assert_eq!((s.read().status(), s.read().held()), (Status::Runnable, true));
        assert_eq!(s.release(), Release::Enqueue);
        let _ = s.start();
    }

    #[test]
    fn a_case_is_told_until_the_next_park() {
        let s = parked();
        let last = (CASES - 1) as u16;
        assert_eq!(s.claim_case(last), Claim::Won);
        assert_eq!(s.claim_case(1), Claim::Lost);
        assert_eq!(s.start(), Cause::Ready);
        assert_eq!(s.read().case(), last);
        s.begin_call();
        s.queue_after_call();
        assert_eq!(s.start(), Cause::Ready);
        assert_eq!((s.read().case(), s.read().ticket()), (last, 1));
        s.wait();
        let seen = s.read();
        assert_eq!((seen.case(), seen.ticket(), seen.settled()), (0, 2, false));
        assert_eq!(s.claim(Cause::Reaper, Some(2)), Claim::Won);
        assert_eq!((s.start(), s.read().case()), (Cause::Reaper, 0));
    }

    #[test]
    fn a_leaked_task_can_still_wake() {
        let s = parked();
        assert!(s.condemn(s.read()));
        assert_eq!(s.read().status(), Status::Leaked);
        assert_eq!(s.claim(Cause::Ready, None), Claim::Won);
    }
}
