//! A worker: an OS thread that runs tasks while it holds a processor. Go's `m`.
//!
//! Its own stack (Go: g0) runs the scheduler loop; tasks run on theirs (`execute.rs`).
//! Here is what a worker consists of, how it is given a processor and sleeps until it is,
//! and its thread.
//!
//! ```text
//!             ┌───────────── HOLDS ◀────────────┐
//!   no work:  │            a processor          │ somebody hands it one
//!   gives it  ▼                                 │
//!           IDLE ── its bound tasks became ──▶ WANTS   (in the FIFO)
//!                   ready, none is idle
//! ```
//!
//! A worker whose task is in a blocking call is `HOLDS` although its processor
//! is lent or gone, so that nobody gives it one that it could not use (`blocking.rs`).
//!
//! - **W1** Fields that are cells belong to the worker's own thread, and before there
//!   is one, to who launches it; while it is `IDLE` or `WANTS`, to whoever assigns it a
//!   processor, under the lock; but its queues always to its own thread, which fills
//!   them while it sits in the poller.
//! - **W2** `status` changes under the scheduler's lock. Whoever changes it to
//!   `HOLDS` from outside also stores the processor to `handoff`.
//! - **W3** Workers are never freed; one whose thread has ended is used again for
//!   another (`threads.rs`).
//! - **W4** A task that is bound to a worker is in that worker's queues, or
//!   running on it, or parked.

use super::blocking::{self, Away};
use super::counts::{self, Flag};
use super::look::Spot;
use super::lull::Lull;
use super::processor::Processor;
use super::queue::{Fifo, Inbox};
use super::share::Modesty;
use super::signal::{self, Slices};
use super::tapes::Slot;
use super::{SCHED, find, handover, observe};
use crate::arch;
use crate::netpoll;
use crate::sys::section::Section;
use crate::sys::signal::AlternateStack;
use crate::sys::{clock, futex, thread};
use crate::task::record::Record;
use crate::time;
use core::cell::Cell;
use core::ptr;
use std::io;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

pub(crate) const HOLDS: u32 = 0;
pub(crate) const IDLE: u32 = 1;
pub(crate) const WANTS: u32 = 2;
/// Has no thread any more.
pub(crate) const GONE: u32 = 3;

/// `handoff` while the worker sleeps on it.
const ASLEEP: u32 = u32::MAX;
/// `handoff` while it sleeps in the poller (`netpoll/seat.rs`).
const SITS: u32 = u32::MAX - 1;

/// What the scheduler does with a task that has switched away.
#[derive(Clone, Copy)]
pub(crate) enum After {
    Nothing,
    /// Behind the others that are ready.
    Requeue,
    /// The same, after a whole slice.
    GiveWay,
    /// Parked, then `commit(data)`; `held` keeps everybody off until it is done.
    Park {
        commit: unsafe fn(*const ()) -> bool,
        data: *const (),
        held: bool,
    },
    /// Its last instruction has run.
    Exit,
}

pub(crate) struct Worker {
    pub(crate) id: u32,
    /// Kernel id of its thread; 0 until that runs, `thread::ENDED` afterwards.
    pub(crate) tid: AtomicU32,
    /// Was made for one task.
    pub(crate) own: Cell<bool>,
    /// Tasks that have locked it (`lock_thread.rs`).
    pub(crate) locks: Cell<u32>,
    /// `own`, or locked: runs what is bound to it and takes nothing from the run
    /// queues. Changes under the scheduler's lock.
    pub(crate) exclusive: Cell<bool>,
    pub(crate) status: AtomicU32,
    /// 0: nothing; n + 1: processor n is yours; `ASLEEP`; `SITS`.
    handoff: AtomicU32,
    /// Bound tasks that other threads made ready.
    pub(crate) inbox: Inbox,
    /// In the scheduler's list of idle workers; under its lock.
    pub(crate) listed: Cell<bool>,

