//! The timers of a processor: a heap, its lock, and room kept for those to come.
//!
//! An entry names a task and one of its parks, or a [`Node`] and one of its
//! settings. Nobody takes an entry out when its cause has gone, that would have to
//! find it first: it is *stale*, does nothing when it is due, and is swept when
//! half of the heap is like it.
//!
//! # Room
//! Entries are added where nothing may be allocated (N1): by a task whose park has
//! begun, with the lock of a channel held. So there is always room for everybody
//! who may come. [`promise`](Timers::promise) counts one more, and makes the heap
//! larger, outside of all sections, until it has so many places. An entry keeps its
//! promise for whoever it fires for; a stale one gives it back.
//!
//! - **M1** Promises that were given, with or without an entry yet, are no more
//!   than the places of the heap. So a push that has one does not allocate.
//! - **M2** What an entry points to, a record or a node, is never freed (R1). The
//!   tag says which park or setting is meant, and the thing itself until when it
//!   lasts; who fires looks there, and claims just that.

use super::heap::{Entry, Heap};
use super::node::Node;
use crate::arch;
use crate::sched::counts::Count;
use crate::sched::enqueue;
use crate::sched::park::{self, Claimed};
use crate::sys::lock::RawLock;
use crate::sys::turn::Turn;
use crate::task::record::Record;
use crate::task::state::Cause;
use core::cell::UnsafeCell;
use core::ptr;
use std::sync::atomic::{AtomicIsize, AtomicU64, AtomicUsize, Ordering};

/// Places that a heap begins with.
const PLACES: usize = 64;
/// How many entries are fired at a look.
const BATCH: usize = 32;

/// In cache lines of its own: others look at `first`.
#[repr(align(128))]
pub(crate) struct Timers {
    /// The earliest entry's time, `u64::MAX` without one. Written under the lock.
    first: AtomicU64,
    lock: RawLock,
    heap: UnsafeCell<Heap<What>>,
    /// Promises given.
    promised: AtomicUsize,
    places: AtomicUsize,
    /// Stale entries. For a moment an entry may be swept before it is counted here.
    stale: AtomicIsize,
    /// Somebody fires a batch: two at a time would mix up the order.
    firing: Turn,
    /// Entries that were due and had not gone; whoever fires counts.
    fired: Count,
}

// SAFETY: the heap is touched under the lock; the rest is atomic.
unsafe impl Sync for Timers {}

/// A record or a node, and in the bits that its address leaves free which of the
/// two, and which of its parks or settings.
#[derive(Clone, Copy, PartialEq, Eq)]
struct What(*const ());

/// Records and nodes are aligned to so many bytes.
const ALIGN: usize = 64;
const IS_NODE: usize = 1;
/// Bits of the tag: the lower ones stand below the address, above `IS_NODE`.
const LOW: u32 = ALIGN.ilog2() - 1;
/// Addresses of memory that was asked for without a hint are below.
const ADDRESS_BITS: u32 = 52;
const TAG: u32 = LOW + (usize::BITS - ADDRESS_BITS);

const _: () = assert!(align_of::<Record>() >= ALIGN && align_of::<Node>() >= ALIGN);

/// What is left of a number that counts parks or settings.
fn tag(n: u32) -> usize {
    n as usize & ((1 << TAG) - 1)
}

impl What {
    #[inline]
    fn new<T>(thing: &'static T, is_node: usize, n: u32) -> What {
        let tag = tag(n);
        let low = (tag & ((1 << LOW) - 1)) << 1;
        What(ptr::from_ref(thing).cast::<()>().map_addr(|address: usize| {
            debug_assert!(address >> ADDRESS_BITS == 0, "an address of {address:#x}");
            address | (tag >> LOW) << ADDRESS_BITS | low | is_node
        }))
    }

    fn tag(self) -> usize {
        let bits = self.0.addr();
        (bits >> ADDRESS_BITS) << LOW | (bits & (ALIGN - 1)) >> 1
    }

    fn address(self) -> *const () {
        self.0.map_addr(|bits| bits & ((1 << ADDRESS_BITS) - 1) & !(ALIGN - 1))
    }

    fn thing(self) -> Thing {
        // SAFETY: new() made it from a reference of that type to what is never
        // freed (M2).
        unsafe {
            match self.0.addr() & IS_NODE {
                0 => Thing::Task(&*self.address().cast()),
                _ => Thing::Node(&*self.address().cast()),
            }
        }
    }
}

