//! Who waits until something parks or ends, and is told of it.
//!
//! Tasks ask whether somebody wants to know whenever they park or end, so it must cost
//! them nothing while nobody does: a light barrier, whose partner is the heavy one of
//! whoever begins to watch.
//!
//! | step | who | what |
//! |---|---|---|
//! | n1 | a watcher | says that it wants to know; [`barrier::heavy`] |
//! | n2 | a watcher | reads the number of events |
//! | n3 | a watcher | looks at the tasks |
//! | n4 | a watcher | sleeps unless there was another event since n2; from n2 on |
//! | p1 | a task | parks, or ends |
//! | p2 | its worker | [`barrier::light`]; does somebody want to know? |
//! | p3 | its worker | counts an event, wakes who sleeps |
//!
//! Either p2 sees n1, or n3 sees p1. If p3 comes before n2, n3 sees p1 too; else n4 sees p3.

use crate::sys::atomic::{AtomicU32, Ordering};
use crate::sys::barrier;

pub(crate) struct Notice {
    /// Watches that exist.
    wanted: AtomicU32,
    events: AtomicU32,
}

impl Notice {
    pub(crate) fn new() -> Notice {
        Notice { wanted: AtomicU32::new(0), events: AtomicU32::new(0) }
    }

    /// n1; [`barrier::heavy`] follows.
    pub(crate) fn begin(&self) {
        self.wanted.fetch_add(1, Ordering::Relaxed);
    }

    #[cfg(not(loom))]
    pub(crate) fn end(&self) {
        self.wanted.fetch_sub(1, Ordering::Relaxed);
    }

    /// p2.
    #[inline]
    pub(crate) fn is_wanted(&self) -> bool {
        barrier::light();
        self.wanted.load(Ordering::Relaxed) != 0
    }

    /// p3; whoever sleeps on the futex is to be woken.
    pub(crate) fn tell(&self) {
        // ORDERING: Release; pairs with the Acquire in events().
        self.events.fetch_add(1, Ordering::Release);
    }

    /// n2.
    pub(crate) fn events(&self) -> u32 {
        // ORDERING: Acquire; pairs with the Release in tell(): what they tell of is seen.
        self.events.load(Ordering::Acquire)
    }

    /// Of the number of events.
    pub(crate) fn futex(&self) -> &AtomicU32 {
        &self.events
    }
}