    /// Read by the signal handler in the middle of anything.
    processor: AtomicPtr<Processor>,
    pub(crate) slices: Slices,
    /// Where the signal has interrupted its task last.
    pub(crate) interrupted: Spot,
    /// The task that runs; written here, read by sysmon too.
    pub(super) current: AtomicPtr<Record>,
    /// Decisions of an exclusive worker; those of others are counted by their
    /// processor.
    pub(crate) tick: AtomicU64,
    /// How often it has started or resumed a task; read by the watchdog.
    pub(crate) starts: AtomicU64,
    /// Why it holds none although its task runs.
    pub(crate) away: Cell<Option<Away>>,
    /// Where its own stack was left for the task that runs.
    pub(super) loop_sp: Cell<*mut u8>,
    pub(crate) after: Cell<After>,
    /// Changes like a cell (W1); a flag for those who look.
    pub(crate) spinning: Flag,
    pub(crate) counts: counts::OfWorker,
    /// Ready bound tasks.
    pub(crate) bound: Fifo,
    /// The bound task that the running one made ready last: runs next.
    pub(crate) bound_next: Cell<Option<&'static Record>>,
    /// Consecutive picks of a "next" slot, so that a chatting pair does not
    /// starve the rest.
    pub(crate) streak: Cell<u32>,
    /// Whose turn it is, the ring's or the bound tasks'.
    pub(crate) ring_first: Cell<bool>,
    /// Until then it is the ring's, after a bound task has had a whole slice; 0
    /// when turns are taken one by one.
    pub(crate) ring_until: Cell<u64>,
    /// Tasks that parked here while they unwound.
    pub(crate) unwinding: Cell<usize>,
    /// Started tasks that are bound here and alive.
    pub(crate) bound_alive: counts::Level,
    pub(crate) modesty: Modesty,
    pub(super) lull: Lull,
    /// When somebody was first seen waiting for this worker's processor.
    pub(crate) wanted_since: Cell<u64>,
    /// What it writes down for the execution trace, and what it knows of the time (O1).
    pub(crate) tape: Slot,
    pub(super) at_once: Cell<bool>,
    /// Made by the launcher, for the thread to install.
    alternate_stack: Cell<Option<AlternateStack>>,
}

// SAFETY: cells belong to the worker's thread (W1) or are under the scheduler's
// lock; the rest is atomic.
unsafe impl Sync for Worker {}

/// The worker whose thread this is. After a park the task may be on another one
/// (migrating mode).
#[inline]
pub(crate) fn current() -> Option<&'static Worker> {
    // SAFETY: null, or set by main() to a worker, and those are never freed (W3).
    unsafe { arch::thread_word().cast::<Worker>().cast_const().as_ref() }
}

/// Calls `f` with the processor that this thread holds, which it keeps until `f`
/// returns. In a section (N1).
#[inline]
pub(crate) fn with_processor<R>(f: impl FnOnce(Option<&'static Processor>) -> R) -> R {
    let _section = Section::new();
    f(current().and_then(Worker::holding))
}

/// The task that runs on this thread, if it is one of ours.
#[inline]
pub(crate) fn current_task() -> Option<&'static Record> {
    current()?.running()
}

impl Worker {
    pub(crate) fn new(id: u32, exclusive: bool) -> Worker {
        Worker {
            id,
            tid: AtomicU32::new(0),
            own: Cell::new(exclusive),
            locks: Cell::new(0),
            exclusive: Cell::new(exclusive),
            status: AtomicU32::new(IDLE),
            handoff: AtomicU32::new(0),
            inbox: Inbox::new(),
            listed: Cell::new(false),
            processor: AtomicPtr::new(ptr::null_mut()),
            slices: Slices::new(),
            interrupted: Spot::new(),
            current: AtomicPtr::new(ptr::null_mut()),
            tick: AtomicU64::new(0),
            starts: AtomicU64::new(0),
            away: Cell::new(None),
            loop_sp: Cell::new(ptr::null_mut()),
            after: Cell::new(After::Nothing),
            spinning: Flag::new(),
            counts: counts::OfWorker::new(),
            bound: Fifo::new(),
            bound_next: Cell::new(None),
            streak: Cell::new(0),
            ring_first: Cell::new(false),
            ring_until: Cell::new(0),
            unwinding: Cell::new(0),
            bound_alive: counts::Level::new(),
            modesty: Modesty::new(),
            lull: Lull::new(),
            wanted_since: Cell::new(0),
            tape: Slot::new(),
            at_once: Cell::new(false),
            alternate_stack: Cell::new(None),
        }
    }

