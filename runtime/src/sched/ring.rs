//! A processor's run queue: a ring with one producer and many thieves.
//!
//! ```text
//!      head (taken up to here)          tail (filled up to here)
//!        ▼                                ▼
//!   … │  │ a │ b │ c │ d │ e │ f │ g │ h │  │ …      index modulo SIZE
//!        └── thieves and the owner take ──┘└── the owner puts
//! ```
//!
//! Both indices only grow (and wrap). The owner, who holds the processor, is
//! the only one that moves `tail`. Everybody moves `head`, by compare-exchange;
//! whoever succeeds owns the entries between the old head and the new one.
//!
//! - **Q1** `tail - head <= SIZE`.
//! - **Q2** A slot is written only while it lies outside `head..tail`. A taker
//!   that read a slot and then moved `head` past it has read what was put there:
//!   had the slot been written meanwhile, `head` would have moved first.

use crate::sys::atomic::{AtomicPtr, AtomicU32, Ordering};

#[cfg(not(loom))]
pub(crate) const SIZE: u32 = 256;
/// Small under loom, so that models reach the edges.
#[cfg(loom)]
pub(crate) const SIZE: u32 = 4;

pub(crate) struct Ring<T> {
    head: AtomicU32,
    tail: AtomicU32,
    slots: [AtomicPtr<T>; SIZE as usize],
}

/// Entries that were read but not yet taken: [`Ring::commit`] takes them.
#[must_use]
#[derive(Clone, Copy)]
pub(crate) struct Grab {
    head: u32,
    count: u32,
}

impl Grab {
    pub(crate) fn len(self) -> u32 {
        self.count
    }
}

impl<T> Ring<T> {
    pub(crate) fn new() -> Self {
        Ring {
            head: AtomicU32::new(0),
            tail: AtomicU32::new(0),
            slots: std::array::from_fn(|_| AtomicPtr::new(core::ptr::null_mut())),
        }
    }

    /// An empty ring whose indices start elsewhere.
    #[cfg(loom)]
    pub(crate) fn starting_at(n: u32) -> Self {
        Ring { head: AtomicU32::new(n), tail: AtomicU32::new(n), ..Self::new() }
    }

    fn slot(&self, n: u32) -> &AtomicPtr<T> {
        &self.slots[(n % SIZE) as usize]
    }

    /// Entries in the queue; exact for the owner if nobody steals.
    pub(crate) fn len(&self) -> u32 {
        // ORDERING: Acquire; pairs with the Release in put() and commit().
        let head = self.head.load(Ordering::Acquire);
        let tail = self.tail.load(Ordering::Acquire);
        // The tail is not older than the head, so the difference is never below
        // the truth at some moment in between; but it can be above the size, when
        // entries were taken and put meanwhile. That ring is not empty.
        tail.wrapping_sub(head).min(SIZE)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Owner: puts an entry at the tail. A full ring hands it back.
    #[inline]
    pub(crate) fn put(&self, entry: *mut T) -> Result<(), *mut T> {
        // ORDERING: Acquire; pairs with the Release in commit(): the taker has
        // read the slot before it is written again (Q2).
        let head = self.head.load(Ordering::Acquire);
        let tail = self.tail.load(Ordering::Relaxed);
        if tail.wrapping_sub(head) >= SIZE {
            return Err(entry);
        }
        self.slot(tail).store(entry, Ordering::Relaxed);
        // ORDERING: Release; pairs with the Acquire of tail in grab(). Publishes
        // the slot and what the entry points to.
        self.tail.store(tail.wrapping_add(1), Ordering::Release);
        Ok(())
    }

    /// Owner: takes the oldest entry.
    #[inline]
    pub(crate) fn take(&self) -> Option<*mut T> {
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            if head == self.tail.load(Ordering::Relaxed) {
                return None;
            }
            let entry = self.slot(head).load(Ordering::Relaxed);
            // ORDERING: Release; pairs with the Acquire of head in put(). On
            // failure nothing is published.
            match self.head.compare_exchange_weak(
                head,
                head.wrapping_add(1),
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some(entry),
                Err(now) => head = now,
            }
        }
    }

    /// Owner: what lies `n` entries behind the head, perhaps an old entry: a hint.
    #[cfg(not(loom))]
    #[inline]
    pub(crate) fn peek(&self, n: u32) -> *mut T {
        self.slot(self.head.load(Ordering::Relaxed).wrapping_add(n)).load(Ordering::Relaxed)
    }

    /// Anybody: reads the older half into `into`, oldest first, but no more than `most`.
    /// It is taken only when [`commit`](Self::commit) says so.
    pub(crate) fn grab(&self, into: &mut [*mut T; SIZE as usize / 2], most: u32) -> Grab {
        loop {
            // ORDERING: Acquire; pairs with the Release in commit() and take(),
            // so that the tail read next is not older than this head.
            let head = self.head.load(Ordering::Acquire);
            // ORDERING: Acquire; pairs with the Release in put(): slots up to
            // this tail are visible.
            let tail = self.tail.load(Ordering::Acquire);
            let len = tail.wrapping_sub(head);
            if len > SIZE {
                // Read across somebody's progress: look again.
                #[cfg(loom)]
                loom::thread::yield_now();
                continue;
            }
            let count = (len - len / 2).min(most);
            for n in 0..count {
                into[n as usize] = self.slot(head.wrapping_add(n)).load(Ordering::Relaxed);
            }
            return Grab { head, count };
        }
    }

    /// Takes what was grabbed. `false`: somebody was faster, and the entries
    /// that were read belong to others.
    #[must_use]
    pub(crate) fn commit(&self, grab: Grab) -> bool {
        // ORDERING: Release; pairs with the Acquire of head in put(): the slots
        // were read before they can be written again. Q2 makes Relaxed enough
        // for the failure.
        self.head
            .compare_exchange(
                grab.head,
                grab.head.wrapping_add(grab.count),
                Ordering::Release,
                Ordering::Relaxed,
            )
            .is_ok()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn fill(ring: &Ring<u8>, range: std::ops::Range<usize>) {
        for n in range {
            ring.put(core::ptr::without_provenance_mut(n)).unwrap();
        }
    }

    #[test]
    fn takes_in_order_and_refuses_when_full() {
        let ring = Ring::<u8>::new();
        fill(&ring, 0..SIZE as usize);
        assert!(ring.put(core::ptr::null_mut()).is_err());
        assert_eq!(ring.take().map(|p| p.addr()), Some(0));
        fill(&ring, 256..257);
        assert_eq!(ring.len(), SIZE);
        for n in 1..=256 {
            assert_eq!(ring.take().map(|p| p.addr()), Some(n));
        }
        assert!(ring.take().is_none());
    }

    #[test]
    fn a_thief_takes_the_older_half() {
        let ring = Ring::<u8>::new();
        fill(&ring, 1..6);
        let mut into = [core::ptr::null_mut(); SIZE as usize / 2];
        let grab = ring.grab(&mut into, SIZE);
        assert_eq!(grab.len(), 3);
        assert!(ring.commit(grab));
        assert_eq!(into[..3].iter().map(|p| p.addr()).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(ring.take().map(|p| p.addr()), Some(4));
        let stale = ring.grab(&mut into, SIZE);
        assert_eq!(ring.take().map(|p| p.addr()), Some(5));
        assert!(!ring.commit(stale), "the owner was faster");
    }
}
