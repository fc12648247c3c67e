//! The thread that looks after what no worker has time for. Go: `sysmon`.
//!
//! It runs without a processor and without tasks of its own. It looks for tasks
//! that have had their slice (`preempt.rs`), it takes processors out of blocking
//! calls that last (`blocking.rs`), it looks at the sockets when nobody else does
//! (`netpoll/`), and it trims: stacks of tasks that have been
//! parked for a while, and stacks that nobody uses (`stack/trim.rs`). It is always
//! in a section (N1): it waits for no locks but the scheduler's and the stack pool's,
//! and allocates nothing.
//!
//! # When it sleeps
//! While somebody holds a processor it looks every [`preempt::Watch::every`], and sooner
//! while there are blocking calls, one of which wakes it if need be. When all
//! processors are idle, and none was taken since the look before, there is nothing
//! to look for until somebody takes one, and whoever does that wakes it: both
//! happen under the scheduler's lock, so neither can miss the other. Until then it
//! sleeps to the next pass of trimming, or without end.
//!
//! Two words say that it sleeps. `sysmon_sleeps` is for who takes an idle processor: it lies
//! under the lock that he holds anyway, and costs him nothing more. `NAP` (`call.rs`) is for
//! who begins a blocking call, which takes no lock: there sysmon pays, with a heavy barrier
//! before it sleeps. One word for both would make each processor that is taken pay for the
//! barriers of calls, or each call for the lock; and they mean different times: sysmon
//! dozes for calls while processors are held, when nobody can take an idle one from it.
//!
//! Where the scheduler's state is to be printed (`GOPARK_DEBUG=schedtrace=N`), it wakes
//! for that in any case, and asks the thread for errands to do it: printing is nothing
//! to do in a section.
//!
//! Between two such passes there are at least [`trim::EVERY`], and twenty times
//! as long as the pass took, so that it never takes more than a twentieth of a
//! CPU, with a million tasks neither. None follows one that left nothing to do,
//! if no processor has been held since before it began, until one is taken.

use super::counts::ELSEWHERE;
use super::errands::{self, Errand};
use super::{SCHED, Sched, blocking, deadlock, enqueue, preempt, watchdog};
use crate::arch;
use crate::netpoll;
use crate::stack::trim::{self, Scavenger};
use crate::sys::thread::Service;
use crate::sys::{clock, futex};
use crate::task::record::{Record, flag};
use crate::task::registry;
use crate::task::state::{Release, Status};
use crate::time::Alarm;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How often free stacks are looked at.
const PERIOD: Duration = Duration::from_secs(1);
/// A pass is followed by so many times its own length of sleep.
const REST: u32 = 20;

static THREAD: Service = Service::new();
/// Counts what wakes it; its futex.
static WAKE: AtomicU32 = AtomicU32::new(0);

/// Kernel id of the thread, 0 if it has just been made.
pub(crate) fn thread_id() -> u32 {
    THREAD.id()
}

/// Starts the thread.
pub(super) fn start() -> io::Result<()> {
    // Here, because the thread allocates nothing from its beginning on.
    let memory = Box::into_raw(Box::new(Memory::new()));
    // SAFETY: `main` takes that and does not unwind.
    let started = unsafe { THREAD.start(main, memory.cast()) };
    if started.is_err() {
        // SAFETY: from into_raw() above, and no thread has it.
        drop(unsafe { Box::from_raw(memory) });
    }
    started
}

/// Ends its sleep: a processor is idle no more, or a blocking call has begun.
pub(crate) fn wake() {
    WAKE.fetch_add(1, Ordering::Relaxed);
    futex::wake(&WAKE, 1);
}

impl Sched {
    /// How often an idle processor was taken so far; and whether sysmon may sleep
    /// until the next time: if all are idle and none was taken since it was
    /// `before`, or a program that is idle between two messages would wake it
    /// for each.
    fn sysmon_may_sleep(&self, before: u64) -> (u64, bool) {
        self.locked(|s| {
            s.sysmon_sleeps = s.all_idle() && s.taken == before;
            (s.taken, s.sysmon_sleeps)
        })
    }
}

/// What it has seen.
struct Memory {
    slices: preempt::Watch,
    calls: blocking::Watch,
    sockets: netpoll::Watch,
    trimmer: Trimmer,
    alarm: Alarm,
}

impl Memory {
    fn new() -> Memory {
        Memory {
            slices: preempt::Watch::new(),
            calls: blocking::Watch::new(),
            sockets: netpoll::Watch::new(),
            trimmer: Trimmer::new(),
            alarm: Alarm::new(),
        }
    }
}

