//! One of several operations (Go: `select`).
//!
//! The algorithm is Go's `selectgo`, with claims in the place of its `selectDone`:
//!
//! 1. The locks of all channels are taken, each once, in the order of their
//!    addresses.
//! 2. The cases are tried in random order. The first that is ready is done on the
//!    spot; everything is unlocked; its partner is enqueued.
//! 3. If none is and there is no time to wait, everything is unlocked. If the time
//!    is limited, everything is unlocked to prepare a timer, and 1 and 2 are done
//!    again.
//! 4. Else a node of each case goes into its channel's queue, and the task parks.
//!    The locks are released when it is parked (D1).
//! 5. Whoever ended the park has named the case in the same step; the other
//!    nodes are taken out of their queues, under their locks, one after the
//!    other.
//!
//! **Fair.** All permutations are equally likely, and the first ready one of a
//! random permutation is any of the ready ones with equal probability.
//!
//! **One moment.** All locks are held at once from the first attempt to the last
//! and on until the task is parked. So when `default` is chosen, or the task
//! parks, no case was ready at that moment; trying one channel after the other
//! could miss a value that moves from the second to the first.
//!
//! # Exactly one case fires
//!
//! - While the task runs, its nodes are in no queue when the select begins (E1),
//!   and in 2 the loop ends with the first attempt that succeeds.
//! - While it is parked, a case fires only through a partner's claim. All partners
//!   use one state word, whichever channel they hold the lock of, and for one
//!   park one claim succeeds (T2). The claim carries the number of the case, so
//!   there is no moment at which a park has ended and its case is not known, and
//!   no second place that could contradict. A timer and the reaper compete in
//!   the same word; if one of them wins no case has fired.
//! - A claim that comes before the park or after it fails: the word says that
//!   the task runs. No partner sees a node before the park, since it is queued
//!   under the lock that the commit releases (D1). One that takes a node out of a
//!   queue between the end of the park and 5 fails likewise, as the task does not
//!   park again before 5 is done: raw locks do not park.
//!
//! # No value is lost, none comes twice
//!
//! A partner copies the value into or out of the node, claims, and forgets the
//! copy if the claim fails (`raw.rs`). So the value of a send case is with the
//! receiver if that one's claim won, and else still in the node; a receive case
//! has a value only if the claim that won named it. What a partner that lost has
//! written into the node of another case (slot and outcome) is never looked
//! at: only the node of the case that was named is ([`Operation::settle`]).
//!
//! # The frame that holds the nodes
//!
//! Two might touch it when the task is done with it:
//!
//! - *A partner*, through a node in a queue: 5 takes all nodes out under their
//!   locks, before `select` returns or unwinds; the one that was served was taken
//!   out by its partner, which does not touch it after the claim (W2, W3).
//! - *The commit*, which runs after the park and reads the list of locks while it
//!   releases them. From its first release on a partner may let the task go on. But
//!   in 5 the task takes every lock except that of a case that was served and
//!   shares it with no other. So it takes the last lock of the list, and waits for
//!   its release; or the last lock is that of the served case, which the partner
//!   took after its release. The commit does not touch the list after its last
//!   release, so it is done with it in either case. (A park with a time limit
//!   is held until the commit has run.)
//!
//! # No deadlock
//!
//! Whoever holds the lock of a channel and waits for another's is a select in 1, and
//! takes them in the order of their addresses. In 5 it holds one at a time. A
//! claim takes no lock; partners are enqueued when all are released.

