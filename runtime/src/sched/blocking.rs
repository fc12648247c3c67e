//! Blocking calls: those that the program declares, with [`blocking`], and those
//! that the signal finds.
//!
//! A worker whose task blocks in the kernel runs no Rust code, so its processor
//! should serve others meanwhile. But most calls are short, and passing a
//! processor on costs two thread switches. So a call only *lends* its
//! processor: it says so in the processor's [`CallWord`](super::call::CallWord), and
//! whoever finds it there long enough takes it. Go: `entersyscall`, `retake`, `exitsyscall`.
//!
//! # Rejected
//! - *Hand the processor over at once* (Go: `entersyscallblock`). Two switches
//!   of threads for a `write` of a microsecond.
//! - *Let submitters take it.* They would have to look at every processor, or
//!   at one more shared counter, on the way of every spawn.
//! - *Take the processor back at every use of the runtime inside of a call.* A
//!   task parks with the lock of a channel held; waiting there for a processor
//!   while its holder waits for the lock is a deadlock.
//!
//! # Protocol
//! Worker: **(b1)** the task becomes `syscall`; the worker forgets its
//! processor; **(b2)** it writes the number of the call to the processor's word;
//! **(b3)** [`barrier::light`](crate::sys::barrier::light), and if sysmon
//! sleeps, it wakes it. The call. **(b4)** It moves the word from its number to
//! 0 by compare-exchange. If that succeeds, the processor is its own again.
//! **(b5)** Else it takes an idle processor, or joins the FIFO and waits (the
//! task is `runnable` meanwhile), both under the scheduler's lock.
//!
//! sysmon: **(r1)** looks at each processor's word. If it has seen that number
//! before and somebody waits for a processor, or for [`AT_LAST`] in any case,
//! **(r2)** it moves the word to 0 by compare-exchange and **(r3)** gives the
//! processor to the first of the FIFO or to the idle ones; **(r4)** like a
//! worker that goes idle, it then looks through the queues and wakes somebody
//! if there is work (w3, w4 of `idle.rs`).
//! Before it sleeps longer than a millisecond, **(m1)** it says so; **(m2)**
//! [`barrier::heavy`](crate::sys::barrier::heavy); **(m3)** it looks once more.
//!
//! # Why it holds
//! *One holder.* Between b2 and the compare-exchange nobody holds the processor,
//! and nothing else touches its cells. Of the compare-exchanges that would end
//! one loan exactly one succeeds, and who succeeds acquires what was released by
//! b2 (S1). Numbers are not used twice on one processor, so a late b4 fails when
//! the processor is in somebody else's call meanwhile, and queues (b5).
//!
//! *Nobody waits for ever.* Who waits for a processor is in a queue or in the
//! FIFO. A holder serves both (`find.rs`), and an idle processor has been
//! offered to both (`give`, r4). A lent one is looked at again: if sysmon
//! decided to sleep, then either m2 comes before b3, which sees m1 and wakes it,
//! or b3 before m2, and m3 sees b2. While it knows of a call, it looks every
//! millisecond. The worker itself either gets its own processor back, or is in
//! the FIFO (b5).
//!
//! # Undeclared calls
//! The signal (`signal.rs`) that finds a task in a system call *detaches* it: the task
//! becomes `syscall` and the worker's processor is passed on at once, as nobody
//! can say whether the call is short; it has lasted for a millisecond at least
//! (sysmon), or for a slice. The task does not know that it has no processor any more.
//! It gets another at its next safepoint ([`reattach`]); at the end of its next park,
//! like any task; before it ends; or, if it computes on without one of those, by the
//! signal that its computing time triggers, which suspends it until there is one
//! ([`suspend_detached`]). Until then it is like a task in a declared call to
//! everything below.
//!
//! # What may be called inside
//! Everything. A worker in a call is treated like a thread without processor:
//! what it spawns or makes ready goes to the global queue, or to the inbox or
//! the own list of the worker it is bound to; memory comes from the global
//! pools. A task that parks in a call goes from `syscall` to `waiting`
//! without a processor; then its worker, on the scheduler's stack and with no
//! lock held, takes the lent one back or goes idle ([`regain`]). When the task
//! resumes, it has a processor like any task and lends it again
//! ([`lend_again`]).

