//! Which sockets are ready, and who asks the kernel. Go: `netpoll`.
//!
//! There is one [`Poller`] in the process. A socket enters it once, for both
//! directions and by *edges*: the kernel tells when something arrives or room
//! appears, not that it is there. So nothing is armed again before each wait, and
//! an operation that finds what it wants costs one system call, its own.
//!
//! # Rejected
//! - *Level or one-shot events*, armed anew for each wait: one more system call on
//!   the way of every message.
//! - *A thread that does nothing but wait for events.* Each event of an idle
//!   program then wakes two threads one after the other, that one and the worker.
//! - *A poller for each worker*, which would bring the events of bound tasks to the
//!   right thread. But sockets are used by several tasks, and in migrating mode
//!   there is no right thread.
//!
//! # No event is missed
//! Each direction of a socket counts its events. A task **(t1)** reads the count,
//! **(t2)** tries, and if that would block **(t3)** locks the queue of those who
//! wait, reads the count again, and parks only if it is the same, which releases the
//! lock. Whoever has an event from the kernel **(e1)** counts it under that lock and
//! **(e2)** wakes all who wait.
//!
//! Suppose the task would block at t2 and something arrives afterwards. The kernel
//! then makes an event, and e1 follows. If e1 comes before t3, the count differs
//! from that of t1 (for e1 cannot come before t1, which comes before the arrival),
//! and the task tries again. Else e2 finds it parked. An event may be counted for
//! something that a task has taken already; then somebody tries once in vain. So
//! an event that comes late, for a socket whose slot another one has by now, does no
//! harm either, and slots need no generations.
//!
//! That all are woken, not one, is because one edge may stand for several
//! connections, and who takes one of them knows nothing of the others.
//!
//! # Who looks
//! - A worker that has nothing to run, before it steals ([`look`], one at a time).
//! - A worker that is going to sleep while there is an idle processor takes the
//!   *seat*, if it is free: it sleeps in the poller instead of on its own word, and
//!   wakes for either ([`seat`]). So an event of an idle program wakes one thread,
//!   which runs the task itself if that is bound to it or may run anywhere.
//! - sysmon, if between two of its looks, a millisecond, nobody did and nobody
//!   sits ([`Watch`]).
//!
//! # Invariants
//! - **E1** Slots are never freed, so a token from the kernel leads to one at any
//!   time. A slot has one owner, the [`Source`] that took it.

pub(crate) mod seat;
mod slot;

pub(crate) use seat::{Watch, sit};
use slot::Slot;
pub(crate) use slot::{Direction, Side, Wait};

use crate::sched::counts::Count;
use crate::sched::handover;
use crate::sys::epoll::{BELL, Event, Events, Poller};
use crate::sys::section::Section;
use std::io;
use std::os::fd::RawFd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

static POLLER: OnceLock<Poller> = OnceLock::new();

/// Sockets in the poller.
static SOURCES: AtomicUsize = AtomicUsize::new(0);

/// Somebody looks without sleeping; others need not.
static LOOKING: AtomicBool = AtomicBool::new(false);
/// Looks so far; counted by who looks.
static LOOKS: Count = Count::new();

fn poller() -> io::Result<&'static Poller> {
    if let Some(poller) = POLLER.get() {
        return Ok(poller);
    }
    let new = Poller::new()?;
    let poller = POLLER.get_or_init(|| new);
    // From here on a worker that goes to sleep may take the seat, and those that
    // sleep already do not know.
    let _section = Section::new();
    handover::wake_one();
    Ok(poller)
}

/// A socket's place in the poller, until this is dropped.
pub(crate) struct Source {
    slot: &'static Slot,
    file: RawFd,
}

impl Source {
    /// Enters a socket, which must not be closed before this is dropped. Not in a
    /// section (N1).
    pub(crate) fn new(file: RawFd) -> io::Result<Source> {
        crate::sched::start_default();
        let poller = poller()?;
        let slot = Slot::take();
        if let Err(error) = poller.add(file, slot.token()) {
            Slot::put(slot);
            return Err(error);
        }
        SOURCES.fetch_add(1, Ordering::Relaxed);
        Ok(Source { slot, file })
    }

    pub(crate) fn side(&self, direction: Direction) -> &'static Side {
        self.slot.side(direction)
    }

    /// From now on every operation fails.
    pub(crate) fn close(&self) {
        self.slot.close();
        if let Ok(poller) = poller() {
            poller.remove(self.file);
        }
    }

    /// Wakes those who wait, who then look again whether they may.
    pub(crate) fn wake(&self) {
        self.slot.side(Direction::Read).wake();
        self.slot.side(Direction::Write).wake();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.slot.is_closed()
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        if let Ok(poller) = poller() {
            poller.remove(self.file);
        }
        SOURCES.fetch_sub(1, Ordering::Relaxed);
        Slot::put(self.slot);
    }
}

/// How often the kernel was asked so far.
pub(crate) fn polls() -> u64 {
    LOOKS.get() + seat::SITTINGS.get()
}

/// Makes those tasks ready whose sockets are. Whether there were any. In a section.
#[inline]
pub(crate) fn look() -> bool {
    if SOURCES.load(Ordering::Relaxed) == 0 {
        return false;
    }
    look_now()
}

fn look_now() -> bool {
    let Some(poller) = POLLER.get() else { return false };
    if LOOKING.load(Ordering::Relaxed) || LOOKING.swap(true, Ordering::Relaxed) {
        return false;
    }
    LOOKS.add(1);
    let mut room = Events::new();
    let events = poller.wait(&mut room, Some(Duration::ZERO));
    LOOKING.store(false, Ordering::Relaxed);
    wake(events)
}

/// Whether there were any but the bell.
fn wake(events: impl Iterator<Item = Event>) -> bool {
    let mut any = false;
    for event in events.filter(|event| event.token() != BELL) {
        any = true;
        let slot = Slot::of(event.token());
        if event.reads() {
            slot.side(Direction::Read).wake();
        }
        if event.writes() {
            slot.side(Direction::Write).wake();
        }
    }
    any
}

/// Wakes whoever sits: it was given a processor.
pub(crate) fn ring() {
    if let Some(poller) = POLLER.get() {
        poller.ring();
    }
}
