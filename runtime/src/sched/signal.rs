//! Who never agrees to give way is suspended, by a signal to its thread.
//!
//! Running Rust code cannot be switched away from in a signal handler: it may hold
//! malloc's lock, or be in the middle of a thread-local. So the handler does not
//! switch. It *suspends the whole thread*: the task becomes `preempted`, the
//! processor goes to somebody else, the worker joins the FIFO and sleeps in the
//! handler until it is handed a processor. Nothing else runs on that thread
//! meanwhile, so whatever it was in the middle of stays as it is. Go: `preemptone`,
//! `asyncPreempt`; in the literature, KLT-switching (Shiina and others, PPoPP 2021).
//!
//! # The signal
//! Each worker has a timer that sends it [`SIGNAL`] once in a slice while it holds a
//! processor. It is turned on when a worker gets a processor and it is off, and
//! turned off by the handler that finds the worker without one: so a worker that
//! sleeps and wakes all the time makes no system call for it. Between two signals a
//! switch of tasks costs nothing either: the handler sees whether there was one.
//! Others send the same signal by [`hurry`] and [`poke`].
//!
//! # What the handler does
//! Somebody may ask where the task is (`look.rs`): that is answered first. It is all that
//! happens on a thread that was adopted. Then, in this order:
//!
//! 1. In a section (`section.rs`), the scheduler's loop included, nothing, but that
//!    a task that has had its slice is marked, to give way at its next safepoint. So
//!    is one in a call that it has declared.
//! 2. In a system call, the task is *detached*: it becomes `syscall` and the
//!    processor goes, while the call goes on (`blocking.rs`). A task that was
//!    detached and computes now is suspended until there is a processor for it.
//!    While it is detached, the timer counts its computing time, not that of the
//!    wall: a call that lasts is interrupted once.
//! 3. If the task has had its slice, it is marked, and that is written down for
//!    those who come later ([`hurry`]).
//! 4. If it has, and somebody waits for a processor, the thread is suspended.
//!
//! # Why nobody waits for ever
//! Who is suspended is in the FIFO, behind finitely many, and every holder of a
//! processor is in its turn suspended, detached, or in a section, which ends: a
//! section waits for nobody but for other sections and for the kernel (N1). So
//! whoever holds a lock of the program, malloc's for one, runs again, and those who
//! wait for it have given their processors up, as they wait in a system call.
//! Nothing here makes a thread: a member of the FIFO that lacks one is passed over,
//! and a spare is asked for (`spare.rs`).

use super::look::{self, Standing};
use super::worker::Worker;
use super::{SCHED, blocking, handover, worker};
use crate::stack;
use crate::sys::section::Section;
use crate::sys::tick::{self, Arrived, Clock, Timer};
use crate::sys::{clock, section};
use crate::task::adopt;
use crate::task::record::{Record, flag};
use core::cell::{Cell, UnsafeCell};
use core::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, compiler_fence};
use std::time::Duration;

/// Go's choice: few programs use it, debuggers pass it on, and a stray one does no
/// harm.
pub(crate) const SIGNAL: libc::c_int = libc::SIGURG;

/// Installs the handler. Once, before there is a worker.
pub(super) fn install() {
    tick::install(SIGNAL, on_signal);
}

/// What a worker knows of its slices. Belongs to its thread, but for `told` and `used_up`.
pub(crate) struct Slices {
    timers: UnsafeCell<Option<Timers>>,
    /// Are there timers?
    told: AtomicBool,
    /// Is the wall's timer on?
    on: AtomicBool,
    /// The worker's turns when the handler looked, and when it first saw that.
    seen: Cell<u64>,
    since: Cell<u64>,
    /// The turn that has lasted for a slice.
    used_up: AtomicU64,
}

struct Timers {
    wall: Timer,
    computing: Timer,
}

/// No turn.
const NONE: u64 = u64::MAX;

impl Slices {
    pub(crate) fn new() -> Slices {
        Slices {
            timers: UnsafeCell::new(None),
            told: AtomicBool::new(false),
            on: AtomicBool::new(false),
            seen: Cell::new(NONE),
            since: Cell::new(0),
            used_up: AtomicU64::new(NONE),
        }
    }

    /// Makes the timers, on the thread that they are for, before it runs tasks.
    /// Where the kernel has none left, tasks are preempted at safepoints only.
    pub(crate) fn make(&self, of: *mut ()) {
        if !SCHED.preempts() {
            return;
        }
        tick::unblock(SIGNAL);
        let timer = |clock| Timer::new(clock, SIGNAL, of).ok();
        let timers = timer(Clock::Monotonic).zip(timer(Clock::ThreadCpu));
        self.told.store(timers.is_some(), Ordering::Relaxed);
        // SAFETY: the thread's own (above), and no timer is on that would make
        // the handler read it.
        unsafe {
            *self.timers.get() = timers.map(|(wall, computing)| Timers { wall, computing });
        }
    }

    /// Before the thread ends.
    pub(crate) fn unmake(&self) {
        self.off();
        // SAFETY: as in make(); the timers are off.
        drop(unsafe { (*self.timers.get()).take() });
    }

    /// Does the thread hear of the ends of slices?
    pub(super) fn is_told(&self) -> bool {
        self.told.load(Ordering::Relaxed)
    }

    fn timers(&self) -> Option<&Timers> {
        // SAFETY: written by make() and unmake() only, on this thread.
        unsafe { (*self.timers.get()).as_ref() }
    }