use super::call::{AWAKE, Nap, SLEEPS};
use super::processor::Processor;
use super::processors::MOST;
use super::worker::{self, Worker};
use super::{SCHED, handover, signal, sysmon};
use crate::sys::clock;
use crate::sys::section::Section;
use crate::task::record::{Record, flag};
use crate::task::{self, TaskRef};
use core::panic::Location;
use std::time::Duration;

/// A call that lasts so long loses its processor although nobody wants it, so
/// that sysmon need not watch it any more.
const AT_LAST: u64 = 10_000_000;
/// How soon sysmon looks again while calls come and somebody waits.
const QUICK: Duration = Duration::from_micros(20);
/// So many quick looks without a processor to take, and it slows down.
const QUICK_LOOKS: u32 = 50;
/// How soon it looks again while there are calls.
pub(super) const DOZE: Duration = Duration::from_millis(1);
/// So many of those without a call, and it sleeps.
const DOZES: u32 = 20;

static NAP: Nap = Nap::new();

/// Calls `f`, which may block its thread; other tasks get the processor meanwhile.
///
/// For system calls and C functions that block: reading files, waiting for
/// a child process, `std::thread::sleep`, a lock of `std` that is held for long.
/// `f` runs where it is, on the task's own stack and thread, so it may borrow
/// and need not be `Send`. A call that returns within some microseconds costs
/// next to nothing. One that lasts gives up the task's processor, and when `f`
/// returns the task waits for one again. In a dump the task is in state
/// `syscall`. Go: `entersyscall`, which its standard library calls by itself.
///
/// **[`offload`](crate::offload) or this?** Tasks that have started on the same
/// worker thread and are [bound](crate#bound-tasks) to it wait until `f` returns,
/// wherever their processor went. Where that matters, or `f` blocks for long,
/// let [`offload`](crate::offload) run it on a thread of its own. Where `f` is short,
/// borrows what is not `Send`, or must stay on its thread, use this. In
/// [migrating](crate::runtime::Config::migrating) mode nobody is bound.
///
/// Inside `f` everything may be called that may be called outside: a park too,
/// which parks the task as always; whatever `f` does after it is again without a
/// processor. Calls nest; the inner one does nothing more. On a thread
/// that is not a task this only calls `f`. Code in `f` that computes does so in
/// addition to the [`maxprocs`](crate::maxprocs) tasks that run elsewhere.
///
/// A `std::sync::Mutex` must not be held across this call if other tasks lock it
/// outside of one: they would keep their processor while they wait, and this one
/// needs a processor to go on.
///
/// # Panics
/// A panic of `f` passes through; the task has a processor again by then.
///
/// ```
/// let text = gopark::go(|| {
///     let path = "/proc/self/comm";
///     gopark::blocking(|| std::fs::read_to_string(path))
/// });
/// assert!(!text.join().unwrap().unwrap_or("none".into()).is_empty());
/// ```
#[track_caller]
#[inline]
pub fn blocking<R>(f: impl FnOnce() -> R) -> R {
    let _call = Call::begin(Location::caller());
    f()
}

/// Ends the call, also when it unwinds.
struct Call {
    /// Whether there is something to end.
    outermost: bool,
}

impl Call {
    fn begin(site: &'static Location<'static>) -> Call {
        let Some(task) = worker::current_task() else { return Call { outermost: false } };
        if worker::current().is_some_and(Worker::is_detached) {
            // It need not wait for a processor that it would only lend.
            task::check_reap();
        } else {
            TaskRef::from(task).attend();
        }
        Call { outermost: lend(task, site) }
    }
}

impl Drop for Call {
    #[inline]
    fn drop(&mut self) {
        if self.outermost {
            take_back();
        }
    }
}

/// Why a worker whose task runs holds no processor.
#[derive(Clone, Copy)]
pub(crate) enum Away {
    /// The task is in a call that it has declared.
    Lent(Lent),
    /// It is in a system call, or has been in one, that it has not declared.
    Detached,
}