    /// Another thread takes the place of the one that has ended. Under the scheduler's
    /// lock; the record is the caller's (W5), and like new but for its number, its
    /// place in the list, and counts that never go back.
    pub(crate) fn begin_again(&self, exclusive: bool) {
        debug_assert!(!self.has_bound_work() && self.holding().is_none());
        debug_assert!(self.bound_alive.get() == 0 && self.unwinding.get() == 0);
        self.own.set(exclusive);
        self.locks.set(0);
        self.exclusive.set(exclusive);
        self.spinning.set(false);
        self.lull.forget();
        self.handoff.store(0, Ordering::Relaxed);
        self.tid.store(0, Ordering::Relaxed);
        self.status.store(IDLE, Ordering::Relaxed);
    }

    /// Starts the thread.
    pub(crate) fn try_launch(&'static self) -> io::Result<()> {
        self.alternate_stack.set(AlternateStack::reserve());
        let arg = ptr::from_ref(self).cast_mut().cast();
        // SAFETY: `main` takes a worker that is never freed (W3) and does not unwind.
        let started = unsafe { thread::spawn(main, arg) };
        if started.is_err() {
            self.alternate_stack.take();
            self.tid.store(thread::ENDED, Ordering::Relaxed);
        }
        started
    }

    /// The processor it holds; `None` while its task is in a blocking call, and
    /// without a task.
    #[inline]
    pub(crate) fn holding(&self) -> Option<&'static Processor> {
        // SAFETY: null, or from set_processor(); processors are never freed.
        unsafe { self.processor.load(Ordering::Relaxed).cast_const().as_ref() }
    }

    /// The processor it holds. Only asked where it must hold one.
    #[inline]
    pub(crate) fn processor(&self) -> &'static Processor {
        self.holding().expect("a worker that runs holds a processor")
    }

    /// On its own thread.
    pub(crate) fn set_processor(&self, p: Option<&'static Processor>) {
        match p {
            Some(p) => {
                observe::taken(self, p);
                p.set_holder(self);
                self.processor.store(ptr::from_ref(p).cast_mut(), Ordering::Relaxed);
                self.slices.on();
            }
            None => {
                observe::given(self, self.processor());
                self.processor().no_holder();
                self.processor.store(ptr::null_mut(), Ordering::Relaxed);
            }
        }
    }

    /// Was its processor taken in the middle of a system call?
    pub(crate) fn is_detached(&self) -> bool {
        matches!(self.away.get(), Some(Away::Detached))
    }

    /// The task that runs; on the worker's own thread.
    #[inline]
    pub(crate) fn running(&self) -> Option<&'static Record> {
        // SAFETY: null, or from execute(): records are never freed (R1).
        unsafe { self.current.load(Ordering::Relaxed).cast_const().as_ref() }
    }

    /// The task that runs, or ran a moment ago; on any thread.
    pub(crate) fn running_elsewhere(&self) -> Option<&'static Record> {
        // ORDERING: Acquire; pairs with the Release in execute(): the record is
        // one that has been made.
        let current = self.current.load(Ordering::Acquire);
        // SAFETY: null, or from execute(): records are never freed (R1).
        unsafe { current.cast_const().as_ref() }
    }

    /// Changes whenever it starts a task on that processor, which it holds; on any
    /// thread. Neither part is ever less than before.
    pub(crate) fn turns(&self, p: &Processor) -> u64 {
        let (own, others) = (&self.tick, &p.tick);
        own.load(Ordering::Relaxed).wrapping_add(others.load(Ordering::Relaxed))
    }

    /// Takes what other threads have put into its inbox.
    #[inline]
    pub(super) fn empty_inbox(&self) {
        if !self.inbox.seems_empty() {
            observe::looks_elsewhere(self);
            self.inbox.take_into(&self.bound);
        }
    }

    /// Is the task bound to it?
    pub(super) fn is_home_of(&self, task: &Record) -> bool {
        ptr::eq(self, task.worker.load(Ordering::Relaxed))
    }

    /// Has it bound tasks that are ready?
    pub(crate) fn has_bound_work(&self) -> bool {
        !self.bound.is_empty() || self.bound_next.get().is_some() || !self.inbox.is_empty()
    }

    /// Gives it a processor. Under the scheduler's lock (W2); the returned word
    /// must be [sent](Nudge::send) after the lock is released.
    pub(crate) fn assign(&'static self, p: &'static Processor) -> Nudge {
        // ORDERING: SeqCst; one order with the status changes in go_idle().
        self.status.store(HOLDS, Ordering::SeqCst);
        // ORDERING: AcqRel; Release pairs with the Acquire in await_processor():
        // what the former holder did with the processor is visible (S1).
        let old = self.handoff.swap(p.id + 1, Ordering::AcqRel);
        match old {
            ASLEEP => Nudge::Wake(self),
            SITS => Nudge::Ring,
            _ => Nudge::Nobody,
        }
    }

    /// Its thread sleeps until it has one, or an event comes.
    pub(crate) fn is_asleep(&self) -> bool {
        matches!(self.handoff.load(Ordering::Relaxed), ASLEEP | SITS)
    }

    /// It has no processor and wants none.
    pub(crate) fn is_idle(&self) -> bool {
        self.status.load(Ordering::Relaxed) == IDLE
    }

    /// It is going to sleep in the poller. `false`: it was assigned a processor.
    pub(crate) fn begin_sitting(&self) -> bool {
        // ORDERING: Relaxed; sleeping publishes nothing.
        self.handoff.compare_exchange(0, SITS, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// It is awake. `false`: it was assigned a processor meanwhile.
    pub(crate) fn end_sitting(&self) -> bool {
        // ORDERING: Relaxed; await_processor() acquires what was assigned.
        self.handoff.compare_exchange(SITS, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Waits until somebody assigns a processor.
    pub(crate) fn await_processor(&self) {
        let assigned = self.await_for(None, |asleep, left| futex::wait(asleep, ASLEEP, left));
        debug_assert!(assigned, "without a limit");
    }

    /// A worker that has nothing to do sleeps. `false`: its thread is to end.
    #[inline(never)]
    fn rest(&'static self) -> bool {
        netpoll::sit(self) || self.await_or_end()
    }

    /// [`await_processor`](Self::await_processor) for a worker without a task, which
    /// looks after timers meanwhile. `false`: its thread is to end.
    fn await_or_end(&'static self) -> bool {
        let patience = SCHED.patience(self);
        if self.await_for(patience, look_after_timers) {
            return true;
        }
        if SCHED.dismiss(self) {
            time::leave_to_sysmon();
            return false;
        }
        // It is the last idle one, or was given a processor just now.
        self.await_for(None, look_after_timers)
    }

    /// Sleeps for so long, or until it is given a processor or a task, and looks after
    /// timers meanwhile. Whether it has a processor.
    pub(crate) fn await_for_a_while(&self, time: Duration) -> bool {
        self.await_for(Some(time), look_after_timers)
            || self
                .handoff
                // ORDERING: Relaxed; as for going to sleep.
                .compare_exchange(ASLEEP, 0, Ordering::Relaxed, Ordering::Relaxed)
                .is_err()
    }

    /// `false`: nobody has assigned one for so long.
    #[inline]
    fn await_for(
        &self,
        patience: Option<Duration>,
        sleep: impl Fn(&AtomicU32, Option<Duration>),
    ) -> bool {
        let end = patience.map(clock::after);
        let n = loop {
            // ORDERING: Acquire; pairs with the Release in assign().
            match self.handoff.load(Ordering::Acquire) {
                0 => {
                    // ORDERING: Relaxed; sleeping publishes nothing.
                    let _ = self.handoff.compare_exchange(
                        0,
                        ASLEEP,
                        Ordering::Relaxed,
                        Ordering::Relaxed,
                    );
                }
                ASLEEP => {
                    let left =
                        end.map(|end| Duration::from_nanos(end.saturating_sub(clock::now())));
                    if left == Some(Duration::ZERO) {
                        return false;
                    }
                    sleep(&self.handoff, left);
                }
                n => break n,
            }
        };
        // ORDERING: Relaxed; nobody assigns to a worker that holds a processor.
        self.handoff.store(0, Ordering::Relaxed);
        self.set_processor(Some(SCHED.processor(n - 1)));
        self.wanted_since.set(0);
        true
    }
}

/// Sleeps, no longer than until the earliest timer, and fires what is due.
fn look_after_timers(asleep: &AtomicU32, limit: Option<Duration>) {
    time::sleep_watching(asleep, ASLEEP, limit);
    // ORDERING: Relaxed; as for going to sleep.
    if time::idle_are_due()
        && asleep.compare_exchange(ASLEEP, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    {
        // Nobody need wake it now: it may give itself a processor.
        time::run_idle();
    }
}

/// What is left to do after a processor was assigned under the lock, outside it.
#[must_use]
pub(crate) enum Nudge {
    Nobody,
    /// The worker sleeps: wake it.
    Wake(&'static Worker),
    /// It sleeps in the poller: ring for it.
    Ring,
    /// It waits in the FIFO now: a holder that has had its slice should know.
    Hurry,
}

impl Nudge {
    pub(crate) fn send(self) {
        match self {
            Nudge::Nobody => {}
            Nudge::Wake(worker) => futex::wake(&worker.handoff, 1),
            Nudge::Ring => netpoll::ring(),
            Nudge::Hurry => signal::hurry(),
        }
    }
}

extern "C" fn main(arg: *mut libc::c_void) -> *mut libc::c_void {
    // SAFETY: launch() passed a worker that is never freed (W3).
    let worker: &'static Worker = unsafe { &*arg.cast::<Worker>().cast_const() };
    // It may have been given a processor before it runs: N1 holds from the beginning.
    arch::enter_section();
    worker.tid.store(thread::id(), Ordering::Relaxed);
    thread::set_name(format_args!("gopark-{}", worker.id));
    let _alternate_stack = worker.alternate_stack.take().inspect(AlternateStack::install);
    arch::set_thread_word(arg.cast());
    worker.slices.make(arg.cast());
    while worker.rest() {
        worker.lull.end_of_sleep(clock::now, worker.has_bound_work());
        while let Some(task) = find::find(worker) {
            worker.execute(task);
            if worker.holding().is_none() && !blocking::regain(worker) {
                break;
            }
            if worker.exclusive.get() && worker.bound_alive.get() == 0 {
                handover::resign(worker);
                return end(worker);
            }
        }
    }
    end(worker)
}

/// The worker has no processor and gets none any more.
#[cold]
#[inline(never)]
fn end(worker: &'static Worker) -> *mut libc::c_void {
    worker.slices.unmake();
    // The destructors of thread-locals that follow are an ordinary thread's: they
    // may use channels and be adopted for it.
    arch::set_thread_word(ptr::null_mut());
    arch::leave_section();
    SCHED.worker_gone(worker);
    ptr::null_mut()
}