enum Thing {
    Task(&'static Record),
    Node(&'static Node),
}

impl Entry<What> {
    /// Whether there may still be something to do when it is due.
    fn is_live(&self) -> bool {
        match self.what.thing() {
            Thing::Task(task) => {
                let seen = task.state.read();
                seen.parked() && tag(seen.ticket()) == self.what.tag() && task.until() == self.when
            }
            Thing::Node(node) => tag(node.setting()) == self.what.tag() && node.when() == self.when,
        }
    }
}

impl Timers {
    pub(crate) fn new() -> Timers {
        let heap = Heap::with_capacity(PLACES);
        Timers {
            first: AtomicU64::new(u64::MAX),
            lock: RawLock::new(),
            promised: AtomicUsize::new(0),
            places: AtomicUsize::new(heap.capacity()),
            stale: AtomicIsize::new(0),
            firing: Turn::new(),
            fired: Count::new(),
            heap: UnsafeCell::new(heap),
        }
    }

    fn with<R>(&self, f: impl FnOnce(&mut Heap<What>) -> R) -> R {
        self.lock.with(|| {
            // SAFETY: under the lock that guards it.
            let heap = unsafe { &mut *self.heap.get() };
            let r = f(heap);
            let first = heap.first();
            if first != self.first.load(Ordering::Relaxed) {
                // ORDERING: Relaxed; who looks takes the lock, or is ordered by
                // the barriers of `watch.rs`.
                self.first.store(first, Ordering::Relaxed);
            }
            r
        })
    }

    /// When the earliest entry is due; `u64::MAX` if there is none.
    #[inline]
    pub(crate) fn first(&self) -> u64 {
        self.first.load(Ordering::Relaxed)
    }

    /// Timers that are set, and stale ones.
    pub(crate) fn count(&self) -> usize {
        self.with(|heap| heap.len())
    }

    /// Timers that have fired so far.
    pub(crate) fn fired(&self) -> u64 {
        self.fired.get()
    }

    /// Sees to room for one more entry. In no section: it may allocate.
    #[inline]
    pub(super) fn promise(&self) {
        let promised = self.promised.fetch_add(1, Ordering::Relaxed) + 1;
        if promised > self.places.load(Ordering::Relaxed) {
            self.make_room();
        }
    }

    /// Takes a promise back.
    #[inline]
    pub(super) fn release(&self, promises: usize) {
        self.promised.fetch_sub(promises, Ordering::Relaxed);
    }

    /// Until it returns the promise is not given (M1).
    #[cold]
    #[inline(never)]
    fn make_room(&self) {
        loop {
            self.sweep();
            let promised = self.promised.load(Ordering::Relaxed);
            let places = self.places.load(Ordering::Relaxed);
            if promised <= places {
                return;
            }
            // At least a half is stale often enough that doubling is not for them.
            let mut larger = Heap::with_capacity((2 * places).max(promised));
            self.with(|heap| {
                if heap.capacity() < larger.capacity() {
                    heap.move_to(&mut larger);
                    std::mem::swap(heap, &mut larger);
                    self.places.store(heap.capacity(), Ordering::Relaxed);
                }
            });
            // `larger` is the smaller one now, and goes outside of the lock.
        }
    }

    /// Sweeps stale entries if there are many.
    fn sweep(&self) {
        let stale = self.stale.load(Ordering::Relaxed);
        let gone = self.with(|heap| {
            let many = usize::try_from(stale).is_ok_and(|n| n >= PLACES / 2 && n >= heap.len() / 2);
            if many { heap.sweep(Entry::is_live) } else { 0 }
        });
        self.are_gone(gone);
    }

    /// So many stale entries have left the heap.
    fn are_gone(&self, stale: usize) {
        if stale != 0 {
            self.stale.fetch_sub(stale as isize, Ordering::Relaxed);
            self.release(stale);
        }
    }

    /// An entry has become stale, and with it its promise.
    #[inline]
    pub(super) fn one_stale(&self) {
        self.stale.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds the timer of a park. Who calls it has a promise.
    #[inline]
    pub(super) fn add_task(&self, when: u64, task: &'static Record, ticket: u32) {
        self.add(Entry { when, what: What::new(task, 0, ticket) });
    }

    /// Adds a node's. Who calls it has a promise.
    pub(super) fn add_node(&self, when: u64, node: &'static Node, setting: u32) {
        self.add(Entry { when, what: What::new(node, IS_NODE, setting) });
    }

    #[inline]
    fn add(&self, entry: Entry<What>) {
        self.with(|heap| {
            debug_assert!(heap.len() < heap.capacity(), "M1");
            heap.push(entry);
        });
    }

    /// Fires what is due, a batch of it at most, unless somebody does so already.
    /// How many tasks that made ready.
    #[inline]
    pub(crate) fn run(&'static self, now: u64) -> usize {
        // What was fired in the turns before is where its tasks are run before what is
        // fired now.
        if self.first() > now || !self.firing.take() {
            return 0;
        }
        let ready = self.fire_batch(now);
        self.firing.give_back();
        ready
    }

    #[inline(never)]
    fn fire_batch(&'static self, now: u64) -> usize {
        let mut due = [const { None }; BATCH];
        self.with(|heap| {
            for place in &mut due {
                *place = heap.pop_due(now);
                if place.is_none() {
                    break;
                }
            }
        });
        let due = due.iter().map_while(Option::as_ref);
        due.clone().for_each(|entry| arch::prefetch(entry.what.address().cast()));
        let (mut stale, mut ready, mut all) = (0, 0, 0);
        for entry in due {
            all += 1;
            match self.fire(entry, now) {
                Fired::Stale => stale += 1,
                Fired::Nobody => {}
                Fired::Task => ready += 1,
            }
        }
        self.fired.add(all - stale as u64);
        self.are_gone(stale);
        ready
    }

    fn fire(&'static self, entry: &Entry<What>, now: u64) -> Fired {
        match entry.what.thing() {
            Thing::Task(task) => fire_task(task, entry.what.tag(), now),
            Thing::Node(node) => node.fire(self, entry.what.tag(), now),
        }
    }
}

/// What an entry that was due has done.
pub(super) enum Fired {
    /// Nothing: its cause had gone. It gives its promise back.
    Stale,
    /// What it was to do, and nobody waited for it.
    Nobody,
    Task,
}

/// Ends the park that is meant, if it lasts and is due. The promise is the task's
/// again.
fn fire_task(task: &'static Record, meant: usize, now: u64) -> Fired {
    let seen = task.state.read();
    if !seen.parked() || tag(seen.ticket()) != meant || task.until() > now {
        return Fired::Stale;
    }
    match park::claim(task, Cause::Timer, Some(seen.ticket())) {
        Some(Claimed::Task(task)) => {
            enqueue::enqueue_behind(task);
            Fired::Task
        }
        Some(claimed) => {
            claimed.enqueue();
            Fired::Task
        }
        None => Fired::Stale,
    }
}

/// Whether the number of a setting has this tag.
pub(super) fn is_meant(setting: u32, meant: usize) -> bool {
    tag(setting) == meant
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_addresses_do_not_mix() {
        let record: &'static Record = Box::leak(Box::new(Record::new()));
        for ticket in [0, 1, 31, 32, (1 << TAG) - 1, 1 << TAG, u32::MAX] {
            let what = What::new(record, 0, ticket);
            assert_eq!(what.tag(), tag(ticket));
            assert!(matches!(what.thing(), Thing::Task(task) if ptr::eq(task, record)));
        }
    }

    #[test]
    fn a_promise_makes_room() {
        let timers: &'static Timers = Box::leak(Box::new(Timers::new()));
        let record: &'static Record = Box::leak(Box::new(Record::new()));
        for n in 0..1000 {
            timers.promise();
            timers.add_task(1000 - n, record, 1);
        }
        assert_eq!(timers.first(), 1);
        // All are stale, as the record is not parked.
        while timers.first() <= 500 {
            assert_eq!(timers.run(500), 0);
        }
        assert_eq!(timers.promised.load(Ordering::Relaxed), 500);
        timers.with(|heap| assert_eq!(heap.len(), 500));
    }

    #[test]
    fn what_is_stale_is_swept_instead_of_making_room() {
        let timers: &'static Timers = Box::leak(Box::new(Timers::new()));
        let record: &'static Record = Box::leak(Box::new(Record::new()));
        for n in 0..10_000 {
            timers.promise();
            timers.add_task(n, record, 1);
            timers.one_stale();
        }
        assert!(timers.places.load(Ordering::Relaxed) < 500);
        assert!(timers.promised.load(Ordering::Relaxed) < 500);
    }
}