/// A declared call.
#[derive(Clone, Copy)]
pub(crate) struct Lent {
    p: &'static Processor,
    n: u64,
    site: &'static Location<'static>,
}

/// Numbers no call: of one that begins without a processor.
const NOTHING: u64 = u64::MAX;

/// b1 to b3. `false`: the task is in a call already that it has declared.
#[inline]
fn lend(task: &'static Record, site: &'static Location<'static>) -> bool {
    let _section = Section::new();
    let w = worker::current().expect("a task runs on a worker");
    let Some(p) = w.holding() else { return declare(w, task, site) };
    task.describe_call(Some(site), clock::coarse());
    task.state.begin_call();
    let n = p.new_call();
    w.set_processor(None);
    w.away.set(Some(Away::Lent(Lent { p, n, site })));
    p.call.lend(n);
    // From here on the processor may be another worker's.
    let nap = NAP.after_lending();
    if nap != AWAKE {
        wake_sysmon(p, nap);
    }
    true
}

/// A call that begins where a task is detached: its processor has gone already.
#[cold]
fn declare(w: &'static Worker, task: &'static Record, site: &'static Location<'static>) -> bool {
    let detached = w.is_detached();
    if detached {
        w.slices.stop_counting();
        task.describe_call(Some(site), clock::coarse());
        w.away.set(Some(Away::Lent(Lent { p: SCHED.processor(0), n: NOTHING, site })));
    }
    detached
}

#[cold]
fn wake_sysmon(p: &Processor, nap: u32) {
    let wanted = nap == SLEEPS || SCHED.has_waiters() || p.has_work() || SCHED.global_len() != 0;
    if wanted && NAP.end() {
        sysmon::wake();
    }
}

/// b4: the task, which is in a call, goes on with a processor.
fn take_back() {
    let _section = Section::new();
    let w = worker::current().expect("a task runs on a worker");
    let task = w.running().expect("a task ends its call");
    let Some(Away::Lent(lent)) = w.away.take() else { unreachable!("a call that has begun ends") };
    if lent.p.call.take(lent.n) {
        w.set_processor(Some(lent.p));
        w.counts.back_at_once.add(1);
        task.state.end_call();
    } else {
        take_another(w, task, Waits::Queued);
    }
}

/// How a task waits for a processor.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waits {
    /// It has come to the end of a call: `runnable`.
    Queued,
    /// In the signal handler: `preempted`.
    Suspended,
}

/// b5.
#[cold]
fn take_another(w: &'static Worker, task: &'static Record, waits: Waits) {
    let nudge = SCHED.locked(|s| match s.take_idle(&SCHED.idle) {
        Some(p) => {
            w.set_processor(Some(p));
            w.wanted_since.set(0);
            None
        }
        None => {
            match waits {
                Waits::Queued => task.state.queue_after_call(),
                Waits::Suspended => task.state.suspend(),
            }
            Some(s.want(w))
        }
    });
    let Some(nudge) = nudge else {
        w.counts.back_at_once.add(1);
        return task.state.end_call();
    };
    nudge.send();
    w.await_processor();
    match waits {
        Waits::Queued => {
            w.counts.back_queued.add(1);
            let _ = task.state.start();
            // It had its worker for all that time: its siblings come first now.
            task.set(flag::PREEMPT);
        }
        Waits::Suspended => {
            w.counts.back_suspended.add(1);
            task.state.resume();
        }
    }
}

/// The signal has found the task in a system call: its processor goes to others.
pub(super) fn detach(w: &'static Worker, task: &'static Record) {
    let p = w.processor();
    w.counts.detached.add(1);
    task.describe_call(None, clock::coarse());
    task.state.begin_call();
    w.away.set(Some(Away::Detached));
    w.set_processor(None);
    w.slices.count_computing();
    // Its next safepoint is the end of the call.
    task.set(flag::PREEMPT);
    pass_on(p);
}

/// The signal has found a detached task computing.
pub(super) fn suspend_detached(w: &'static Worker, task: &'static Record) {
    attach(w, task, Waits::Suspended);
}