use super::case::Case;
#[cfg(doc)]
use super::case::Operation;
use super::raw::Attempt;
use crate::inspect::WaitReason;
use crate::sched::park::{self, Commit, Park, Wake};
use crate::sched::processor::Processor;
use crate::sched::worker;
use crate::sys::lock::RawLock;
use crate::task::state::CASES;
use crate::task::subject::{Describe, Pad, Subject};
use crate::task::{self, TaskRef};
use std::cell::Cell;
use std::panic::Location;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Waits until one of the cases is ready, does it, and says which (Go: `select`
/// without `default`; `reflect.Select`).
///
/// The outcome is in the case: [`RecvCase::take`](super::RecvCase::take),
/// [`SendCase::take`](super::SendCase::take). The others are as before, so a list
/// may be selected again and again. If several are ready one is chosen at random,
/// each with the same probability. For a fixed number of cases
/// [`select!`](crate::select) is shorter.
///
/// Parks the task with reason `select`, without cases for ever with reason `select
/// (no cases)`.
///
/// # Panics
/// There are more than 8192 cases, or one still has the outcome of an earlier
/// select.
///
/// ```
/// use gopark::chan::{self, Case};
///
/// // The answers of many, as they come.
/// let receivers: Vec<_> = (0..20)
///     .map(|n| {
///         let (tx, rx) = chan::rendezvous();
///         gopark::go(move || tx.send(n));
///         rx
///     })
///     .collect();
/// let mut cases: Vec<_> = receivers.iter().map(|rx| rx.case()).collect();
/// let mut sum = 0;
/// for _ in 0..20 {
///     let mut list: Vec<_> = cases.iter_mut().map(|case| case as &mut dyn Case).collect();
///     let chosen = chan::select(&mut list);
///     sum += cases[chosen].take().unwrap();
///     cases.swap_remove(chosen); // closed from now on, and so always ready
/// }
/// assert_eq!(sum, 190);
/// ```
#[track_caller]
pub fn select(cases: &mut [&mut dyn Case]) -> usize {
    select_within(cases, Limit::None).expect("a select without a limit ends with a case")
}

/// Does one of the cases that are ready at once; `None` if there is none (Go:
/// `select` with an empty `default`).
///
/// Otherwise as [`select`]; never parks.
///
/// ```
/// use gopark::chan;
///
/// let (tx, rx) = chan::bounded(1);
/// let (mut send, mut recv) = (tx.case(5), rx.case());
/// assert_eq!(chan::try_select(&mut [&mut recv]), None);
/// assert_eq!(chan::try_select(&mut [&mut recv, &mut send]), Some(1));
/// assert_eq!(chan::try_select(&mut [&mut recv]), Some(0));
/// ```
#[track_caller]
pub fn try_select(cases: &mut [&mut dyn Case]) -> Option<usize> {
    select_within(cases, Limit::Now)
}

/// As [`select`], for at most so long; `None` if nothing was ready in that time.
///
/// ```
/// use gopark::chan;
/// use std::time::Duration;
///
/// let (_tx, rx) = chan::bounded::<i32>(1);
/// let mut case = rx.case();
/// assert_eq!(chan::select_timeout(&mut [&mut case], Duration::from_millis(5)), None);
/// ```
#[track_caller]
pub fn select_timeout(cases: &mut [&mut dyn Case], timeout: Duration) -> Option<usize> {
    select_within(cases, Limit::After(timeout))
}

/// As [`select`], until then at the latest; `None` if nothing was ready by then.
///
/// ```
/// use gopark::chan;
/// use std::time::{Duration, Instant};
///
/// let (_tx, rx) = chan::bounded::<i32>(1);
/// let deadline = Instant::now() + Duration::from_millis(5);
/// assert_eq!(chan::select_deadline(&mut [&mut rx.case()], deadline), None);
/// assert!(Instant::now() >= deadline);
/// ```
#[track_caller]
pub fn select_deadline(cases: &mut [&mut dyn Case], deadline: Instant) -> Option<usize> {
    select_within(cases, Limit::At(deadline))
}

/// How long a select waits.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum Limit {
    /// As long as it takes.
    None,
    /// Not at all.
    Now,
    /// From the moment at which nothing was ready.
    After(Duration),
    /// Until then.
    At(Instant),
}

impl Limit {
    /// How long from now; `None` for ever.
    fn left(self) -> Option<Duration> {
        match self {
            Limit::None => None,
            Limit::Now => Some(Duration::ZERO),
            Limit::After(left) => Some(left),
            Limit::At(deadline) => Some(deadline.saturating_duration_since(Instant::now())),
        }
    }
}

