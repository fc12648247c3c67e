//! What is known of one socket.
//!
//! | field | who writes it |
//! |---|---|
//! | `events` | whoever has an event, or wakes for another reason, under the lock of `waiters` |
//! | `deadline`, `timeout` | the program, at any time; those who wait are woken then |
//! | `closed` | `close`, once; the owner, when it takes the slot |
//! | `next` | under the lock of the free ones |

use crate::inspect::WaitReason;
use crate::sched::park::{self, Park};
use crate::sync::waiters::{Parked, Place, Waiters};
use crate::sys::clock;
use crate::sys::lock::RawLock;
use crate::task::TaskRef;
use core::cell::{Cell, UnsafeCell};
use core::panic::Location;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// No deadline, no timeout.
const NEVER: u64 = u64::MAX;

/// Slots are made by so many.
const CHUNK: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Direction {
    Read,
    Write,
}

#[repr(align(64))]
pub(crate) struct Slot {
    read: Side,
    write: Side,
    closed: AtomicBool,
    next: Cell<Option<&'static Slot>>,
}

// SAFETY: `next` is touched under the lock of the free ones; the rest is atomic or
// has a lock of its own.
unsafe impl Sync for Slot {}

/// Those that nobody has.
struct Free {
    lock: RawLock,
    first: UnsafeCell<Option<&'static Slot>>,
}

// SAFETY: `first` is touched under the lock.
unsafe impl Sync for Free {}

static FREE: Free = Free { lock: RawLock::new(), first: UnsafeCell::new(None) };

impl Free {
    fn pop(&self) -> Option<&'static Slot> {
        // SAFETY: under the lock that guards it.
        self.lock.with(|| unsafe {
            let slot = (*self.first.get())?;
            *self.first.get() = slot.next.take();
            Some(slot)
        })
    }

    fn push(&self, slot: &'static Slot) {
        // SAFETY: as above.
        self.lock.with(|| unsafe { slot.next.set((*self.first.get()).replace(slot)) });
    }
}

impl Slot {
    const fn new() -> Slot {
        Slot {
            read: Side::new(),
            write: Side::new(),
            closed: AtomicBool::new(false),
            next: Cell::new(None),
        }
    }

    /// One that nobody has. Not in a section (N1).
    pub(super) fn take() -> &'static Slot {
        let slot = loop {
            if let Some(slot) = FREE.pop() {
                break slot;
            }
            let chunk: Vec<Slot> = (0..CHUNK).map(|_| Slot::new()).collect();
            chunk.leak().iter().for_each(|slot| FREE.push(slot));
        };
        slot.closed.store(false, Ordering::Relaxed);
        for side in [&slot.read, &slot.write] {
            side.deadline.store(NEVER, Ordering::Relaxed);
            side.timeout.store(NEVER, Ordering::Relaxed);
        }
        slot
    }

    pub(super) fn put(slot: &'static Slot) {
        FREE.push(slot);
    }

    /// What the kernel calls it.
    pub(super) fn token(&'static self) -> u64 {
        core::ptr::from_ref(self).expose_provenance() as u64
    }

    pub(super) fn of(token: u64) -> &'static Slot {
        // SAFETY: from token(), and slots are never freed (E1).
        unsafe { &*core::ptr::with_exposed_provenance(token as usize) }
    }

    pub(super) fn side(&self, direction: Direction) -> &Side {
        match direction {
            Direction::Read => &self.read,
            Direction::Write => &self.write,
        }
    }

    pub(super) fn close(&self) {
        // Relaxed: who waits is woken after it, under a lock; who does not may still
        // be before it.
        self.closed.store(true, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }
}

/// One direction of a socket.
pub(crate) struct Side {
    /// So far.
    events: AtomicU32,
    waiters: Waiters,
    /// When everything fails, on the clock of `sys::clock`.
    deadline: AtomicU64,
    /// How long an operation may wait, in nanoseconds.
    timeout: AtomicU64,
}

/// What an operation knows when it has to wait.
pub(crate) struct Wait {
    pub(crate) me: TaskRef,
    pub(crate) site: &'static Location<'static>,
    /// When it began to wait plus the timeout, once that is known.
    pub(crate) until: u64,
}

impl Wait {
    #[inline]
    pub(crate) fn new(me: TaskRef, site: &'static Location<'static>) -> Wait {
        Wait { me, site, until: 0 }
    }
}

impl Side {
    const fn new() -> Side {
        Side {
            events: AtomicU32::new(0),
            waiters: Waiters::new(),
            deadline: AtomicU64::new(NEVER),
            timeout: AtomicU64::new(NEVER),
        }
    }

    /// t1.
    #[inline]
    pub(crate) fn events(&self) -> u32 {
        // ORDERING: Acquire; pairs with the Release in wake(): what the event told
        // of is there for the attempt that follows.
        self.events.load(Ordering::Acquire)
    }

    /// e1 and e2.
    #[inline]
    pub(crate) fn wake(&self) {
        let held = self.waiters.hold();
        let events = self.events.load(Ordering::Relaxed).wrapping_add(1);
        // ORDERING: Release; pairs with the Acquire in events().
        self.events.store(events, Ordering::Release);
        held.end_round();
    }

    /// # Errors
    /// `TimedOut`: the deadline has passed.
    #[inline]
    pub(crate) fn in_time(&self) -> io::Result<()> {
        let deadline = self.deadline.load(Ordering::Relaxed);
        if deadline != NEVER && clock::now() >= deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }

    /// t3: waits for an event after `seen`.
    ///
    /// # Errors
    /// `TimedOut`; and another if the task is being ended, and unwinds already.
    #[inline(never)]
    pub(crate) fn wait(&self, seen: u32, wait: &mut Wait) -> io::Result<()> {
        let mut until = self.deadline.load(Ordering::Relaxed);
        let timeout = self.timeout.load(Ordering::Relaxed);
        if timeout != NEVER {
            if wait.until == 0 {
                wait.until = clock::now().saturating_add(timeout);
            }
            until = until.min(wait.until);
        }
        let how = Park::new(WaitReason::IoWait, wait.site).until_clock(until);
        let held = self.waiters.hold();
        if self.events.load(Ordering::Relaxed) != seen {
            return Ok(());
        }
        match held.park(wait.me, Place::Back, how) {
            Parked::Woken => Ok(()),
            Parked::TimedOut(held) => {
                drop(held);
                // A deadline may have been put off meanwhile.
                if wait.until == until {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                self.in_time()
            }
            Parked::Reaped(held) => {
                drop(held);
                park::on_reaped();
                Err(io::Error::other("the task is being ended"))
            }
        }
    }

    /// Those who wait look at it at once.
    pub(crate) fn set_deadline(&self, at: Option<u64>) {
        self.deadline.store(at.unwrap_or(NEVER), Ordering::Relaxed);
        self.wake();
    }

    pub(crate) fn set_timeout(&self, after: Option<Duration>) {
        let nanos = after.map_or(NEVER, |d| u64::try_from(d.as_nanos()).unwrap_or(NEVER));
        self.timeout.store(nanos, Ordering::Relaxed);
    }

    pub(crate) fn timeout(&self) -> Option<Duration> {
        let nanos = self.timeout.load(Ordering::Relaxed);
        (nanos != NEVER).then(|| Duration::from_nanos(nanos))
    }
}
