//! A processor: the right to run tasks, and what comes with it. Go's `p`.
//!
//! **S1** One worker holds a processor at a time. It passes from one to the next
//! under the scheduler's lock, or through the new holder's `handoff` word or the
//! processor's `call` word (Release, Acquire). The fields that are cells belong to the holder.

use super::call::CallWord;
use super::counts::{self, Count};
use super::processors::MOST;
use super::ring::Ring;
use super::ripe::{Look, Sight};
use super::worker::Worker;
use super::{SCHED, ring};
use crate::next::Next;
use crate::stack::pool;
use crate::task::record::Record;
use crate::time::Timers;
use core::cell::{Cell, UnsafeCell};
use core::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

/// Dead records that a processor keeps; a half of them moves to or from the
/// global list at once. Go has the same numbers.
const KEEP: usize = 64;
/// How many tasks before its start a record is fetched into the cache.
const AHEAD: u32 = 3;
/// Task numbers that a processor takes at once. Go: `_GoidCacheBatch`.
const IDS: u64 = 16;

pub(crate) struct Processor {
    pub(crate) id: u32,
    /// Tasks that any worker may run, oldest first.
    pub(crate) ring: Ring<Record>,
    /// The youngest of them: runs next, as its data is still in the cache.
    runnext: Next<Record>,
    pub(crate) stacks: pool::Local,
    pub(crate) timers: Timers,
    /// Scheduling decisions so far; written by the holder only.
    pub(crate) tick: AtomicU64,
    /// Null if nobody holds it. Written by the holder, for sysmon.
    holder: AtomicPtr<Worker>,
    /// Which blocking call it is lent for (`blocking.rs`).
    pub(crate) call: CallWord,
    pub(crate) counts: counts::OfProcessor,
    /// Blocking calls so far.
    pub(crate) calls: Count,
    /// Unused records, the warmest last; with room for `2 * KEEP`.
    free: UnsafeCell<Vec<&'static Record>>,
    /// How many those are, for observers.
    free_len: AtomicU32,
    next_id: Cell<u64>,
    end_id: Cell<u64>,
    rng: Cell<u32>,
    /// Nobody's, and empty (S2); under the scheduler's lock.
    pub(crate) retired: Cell<bool>,
    /// What its holder has seen of each processor when it looked for work.
    sights: [Sight; MOST],
}

// SAFETY: the cells and the local pool belong to the holder (S1); the rest is atomic.
unsafe impl Sync for Processor {}

impl Processor {
    /// One that is retired.
    pub(crate) fn new(id: u32) -> Processor {
        Processor {
            id,
            ring: Ring::new(),
            runnext: Next::new(),
            stacks: pool::Local::new(),
            timers: Timers::new(),
            tick: AtomicU64::new(0),
            holder: AtomicPtr::new(ptr::null_mut()),
            call: CallWord::new(),
            counts: counts::OfProcessor::new(),
            calls: Count::new(),
            free: UnsafeCell::new(Vec::with_capacity(2 * KEEP)),
            free_len: AtomicU32::new(0),
            next_id: Cell::new(0),
            end_id: Cell::new(0),
            rng: Cell::new(0x9E37_79B9 ^ (id + 1)),
            retired: Cell::new(true),
            sights: [const { Sight::new() }; MOST],
        }
    }