extern "C" fn main(memory: *mut libc::c_void) -> *mut libc::c_void {
    // For good (N1).
    arch::enter_section();
    THREAD.begin("gopark-sysmon");
    // SAFETY: start() made it for this thread, and nobody else has it.
    let memory: &'static mut Memory = unsafe { &mut *memory.cast() };
    let Memory { slices, calls, sockets, trimmer, alarm } = memory;
    // How many processors had been taken when it last looked, and the same again
    // if none was held then.
    let (mut taken, mut idle) = (0, None);
    // When it asked for the last check for a deadlock.
    let mut checked = None;
    // When it asked the watchdog last, and whether it has slept since.
    let (mut asked, mut slept) = (0, false);
    // When the scheduler's state is printed next, if at all.
    let trace = SCHED.traces();
    let mut next_trace = 0;
    loop {
        let now = clock::now();
        slices.look(now);
        sockets.look();
        alarm.look(now);
        if now >= trimmer.next {
            trimmer.pass(now, idle);
        }
        // Read before it looks for calls, and before the scheduler hears that it
        // sleeps, so no wake() that follows is missed.
        let seen = WAKE.load(Ordering::Relaxed);
        let before = taken;
        let sleeps;
        (taken, sleeps) = SCHED.sysmon_may_sleep(before);
        idle = sleeps.then_some(taken);
        let soon = calls.look(!sleeps && preempt::Watch::every() <= blocking::DOZE);
        if idle.is_some() && idle != checked && deadlock::is_asked() {
            checked = idle;
            errands::ask(Errand::Deadlock);
        }
        // Also before it sleeps: somebody may be in a blocking call.
        let look = now - asked >= watchdog::PERIOD.as_nanos() as u64 || (idle.is_some() && !slept);
        slept = idle.is_some();
        if look {
            asked = now;
            if SCHED.watches() {
                errands::ask(Errand::Watchdog);
            }
            if SCHED.many_tasks().is_some() {
                errands::ask(Errand::Crowd);
            }
        }
        if let Some(period) = trace
            && now >= next_trace
        {
            next_trace = now + period.as_nanos() as u64;
            errands::ask(Errand::Trace);
        }
        let trace = trace.map(|_| Duration::from_nanos(next_trace - now));
        let later = match idle {
            Some(_) if sockets.seat_somebody() => Some(preempt::Watch::every()),
            Some(taken) => trimmer.left(taken),
            None => Some(preempt::Watch::every()),
        };
        let limit = alarm.plan(soon.into_iter().chain(later).chain(trace).min());
        if limit != Some(Duration::ZERO) {
            futex::wait(&WAKE, seen, limit);
        }
    }
}

/// Trims now and then.
struct Trimmer {
    scavenger: Scavenger,
    /// Since when free stacks have been counted.
    period: u64,
    /// When to trim next.
    next: u64,
    /// If the last pass left nothing to do: how many processors had been taken
    /// before it began, none of which was held then.
    done: Option<u64>,
}

impl Trimmer {
    fn new() -> Trimmer {
        let now = clock::now();
        Trimmer { scavenger: Scavenger::new(), period: now, next: now, done: None }
    }

    fn pass(&mut self, begin: u64, idle: Option<u64>) {
        let mut left = SCHED.shrinks() && trim_tasks();
        if begin - self.period >= PERIOD.as_nanos() as u64 {
            self.period = begin;
            SCHED.flush_idle(1);
            left |= self.scavenger.end_period();
        } else {
            // Nobody has looked yet.
            left = true;
        }
        self.done = idle.filter(|_| !left);
        let end = clock::now();
        let rest = trim::EVERY.max(Duration::from_nanos(end - begin) * REST);
        self.next = end + rest.as_nanos() as u64;
    }

    /// How long it may sleep while no processor is held; `None` for ever: since
    /// before the last pass none was taken.
    fn left(&self, taken: u64) -> Option<Duration> {
        let left = || Duration::from_nanos(self.next.saturating_sub(clock::now()));
        (self.done != Some(taken)).then(left)
    }
}

/// Halves the stacks of parked tasks that use little of them. Whether there may
/// be more to do later.
fn trim_tasks() -> bool {
    let now = clock::now();
    let mut left = false;
    registry::each_unlocked(|record| left |= trim_task(record, now));
    left
}

fn trim_task(task: &'static Record, now: u64) -> bool {
    let seen = task.state.read();
    if seen.status() != Status::Waiting || seen.settled() || task.has(flag::THREAD) {
        return false;
    }
    if now.saturating_sub(task.since()) < trim::AFTER.as_nanos() as u64 {
        return true;
    }
    // What is read here belongs to the state that was seen if that is still the
    // state afterwards: a task that is parked changes neither (R3).
    let place = task.place();
    let sp = task.sp.load(Ordering::Relaxed).addr();
    // On a segment it is left alone: what lies on its stack is not to be seen
    // from here.
    let stack = place.stack().filter(|_| place.segments() == 0);
    let Some((stack, to)) = stack.and_then(|stack| Some((stack, trim::wanted(stack, sp)?))) else {
        task.state.settle(seen);
        return false;
    };
    if task.state.begin_trim(seen) {
        ELSEWHERE.one_trim();
        // From here on the task does not start.
        trim::trim(stack, to);
        if task.state.end_trim() == Release::Enqueue {
            enqueue::enqueue(task);
        }
    }
    true
}