    /// The worker has got a processor.
    #[inline]
    pub(crate) fn on(&self) {
        // ORDERING: SeqCst, for the compiler; the partner is the handler on this thread. It
        // turns it off if it sees no processor, so that must be written.
        compiler_fence(Ordering::SeqCst);
        if !self.on.load(Ordering::Relaxed) {
            self.turn_on();
        }
    }

    #[cold]
    fn turn_on(&self) {
        if let Some(timers) = self.timers() {
            self.on.store(true, Ordering::Relaxed);
            timers.wall.set(slice());
        }
    }

    /// The worker has no processor.
    fn off(&self) {
        if self.on.load(Ordering::Relaxed)
            && let Some(timers) = self.timers()
        {
            timers.wall.set(Duration::ZERO);
            self.on.store(false, Ordering::Relaxed);
        }
    }

    /// The worker has got a processor after a suspension, or after a call in which
    /// it was detached, and the timer was turned on for it: a new slice begins.
    fn begin(&self, w: &Worker) {
        self.seen.set(w.turns(w.processor()));
        self.since.set(clock::now());
        self.used_up.store(NONE, Ordering::Relaxed);
    }

    /// The worker is detached: it hears of it when it has computed for a while.
    pub(super) fn count_computing(&self) {
        self.off();
        if let Some(timers) = self.timers() {
            timers.computing.set(slice());
        }
    }

    pub(super) fn stop_counting(&self) {
        if let Some(timers) = self.timers() {
            timers.computing.set(Duration::ZERO);
        }
    }

    /// Has the task that runs in this turn had its slice?
    fn is_used_up(&self, turns: u64) -> bool {
        if self.seen.get() != turns {
            self.seen.set(turns);
            self.since.set(clock::now());
            return false;
        }
        // The timer's first signal may be older than the slice, by the time that
        // the thread was suspended in; the eighth is for its being early.
        let enough = slice() - slice() / 8;
        let used_up = clock::now() - self.since.get() >= enough.as_nanos() as u64;
        if used_up {
            self.used_up.store(turns, Ordering::Relaxed);
        }
        used_up
    }
}

fn slice() -> Duration {
    Duration::from_nanos(SCHED.slice())
}

/// Somebody has joined the FIFO, or waits in the run queues, and no processor is
/// idle: a holder whose task has had its slice hears of it at once.
pub(super) fn hurry() {
    for p in SCHED.processors() {
        if let Some(holder) = p.holder()
            && holder.slices.used_up.load(Ordering::Relaxed) == holder.turns(p)
        {
            return poke(holder);
        }
    }
}

/// Makes the worker look at itself. The signal may come late, and find it changed.
pub(super) fn poke(w: &Worker) {
    poke_thread(w.tid.load(Ordering::Relaxed), ptr::from_ref(w).cast());
}

/// Has a thread answer, if it is who is meant: what has become of the thread with this
/// number, only its handler knows. `false`: there is none.
pub(super) fn poke_thread(tid: u32, who: *const ()) -> bool {
    tick::queue(tid, SIGNAL, who.cast_mut())
}

fn on_signal(signal: &Arrived<'_>) -> bool {
    let Some(w) = worker::current() else { return on_adopted(signal) };
    if !ptr::addr_eq(signal.value, ptr::from_ref(w)) {
        return false;
    }
    let outside = section::is_outside();
    if outside {
        w.interrupted.set(&signal.at);
        look::answer(ptr::from_ref(w).cast(), || {
            let task = w.running()?;
            Some(Standing::new(task, &signal.at, stack::pieces_of(task)?))
        });
    }
    let _section = Section::new();
    let Some(p) = w.holding() else {
        w.slices.off();
        let Some(task) = w.running() else { return true };
        // In a call for so long: its siblings go first when it is over.
        task.set(flag::PREEMPT);
        if outside && w.is_detached() && !signal.in_system_call() {
            signal.let_others_come();
            blocking::suspend_detached(w, task);
        }
        return true;
    };
    let Some(task) = w.running() else { return true };
    if outside && signal.in_system_call() {
        blocking::detach(w, task);
    } else if w.slices.is_used_up(w.turns(p)) {
        task.set(flag::PREEMPT);
        if outside && handover::others_wait(p) {
            signal.let_others_come();
            suspend(w, task);
        }
    }
    true
}

/// On a thread that is no worker. `false`: it was not meant, or is not adopted any more.
fn on_adopted(signal: &Arrived<'_>) -> bool {
    let Some(thread) = adopt::existing() else { return false };
    let me = ptr::from_ref(thread).cast();
    if !ptr::addr_eq(signal.value, me) {
        return false;
    }
    if section::is_outside() {
        look::answer(me, || Some(Standing::new(thread, &signal.at, stack::pieces_of_thread())));
    }
    true
}

/// Gives the processor to whoever is first, and waits for one, in the handler.
fn suspend(w: &'static Worker, task: &'static Record) {
    let Some(nudge) = handover::pass_to_others(w, || task.state.suspend()) else { return };
    w.counts.suspended.add(1);
    w.slices.off();
    nudge.send();
    w.await_processor();
    task.state.resume();
    go_on(w, task);
}

/// The task goes on with a processor and a slice of its own.
pub(super) fn go_on(w: &Worker, task: &Record) {
    task.clear(flag::PREEMPT);
    w.slices.begin(w);
}