/// Up to so many cases need no allocation.
const FEW: usize = 8;

/// All of it; `None` if the time is over. What [`select!`](crate::select) becomes.
#[doc(hidden)]
#[track_caller]
#[inline]
pub fn select_within(cases: &mut [&mut dyn Case], limit: Limit) -> Option<usize> {
    let reason = if cases.is_empty() { WaitReason::SelectNoCases } else { WaitReason::Select };
    select_as(reason, cases, limit)
}

/// The same of a task that says it waits for something else.
#[track_caller]
#[inline]
pub(crate) fn select_as(
    reason: WaitReason,
    cases: &mut [&mut dyn Case],
    limit: Limit,
) -> Option<usize> {
    let how = Park::new(reason, Location::caller());
    match cases.len() {
        0..=FEW => run(cases, &mut [Slot::EMPTY; FEW], limit, how),
        n @ ..=CASES => run(cases, &mut vec![Slot::EMPTY; n], limit, how),
        n => panic!("select over {n} cases; {CASES} at most are possible"),
    }
}

/// A place in the list of locks: that of one case.
#[derive(Clone, Copy)]
struct Slot {
    lock: *const RawLock,
    case: u16,
    /// Of all slots, a permutation of their numbers: in which order to try them.
    turn: u16,
}

impl Slot {
    const EMPTY: Slot = Slot { lock: ptr::null(), case: 0, turn: 0 };
}

#[inline(never)]
fn run(cases: &[&mut dyn Case], slots: &mut [Slot], limit: Limit, mut how: Park) -> Option<usize> {
    // Before any lock: this may give way, end the task, allocate.
    let me = if let Limit::Now = limit { task::pass() } else { task::arrive() };
    let mut len = 0;
    for (n, case) in cases.iter().enumerate() {
        if let Some(lock) = case.lock() {
            case.touch(me);
            slots[len] = Slot { lock, case: n as u16, turn: len as u16 };
            len += 1;
        }
    }
    let slots = &mut slots[..len];
    shuffle(slots);
    slots.sort_unstable_by_key(|slot| slot.lock.addr());
    let slots = &*slots;
    let locks = Locks::new(slots);

    locks.lock();
    if let Some(n) = attempt(cases, slots, &locks) {
        return Some(n);
    }
    if !matches!(limit, Limit::None) {
        // The clock is read, and a timer prepared, only if there is something to
        // wait for, and outside of the locks.
        locks.unlock();
        let left = limit.left().filter(|left| !left.is_zero())?;
        how = how.lasting(left);
        locks.lock();
        if let Some(n) = attempt(cases, slots, &locks) {
            return Some(n);
        }
    }
    for slot in slots {
        // SAFETY: all locks are held since the attempts. unqueue() follows.
        unsafe { cases[usize::from(slot.case)].enqueue(me, slot.case) };
    }
    let all = Cases(cases);
    let (wake, case) = park::park_cases(how, &Subject::of(&all), &locks);
    let served = (wake == Wake::Ready).then_some(case);
    unqueue(cases, slots, served);
    match wake {
        Wake::Ready => {
            // SAFETY: the claim that ended the park named this case.
            unsafe { cases[usize::from(case)].settle() };
            Some(usize::from(case))
        }
        Wake::TimedOut => None,
        Wake::Reaped => reaped(cases, me, limit, how),
    }
}

/// What a select waits for.
struct Cases<'a, 'b>(&'a [&'b mut dyn Case]);

impl Describe for Cases<'_, '_> {
    fn describe(&self, pad: &mut Pad) {
        self.0.iter().for_each(|case| case.describe(pad));
    }
}

/// Does the first case that is ready, in the order of turns, and unlocks; or leaves
/// everything locked.
#[inline]
fn attempt(cases: &[&mut dyn Case], slots: &[Slot], locks: &Locks) -> Option<usize> {
    for at in slots {
        let n = usize::from(slots[usize::from(at.turn)].case);
        // SAFETY: its lock is held, and it is in no queue (E1).
        let partner = match unsafe { cases[n].attempt() } {
            Attempt::NotYet => continue,
            Attempt::Done(partner) => partner,
            Attempt::Closed => None,
        };
        locks.unlock();
        if let Some(partner) = partner {
            partner.enqueue();
        }
        return Some(n);
    }
    None
}