    /// Who holds it, or held it a moment ago.
    pub(crate) fn holder(&self) -> Option<&'static Worker> {
        // ORDERING: Acquire; pairs with the Release in set_holder(): the worker is
        // one that has been made.
        let holder = self.holder.load(Ordering::Acquire);
        // SAFETY: null, or a worker, and those are never freed (W3).
        unsafe { holder.cast_const().as_ref() }
    }

    /// New holder.
    pub(crate) fn set_holder(&self, w: &Worker) {
        // ORDERING: Release; pairs with the Acquire in holder().
        self.holder.store(ptr::from_ref(w).cast_mut(), Ordering::Release);
    }

    /// Holder, before it passes the processor on.
    pub(crate) fn no_holder(&self) {
        self.holder.store(ptr::null_mut(), Ordering::Relaxed);
    }

    /// Holder: makes the task the next to run; the former next one goes to the
    /// ring's tail.
    #[inline]
    pub(crate) fn put_next(&self, record: &'static Record) {
        let old = self.runnext.put(ptr::from_ref(record).cast_mut());
        // SAFETY: null, or a record that is ours now (R1).
        if let Some(old) = unsafe { old.as_ref() } {
            self.put(old);
        }
    }

    /// Holder: puts the task at the tail; a full ring moves half of itself to
    /// the global queue.
    #[inline]
    pub(crate) fn put(&self, record: &'static Record) {
        if self.ring.put(ptr::from_ref(record).cast_mut()).is_err() {
            self.overflow(record);
        }
    }

    #[cold]
    fn overflow(&self, record: &'static Record) {
        let mut half = [ptr::null_mut(); ring::SIZE as usize / 2];
        let grab = self.ring.grab(&mut half, ring::SIZE);
        if !self.ring.commit(grab) {
            // A thief made room.
            self.put(record);
            return;
        }
        let mut taken: [&'static Record; ring::SIZE as usize / 2 + 1] = [record; _];
        for (place, entry) in taken.iter_mut().zip(&half[..grab.len() as usize]) {
            // SAFETY: committed, so these records are ours (Q2, R1).
            *place = unsafe { &**entry };
        }
        SCHED.put_global(&taken[..=grab.len() as usize]);
    }

    /// Holder: puts the task at the tail of a ring that has room.
    pub(crate) fn put_in_room(&self, record: &'static Record) {
        let full = self.ring.put(ptr::from_ref(record).cast_mut()).is_err();
        assert!(!full, "only the holder puts, and it has seen the room");
    }

    /// Holder: the task that was made last, if no thief took it.
    #[inline]
    pub(crate) fn take_next(&self) -> Option<&'static Record> {
        self.has_next().then(|| self.steal_next()).flatten()
    }

    /// Anybody: the same.
    pub(crate) fn steal_next(&self) -> Option<&'static Record> {
        // SAFETY: null, or a record that is ours now (R1).
        unsafe { self.runnext.take().cast_const().as_ref() }
    }

    /// Holder: the oldest task of the ring.
    #[inline]
    pub(crate) fn take(&self) -> Option<&'static Record> {
        let record = self.ring.take()?;
        // Its followers will run soon, and a cold record costs more than the
        // rest of its start.
        Record::prefetch(self.ring.peek(AHEAD));
        // SAFETY: taken from the ring, so it is ours (Q2, R1).
        Some(unsafe { &*record })
    }

    /// Holder of `self`: steals half of the victim's ring, but no more than `most`,
    /// keeps it in the own ring (empty before) and returns the newest of it.
    pub(crate) fn steal_from(&self, victim: &Processor, most: u32) -> Option<&'static Record> {
        let mut half = [ptr::null_mut(); ring::SIZE as usize / 2];
        loop {
            let grab = victim.ring.grab(&mut half, most);
            let count = grab.len() as usize;
            if count == 0 {
                return None;
            }
            if !victim.ring.commit(grab) {
                continue;
            }
            // SAFETY: committed, so these records are ours (Q2, R1).
            let mut stolen = half[..count].iter().map(|entry| unsafe { &**entry });
            let newest = stolen.next_back();
            stolen.for_each(|record| self.put(record));
            return newest;
        }
    }

    /// Anybody: might there be work for any worker?
    pub(crate) fn has_work(&self) -> bool {
        !self.ring.is_empty() || self.has_next()
    }

    /// Anybody: is there a task that runs next?
    pub(crate) fn has_next(&self) -> bool {
        self.runnext.is_some()
    }

    /// Anybody: what a thief sees.
    pub(super) fn look(&self) -> Look {
        let (tick, next) = (self.tick.load(Ordering::Relaxed), self.has_next());
        Look { tick, ring: self.ring.len(), next }
    }

    /// Holder: what it has seen of another.
    pub(super) fn sight(&self, of: &Processor) -> &Sight {
        &self.sights[of.id as usize]
    }

    /// Anybody: how many unused records it keeps.
    pub(crate) fn free_records(&self) -> u32 {
        self.free_len.load(Ordering::Relaxed)
    }

    /// Holder: an unused record; `None` if there is none anywhere
    /// ([`make_records`](super::Sched::make_records)).
    #[inline]
    pub(crate) fn take_record(&self) -> Option<&'static Record> {
        // SAFETY: the holder is the only one that touches the vector (S1), and
        // nothing below calls back into here.
        let free = unsafe { &mut *self.free.get() };
        let taken = free.pop().or_else(|| refill(free));
        self.free_len.store(free.len() as u32, Ordering::Relaxed);
        taken
    }

    /// Holder: takes back the record of a task that ended.
    #[inline]
    pub(crate) fn put_record(&self, record: &'static Record) {
        // SAFETY: as in take_record().
        let free = unsafe { &mut *self.free.get() };
        if free.len() == 2 * KEEP {
            SCHED.put_free(&free[KEEP..]);
            free.truncate(KEEP);
        }
        free.push(record);
        self.free_len.store(free.len() as u32, Ordering::Relaxed);
    }

    /// Holder: gives all unused records away.
    pub(crate) fn give_records(&self, to: &mut Vec<&'static Record>) {
        // SAFETY: as in take_record().
        to.append(unsafe { &mut *self.free.get() });
        self.free_len.store(0, Ordering::Relaxed);
    }

    /// Holder: a task number.
    #[inline]
    pub(crate) fn new_id(&self) -> u64 {
        let id = self.next_id.get();
        if id == self.end_id.get() {
            let first = SCHED.take_ids(IDS);
            self.next_id.set(first + 1);
            self.end_id.set(first + IDS);
            return first;
        }
        self.next_id.set(id + 1);
        id
    }

    /// Holder: the number of a new blocking call.
    #[inline]
    pub(crate) fn new_call(&self) -> u64 {
        self.calls.add(1);
        self.calls.get()
    }

    /// Holder: a random number (xorshift), to pick victims.
    pub(crate) fn random(&self) -> u32 {
        let mut x = self.rng.get();
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        self.rng.set(x);
        x
    }
}

#[cold]
fn refill(free: &mut Vec<&'static Record>) -> Option<&'static Record> {
    SCHED.take_free(free, KEEP);
    free.pop()
}
