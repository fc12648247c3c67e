//! A processor: the right to run tasks, and what comes with it. Go's `p`.
//!
//! **S1** One worker holds a processor at a time. It passes from one to the next
//! under the scheduler's lock, or through the new holder's `handoff` word
//! (Release, Acquire). The fields that are cells belong to the holder.

use super::queue::Fifo;
use super::ring::Ring;
use super::{SCHED, ring};
use crate::stack::pool;
use crate::task::record::Record;
use crate::task::registry;
use core::cell::Cell;
use core::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// Dead records that a processor keeps; a half of them moves to or from the
/// global list at once. Go has the same numbers.
const KEEP: usize = 64;
/// Task numbers that a processor takes at once. Go: `_GoidCacheBatch`.
const IDS: u64 = 16;

pub(crate) struct Processor {
    pub(crate) id: u32,
    /// Tasks that any worker may run, oldest first.
    pub(crate) ring: Ring<Record>,
    /// The youngest of them: runs next, as its data is still in the cache.
    pub(crate) runnext: AtomicPtr<Record>,
    pub(crate) stacks: pool::Local,
    /// Scheduling decisions so far; written by the holder only.
    pub(crate) tick: AtomicU64,
    free: Fifo,
    next_id: Cell<u64>,
    end_id: Cell<u64>,
    rng: Cell<u32>,
}

// SAFETY: the cells and the local pool belong to the holder (S1); the rest is atomic.
unsafe impl Sync for Processor {}

impl Processor {
    pub(crate) fn new(id: u32) -> Processor {
        Processor {
            id,
            ring: Ring::new(),
            runnext: AtomicPtr::new(ptr::null_mut()),
            stacks: pool::Local::new(),
            tick: AtomicU64::new(0),
            free: Fifo::new(),
            next_id: Cell::new(0),
            end_id: Cell::new(0),
            rng: Cell::new(0x9E37_79B9 ^ (id + 1)),
        }
    }

    /// Holder: makes the task the next to run; the former next one goes to the
    /// ring's tail.
    #[inline]
    pub(crate) fn put_next(&self, record: &'static Record) {
        let new = ptr::from_ref(record).cast_mut();
        // ORDERING: AcqRel; Release publishes the record to a thief's Acquire in
        // steal_next(); Acquire: the former entry may come from an earlier holder.
        let old = self.runnext.swap(new, Ordering::AcqRel);
        // SAFETY: null, or a record that was the slot's and is ours now (R1).
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
        let grab = self.ring.grab(&mut half);
        if !self.ring.commit(grab) {
            // A thief made room.
            self.put(record);
            return;
        }
        let taken = Fifo::new();
        for entry in &half[..grab.len() as usize] {
            // SAFETY: committed, so these records are ours (Q2, R1).
            taken.push(unsafe { &**entry });
        }
        taken.push(record);
        SCHED.put_global(&taken);
    }

    /// Holder: the task that was made last, if no thief took it.
    #[inline]
    pub(crate) fn take_next(&self) -> Option<&'static Record> {
        if self.runnext.load(Ordering::Relaxed).is_null() {
            return None;
        }
        self.steal_next()
    }

    /// Anybody: the same.
    pub(crate) fn steal_next(&self) -> Option<&'static Record> {
        // ORDERING: Acquire; pairs with the Release in put_next().
        let record = self.runnext.swap(ptr::null_mut(), Ordering::Acquire);
        // SAFETY: null, or a record that the swap made ours (R1).
        unsafe { record.cast_const().as_ref() }
    }

    /// Holder: the oldest task of the ring.
    #[inline]
    pub(crate) fn take(&self) -> Option<&'static Record> {
        // SAFETY: taken from the ring, so it is ours (Q2, R1).
        self.ring.take().map(|r| unsafe { &*r })
    }

    /// Holder of `self`: steals half of the victim's ring, keeps it in the own
    /// ring (empty before) and returns the newest of it.
    pub(crate) fn steal_from(&self, victim: &Processor) -> Option<&'static Record> {
        let mut half = [ptr::null_mut(); ring::SIZE as usize / 2];
        loop {
            let grab = victim.ring.grab(&mut half);
            let count = grab.len() as usize;
            if count == 0 {
                return None;
            }
            if !victim.ring.commit(grab) {
                continue;
            }
            // SAFETY (all): committed, so these records are ours (Q2, R1).
            for entry in &half[..count - 1] {
                self.put(unsafe { &**entry });
            }
            return Some(unsafe { &*half[count - 1] });
        }
    }

    /// Anybody: might there be work for any worker?
    pub(crate) fn has_work(&self) -> bool {
        !self.ring.is_empty() || !self.runnext.load(Ordering::Relaxed).is_null()
    }

    /// Holder: an unused record.
    #[inline]
    pub(crate) fn take_record(&self) -> &'static Record {
        match self.free.pop() {
            Some(record) => record,
            None => self.refill_records(),
        }
    }

    #[cold]
    fn refill_records(&self) -> &'static Record {
        SCHED.take_free(&self.free, KEEP / 2);
        self.free.pop().unwrap_or_else(|| {
            for record in registry::grow() {
                self.free.push(record);
            }
            self.free.pop().expect("a slab is not empty")
        })
    }

    /// Holder: takes back the record of a task that ended.
    #[inline]
    pub(crate) fn put_record(&self, record: &'static Record) {
        self.free.push_front(record);
        if self.free.len() > 2 * KEEP {
            self.shed_records();
        }
    }

    #[cold]
    fn shed_records(&self) {
        let surplus = Fifo::new();
        while self.free.len() > KEEP {
            surplus.push(self.free.pop().expect("counted above"));
        }
        SCHED.put_free(&surplus);
    }

    /// Dead records at hand; for observers, so possibly stale.
    pub(crate) fn free_records(&self) -> usize {
        self.free.len()
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
