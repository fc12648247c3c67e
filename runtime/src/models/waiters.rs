//! What the models of locks wait in: `sync::waiters`, with a lock of loom's for the
//! `RawLock` and one word for a parked task's state.

use super::Futex;
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::sync::{Mutex, MutexGuard};
use std::collections::VecDeque;
use std::sync::Arc;

const WAITS: u32 = 0;
const WOKEN: u32 = 1;
const GAVE_UP: u32 = 2;

/// A waiter; its park ends once.
pub(super) struct Waiter {
    state: AtomicU32,
    futex: Futex,
    pub(super) tag: u32,
}

impl Waiter {
    fn claim(&self, how: u32) -> bool {
        // ORDERING: AcqRel; as StateWord::claim().
        self.state.compare_exchange(WAITS, how, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

/// The queue and the lock around it.
pub(super) struct Waiters(Mutex<Inner>);

pub(super) struct Inner {
    queue: VecDeque<Arc<Waiter>>,
    pub(super) round: u32,
    pub(super) members: u32,
}

pub(super) type Held<'a> = MutexGuard<'a, Inner>;

/// A waiter that was claimed and is yet to be woken.
#[must_use]
pub(super) struct Claimed(Arc<Waiter>);

impl Claimed {
    pub(super) fn enqueue(self) {
        self.0.futex.wake();
    }
}

impl Inner {
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// The first that still waits, if its tag will do.
    pub(super) fn claim_first(&mut self, will_do: impl Fn(u32) -> bool) -> Option<(u32, Claimed)> {
        while self.queue.front().is_some_and(|waiter| will_do(waiter.tag)) {
            let waiter = self.queue.pop_front().expect("there is a front");
            if waiter.claim(WOKEN) {
                return Some((waiter.tag, Claimed(waiter)));
            }
        }
        None
    }
}

impl Waiters {
    pub(super) fn new() -> Waiters {
        Waiters(Mutex::new(Inner { queue: VecDeque::new(), round: 0, members: 0 }))
    }

    pub(super) fn hold(&self) -> Held<'_> {
        self.0.lock().unwrap()
    }

    /// Parks. One that is `timed` gives up at any moment, unless it is woken before;
    /// it then is off the queue, which is locked.
    pub(super) fn park<'a>(
        &'a self,
        held: Held<'a>,
        tag: u32,
        front: bool,
        timed: bool,
    ) -> Result<(), Held<'a>> {
        self.park_then(held, tag, front, timed, || ())
    }

    /// The same, and `then` runs once the waiter is parked and the queue unlocked.
    pub(super) fn park_then<'a>(
        &'a self,
        mut held: Held<'a>,
        tag: u32,
        front: bool,
        timed: bool,
        then: impl FnOnce(),
    ) -> Result<(), Held<'a>> {
        let waiter = Arc::new(Waiter { state: AtomicU32::new(WAITS), futex: Futex::new(), tag });
        match front {
            true => held.queue.push_front(Arc::clone(&waiter)),
            false => held.queue.push_back(Arc::clone(&waiter)),
        }
        drop(held);
        then();
        if timed && waiter.claim(GAVE_UP) {
            let mut held = self.hold();
            held.queue.retain(|other| !Arc::ptr_eq(other, &waiter));
            return Err(held);
        }
        // ORDERING: Acquire; as StateWord::start().
        while waiter.state.load(Ordering::Acquire) == WAITS {
            waiter.futex.wait(|| waiter.state.load(Ordering::Relaxed) == WAITS);
        }
        Ok(())
    }
}
