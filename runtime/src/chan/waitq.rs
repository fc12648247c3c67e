//! Queues of parked tasks: intrusive, first in first out, without allocation.
//!
//! A waiter is a [`Link`] in the stack frame of the task that parks, or in a box of
//! a future's (`future.rs`), whose task is a bell; a queue
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
//!   partner has unlinked it, or the frame takes the lock and removes it. So
//!   under the lock every link in the queue is alive.
//! - **W3** A successful claim is the last that a partner has to do with a link.
//!   The task may run at once, before the partner unlocks and before it
//!   enqueues: an adopted thread looks at its state word by itself, and an
//!   observer that holds the task enqueues it. So whatever the waiter is to find
//!   in its node is written before the claim.
//! - **W4** After a failed claim the node is alive as long as the lock is held,
//!   because its task needs the lock before its frame ends. What was written
//!   into the node does not count: the task looks at it only after `Ready`.
//! - **W5** A link that is queued has a task: from the beginning, or since it was
//!   assigned, which comes before every push.

use crate::sched::park::Claimed;
use crate::task::TaskRef;
use std::cell::Cell;
use std::ptr;

/// A waiter's place in a [`Queue`].
pub(crate) struct Link {
    next: Cell<*const Link>,
    prev: Cell<*const Link>,
    /// Set while it is queued.
    task: Cell<Option<TaskRef>>,
    queued: Cell<bool>,
    case: Cell<u16>,
    tag: Cell<u32>,
}

impl Link {
    /// `tag` is the primitive's own affair.
    #[inline]
    pub(crate) fn new(task: TaskRef, tag: u32) -> Self {
        Self {
            next: Cell::new(ptr::null()),
            prev: Cell::new(ptr::null()),
            task: Cell::new(Some(task)),
            queued: Cell::new(false),
            case: Cell::new(0),
            tag: Cell::new(tag),
        }
    }

    /// Of a task that is not known yet.
    #[inline]
    pub(crate) fn vacant() -> Self {
        Self {
            next: Cell::new(ptr::null()),
            prev: Cell::new(ptr::null()),
            task: Cell::new(None),
            queued: Cell::new(false),
            case: Cell::new(0),
            tag: Cell::new(0),
        }
    }

    /// Whose it is from the next push on, and which case of its select; never
    /// while it is queued (W1).
    #[inline]
    pub(crate) fn assign(&self, task: TaskRef, case: u16) {
        self.task.set(Some(task));
        self.case.set(case);
    }

    /// Under the lock of the queue that it was put into.
    pub(crate) fn is_queued(&self) -> bool {
        self.queued.get()
    }

    /// As for [`Link::assign`].
    pub(crate) fn set_tag(&self, tag: u32) {
        self.tag.set(tag);
    }
}

/// A queue of parked tasks. Lives under the primitive's lock.
pub(crate) struct Queue {
    head: *const Link,
    tail: *const Link,
}

impl Queue {
    pub(crate) const fn new() -> Self {
        Self { head: ptr::null(), tail: ptr::null() }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.head.is_null()
    }

    /// The tag of the first waiter.
    ///
    /// # Safety
    /// The queue's lock is held.
    pub(crate) unsafe fn first_tag(&self) -> Option<u32> {
        // SAFETY: null, or alive (W2).
        unsafe { self.head.as_ref() }.map(|link| link.tag.get())
    }

    /// When the waiters have parked, in the order of the queue. Those of a future that is not
    /// parked are not among them.
    ///
    /// # Safety
    /// The queue's lock is held, and stays so while the iterator is in use.
    pub(crate) unsafe fn since(&self) -> impl Iterator<Item = u64> {
        // SAFETY: null, or alive (W2).
        let first = unsafe { self.head.as_ref() };
        // SAFETY: as above.
        let all = core::iter::successors(first, |link| unsafe { link.next.get().as_ref() });
        all.filter_map(|link| link.task.get()).map(|task| task.record().since())
    }

    /// Appends a waiter.
    ///
    /// # Safety
    /// The queue's lock is held. `link` is in no queue, and the caller keeps W2.
    #[inline]
    pub(crate) unsafe fn push_back(&mut self, link: *const Link) {
        // SAFETY: the caller's link is alive, the tail is by W2.
        unsafe {
            debug_assert!(!(*link).queued.get() && (*link).task.get().is_some());
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

    /// Takes the first waiter out and tries to claim it: the outer `None` says
    /// that the queue is empty, the inner one that the claim failed.
    ///
    /// `prepare` sees the link before the claim and writes what the waiter is to
    /// find in its node (W3). If the claim fails, that was in vain (W4). After
    /// unlocking, the caller enqueues what it claimed.
    ///
    /// # Safety
    /// The queue's lock is held.
    #[inline]
    pub(crate) unsafe fn try_first(
        &mut self,
        prepare: impl FnOnce(*const Link),
    ) -> Option<Option<Claimed>> {
        let link = self.head;
        if link.is_null() {
            return None;
        }
        // SAFETY: the first link and its neighbour are alive (W2). The claim is
        // the last that happens to the link (W3).
        unsafe {
            self.head = (*link).next.get();
            match self.head.as_ref() {
                Some(next) => next.prev.set(ptr::null()),
                None => self.tail = ptr::null(),
            }
            (*link).queued.set(false);
            prepare(link);
            let (task, case) = ((*link).task.get(), (*link).case.get());
            // W5.
            Some(task.unwrap_unchecked().claim_case(case))
        }
    }

    /// [`Queue::try_first`] until a claim succeeds or the queue is empty.
    ///
    /// # Safety
    /// The queue's lock is held.
    #[inline]
    pub(crate) unsafe fn claim_first(
        &mut self,
        mut prepare: impl FnMut(*const Link),
    ) -> Option<Claimed> {
        loop {
            // SAFETY: by contract.
            let claimed = unsafe { self.try_first(&mut prepare) }?;
            if claimed.is_some() {
                return claimed;
            }
        }
    }
}
