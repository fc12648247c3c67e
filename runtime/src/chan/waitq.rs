//! Queues of parked tasks: intrusive, first in first out, without allocation.
//!
//! A waiter is a [`Link`] in the stack frame of the task that parks; a queue
//! is two pointers inside the primitive. Channels embed the link in a node with
//! a value slot, locks use it bare.
//!
//! ```text
//!   primitive (under its RawLock)          stacks of parked tasks
//!   ┌───────────┐        ┌────────────┐     ┌────────────┐     ┌────────────┐
//!   │ head ─────┼───────>│ next ──────┼────>│ next ──────┼────>│ next = 0   │
//!   │ tail ─────┼──┐     │ prev = 0   │<────┼─ prev      │<────┼─ prev      │
//!   └───────────┘  │     │ task A     │     │ task B     │     │ task C     │
//!                  │     └────────────┘     └────────────┘     └─────^──────┘
//!                  └─────────────────────────────────────────────────┘
//! ```
//!
//! A task may have several causes to resume: a partner, a timer, the reaper,
//! and in a `select` several queues. `TaskRef::claim` decides between them, and
//! exactly one wins. A queue therefore never knows that a waiter is still
//! available; it finds out by claiming it.
//!
//! # Invariants
//!
//! - **W1** A link is read and written only under the lock of the queue it is
//!   in, from the push until it is off the queue.
//! - **W2** The frame that holds a link does not end, by return or by unwind,
//!   before the link is off the queue: either `park` returned `Ready`, and the
//!   partner has unlinked it (W3), or the frame takes the lock and removes it.
//!   So under the lock every link in the queue is alive.
//! - **W3** Who claims a waiter has unlinked it in the same critical section.
//!   From then until `Claimed::enqueue` the task cannot resume, so the link
//!   is alive and belongs to the claimer alone, without the lock.
//! - **W4** After a failed claim the link is unlinked and not touched again: its
//!   task is on its way by itself, and only the lock keeps its frame alive.
//! - **W5** After `Claimed::enqueue` the link may be gone.

use crate::sched::park::Claimed;
use crate::task::TaskRef;
use std::cell::Cell;
use std::ptr;

/// A waiter's place in a [`Queue`].
pub(crate) struct Link {
    next: Cell<*const Link>,
    prev: Cell<*const Link>,
    queued: Cell<bool>,
    task: TaskRef,
    /// Set from [`Batch::push`] until the batch enqueues the task.
    claimed: Cell<Option<Claimed>>,
}

impl Link {
    #[inline]
    pub(crate) fn new(task: TaskRef) -> Self {
        Self {
            next: Cell::new(ptr::null()),
            prev: Cell::new(ptr::null()),
            queued: Cell::new(false),
            task,
            claimed: Cell::new(None),
        }
    }
}

/// A queue of parked tasks. Lives under the primitive's lock.
pub(crate) struct Queue {
    head: *const Link,
    tail: *const Link,
}

impl Queue {
    pub(crate) const fn new() -> Self {
        Self {
            head: ptr::null(),
            tail: ptr::null(),
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.head.is_null()
    }

    /// Appends a waiter.
    ///
    /// # Safety
    /// The queue's lock is held. `link` is in no queue, and the caller keeps W2.
    #[inline]
    pub(crate) unsafe fn push_back(&mut self, link: *const Link) {
        // SAFETY: the caller's link is alive, the tail is by W2.
        unsafe {
            debug_assert!(!(*link).queued.get());
            (*link).next.set(ptr::null());
            (*link).prev.set(self.tail);
            (*link).queued.set(true);
            if self.tail.is_null() {
                self.head = link;
            } else {
                (*self.tail).next.set(link);
            }
        }
        self.tail = link;
    }

    /// Puts a waiter before all others: one that was woken and came too late.
    ///
    /// # Safety
    /// As [`Queue::push_back`].
    pub(crate) unsafe fn push_front(&mut self, link: *const Link) {
        // SAFETY: the caller's link is alive, the head is by W2.
        unsafe {
            debug_assert!(!(*link).queued.get());
            (*link).next.set(self.head);
            (*link).prev.set(ptr::null());
            (*link).queued.set(true);
            if self.head.is_null() {
                self.tail = link;
            } else {
                (*self.head).prev.set(link);
            }
        }
        self.head = link;
    }

    /// Takes a waiter out, wherever it stands; nothing happens if a partner whose
    /// claim failed has unlinked it already (W4).
    ///
    /// # Safety
    /// The queue's lock is held. `link` is alive and in this queue or in none.
    #[inline]
    pub(crate) unsafe fn remove(&mut self, link: *const Link) {
        // SAFETY: the caller's link is alive, its neighbours are by W2.
        unsafe {
            if !(*link).queued.replace(false) {
                return;
            }
            let (prev, next) = ((*link).prev.get(), (*link).next.get());
            if prev.is_null() {
                self.head = next;
            } else {
                (*prev).next.set(next);
            }
            if next.is_null() {
                self.tail = prev;
            } else {
                (*next).prev.set(prev);
            }
        }
    }

    /// Unlinks waiters from the front until one can be claimed, and gives that
    /// one: from now on it belongs to the caller (W3), who enqueues it after
    /// unlocking.
    ///
    /// # Safety
    /// The queue's lock is held.
    #[inline]
    pub(crate) unsafe fn claim_first(&mut self) -> Option<(*const Link, Claimed)> {
        while !self.head.is_null() {
            let link = self.head;
            // SAFETY: links in the queue are alive (W2). After a failed claim
            // the link is not touched again (W4).
            unsafe {
                self.remove(link);
                if let Some(claimed) = (*link).task.claim() {
                    return Some((link, claimed));
                }
            }
        }
        None
    }

    /// Unlinks every waiter and claims those that can be.
    ///
    /// # Safety
    /// The queue's lock is held.
    pub(crate) unsafe fn claim_all(&mut self) -> Batch {
        let mut batch = Batch::new();
        // SAFETY: the lock is held; the claimed links are ours (W3).
        unsafe {
            while let Some((link, claimed)) = self.claim_first() {
                batch.push(link, claimed);
            }
        }
        batch
    }
}

/// Claimed waiters on their way out, in order. They are chained through their
/// own links, so that a close wakes any number of tasks without allocating.
///
/// Dropping the batch enqueues them; do it after unlocking.
pub(crate) struct Batch {
    head: *const Link,
    tail: *const Link,
}

impl Batch {
    #[inline]
    pub(crate) const fn new() -> Self {
        Self {
            head: ptr::null(),
            tail: ptr::null(),
        }
    }

    /// Adds a waiter.
    ///
    /// # Safety
    /// `link` was unlinked and claimed by the caller (W3), and `claimed` is the
    /// proof.
    #[inline]
    pub(crate) unsafe fn push(&mut self, link: *const Link, claimed: Claimed) {
        // SAFETY: both links are claimed and not enqueued: alive and ours (W3).
        unsafe {
            (*link).next.set(ptr::null());
            (*link).claimed.set(Some(claimed));
            if self.tail.is_null() {
                self.head = link;
            } else {
                (*self.tail).next.set(link);
            }
        }
        self.tail = link;
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        while !self.head.is_null() {
            // SAFETY: W3; all that is needed is read before enqueue() ends the
            // link's life (W5).
            let claimed = unsafe {
                let link = self.head;
                self.head = (*link).next.get();
                (*link).claimed.take()
            };
            if let Some(claimed) = claimed {
                claimed.enqueue();
            }
        }
    }
}