/// The reaper has ended the park.
#[cold]
fn reaped(cases: &[&mut dyn Case], me: TaskRef, limit: Limit, how: Park) -> Option<usize> {
    park::on_reaped();
    // The task panics already. A case that has an error to return returns it.
    let failed = cases.iter().position(|case| case.fail(me));
    if failed.is_none() && matches!(limit, Limit::None) {
        // Nobody else can end this park.
        while park::park(how.uninterruptible(), &park::Alone) != Wake::Ready {}
    }
    failed
}

/// Takes the nodes out of their queues; that of the case that was served is out
/// already.
fn unqueue(cases: &[&mut dyn Case], slots: &[Slot], served: Option<u16>) {
    for group in slots.chunk_by(|a, b| a.lock == b.lock) {
        if let [only] = group
            && Some(only.case) == served
        {
            continue;
        }
        // SAFETY: the channels are borrowed by their cases.
        let lock = unsafe { &*group[0].lock };
        lock.with(|| {
            for slot in group {
                // SAFETY: its lock is held. If it was served, it is in no queue.
                unsafe { cases[usize::from(slot.case)].dequeue() };
            }
        });
    }
}

/// All locks of a select. The list is sorted, so that equal ones stand together.
///
/// In cells, so that no reference vouches for the list after the last unlock.
struct Locks {
    first: Cell<*const Slot>,
    len: Cell<usize>,
}

impl Locks {
    fn new(slots: &[Slot]) -> Locks {
        Locks { first: Cell::new(slots.as_ptr()), len: Cell::new(slots.len()) }
    }

    #[inline]
    fn lock(&self) {
        self.each(RawLock::lock);
    }

    #[inline]
    fn unlock(&self) {
        // SAFETY: the select holds them all.
        self.each(|lock| unsafe { lock.unlock() });
    }

    /// Calls `f` once for each lock, in order. The list is not touched after the
    /// last call has begun.
    #[inline]
    fn each(&self, f: impl Fn(&RawLock)) {
        let (first, len) = (self.first.get(), self.len.get());
        let mut next = ptr::null();
        for n in 0..len {
            // SAFETY: inside the list, which lives until the last call (see "The
            // frame that holds the nodes").
            let lock = if n == 0 { unsafe { (*first).lock } } else { next };
            if n + 1 < len {
                // SAFETY: as above.
                next = unsafe { (*first.add(n + 1)).lock };
                if next == lock {
                    continue;
                }
            }
            // SAFETY: the channels are borrowed by their cases.
            f(unsafe { &*lock });
        }
    }
}

impl Commit for Locks {
    const HELD: bool = false;

    #[inline]
    fn commit(&self) -> bool {
        self.unlock();
        true
    }

    fn cancel(&self) {
        self.unlock();
    }
}

/// Makes every order of turns equally likely (Fisher and Yates).
#[inline]
fn shuffle(slots: &mut [Slot]) {
    if slots.len() < 2 {
        return;
    }
    let mut random = seed();
    for n in 1..slots.len() {
        // One step of a linear congruence; its upper bits are the random ones.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let other = ((random >> 32) * (n as u64 + 1)) >> 32;
        let turn = slots[n].turn;
        slots[n].turn = slots[other as usize].turn;
        slots[other as usize].turn = turn;
    }
}

#[inline]
fn seed() -> u64 {
    let random = |p: &Processor| u64::from(p.random()) << 32 | u64::from(p.random());
    if let Some(seed) = worker::with_processor(|p| p.map(random)) {
        return seed;
    }
    // Without a processor: the steps of a Weyl sequence, mixed (splitmix64).
    static STEPS: AtomicU64 = AtomicU64::new(0);
    let mut x = STEPS.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}