/// The running task has a processor again, if it was detached.
pub(crate) fn reattach(task: &'static Record) {
    let _section = Section::new();
    let w = worker::current().expect("a task runs on a worker");
    if w.is_detached() {
        attach(w, task, Waits::Queued);
    }
}

fn attach(w: &'static Worker, task: &'static Record, waits: Waits) {
    w.away.set(None);
    w.slices.stop_counting();
    take_another(w, task, waits);
    signal::go_on(w, task);
}

/// A task that was in a call has left the worker. `true`: the worker has its
/// processor back; else it waits for one, if it has ready tasks, or is idle.
#[cold]
pub(super) fn regain(w: &'static Worker) -> bool {
    match w.away.take() {
        Some(Away::Lent(lent)) if lent.p.call.take(lent.n) => {
            w.set_processor(Some(lent.p));
            return true;
        }
        Some(Away::Lent(_)) => {}
        Some(Away::Detached) => w.slices.stop_counting(),
        None => unreachable!("the task that left was in a call"),
    }
    handover::sleep_or_queue(w, w.has_bound_work());
    false
}

/// Where the call of the worker's task is; `None` if it is in none that it has
/// declared.
#[inline]
pub(super) fn call_site(w: &Worker) -> Option<&'static Location<'static>> {
    match w.away.get() {
        Some(Away::Lent(lent)) => Some(lent.site),
        Some(Away::Detached) | None => None,
    }
}

/// A task that had left in a call has resumed, perhaps on another worker.
#[cold]
pub(super) fn lend_again(task: &'static Record, site: &'static Location<'static>) {
    lend(task, site);
}

/// sysmon's side.
pub(super) struct Watch {
    /// For each processor the call that was seen last, and when it was first seen.
    seen: Vec<(u64, u64)>,
    /// Quick looks left.
    quick: u32,
    /// Dozes left.
    dozes: u32,
}

impl Watch {
    pub(super) fn new() -> Watch {
        Watch { seen: vec![(0, 0); MOST], quick: 0, dozes: 0 }
    }

    /// Takes processors out of calls that last. How long sysmon may sleep if it
    /// has nothing else to do; `None`: as long as it likes.
    ///
    /// After each sleep that follows it looks again. `soon`: it comes again in
    /// [`DOZE`] at the latest for other reasons.
    pub(super) fn look(&mut self, soon: bool) -> Option<Duration> {
        NAP.awake();
        let calls = self.retake();
        if calls.moved {
            self.quick = QUICK_LOOKS;
        }
        if calls.any {
            self.dozes = DOZES;
        }
        if self.quick > 0 {
            self.quick -= 1;
            return Some(QUICK);
        }
        if soon || self.dozes > 0 {
            self.dozes = self.dozes.saturating_sub(1);
            NAP.doze();
            return Some(DOZE);
        }
        NAP.before_last_look();
        // m3
        SCHED.processors().any(|p| p.call.lent().is_some()).then_some(QUICK)
    }

    /// r1, r2.
    fn retake(&mut self) -> Calls {
        let mut calls = Calls { any: false, moved: false };
        for (p, seen) in SCHED.processors().zip(&mut self.seen) {
            let Some(n) = p.call.lent() else { continue };
            calls.any = true;
            let now = clock::now();
            let waited_for = SCHED.has_waiters() || SCHED.has_work();
            if seen.0 != n {
                *seen = (n, now);
                calls.moved |= waited_for;
            } else if (waited_for || now - seen.1 >= AT_LAST) && p.call.take(n) {
                calls.moved |= waited_for;
                pass_on(p);
            }
        }
        calls
    }
}

/// What a look found.
struct Calls {
    /// There are calls.
    any: bool,
    /// Somebody waits behind one.
    moved: bool,
}

/// r3, r4.
fn pass_on(p: &'static Processor) {
    SCHED.locked(|s| s.give(p, &SCHED.idle)).send();
    SCHED.idle.before_last_look();
    if SCHED.has_work() {
        handover::wake_one();
    }
}
