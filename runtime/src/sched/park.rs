//! The two doors: a task stops through [`park`] and goes on when somebody
//! [`claim`](TaskRef::claim)s it and enqueues the claim (Go: `gopark`,
//! `goready`). Channels, locks, timers and join are all built on them, for
//! tasks and for adopted threads.
//!
//! A primitive has a lock and a queue of waiters that live on the parked tasks'
//! stacks.
//!
//! - **D1** The task links its waiter under the primitive's lock and calls
//!   `park`, which releases the lock when the task is parked: nobody can find
//!   the waiter of a task that still runs. (A select links several waiters, under
//!   as many locks: `chan/select.rs`.)
//! - **D2** Whoever wakes a waiter does it under the lock: unlink, claim; then
//!   unlock, then enqueue. So a partner never sees a waiter whose task has gone
//!   on to another park.
//! - **D3** A park that a timer or the reaper ended returns with the waiter
//!   perhaps still linked. The task takes the lock and unlinks it before its
//!   frame goes away.

use super::look::Parked;
use super::worker::{self, After, Worker};
use super::{blocking, enqueue};
use crate::inspect::contention;
use crate::sys::lock::RawLock;
use crate::sys::{clock, futex};
use crate::task::reason::WaitReason;
use crate::task::record::{Record, flag};
use crate::task::state::{Cause, Claim, Status};
use crate::task::subject::Subject;
use crate::task::{self, TaskRef, bell};
use crate::time;
use core::panic::Location;
use core::ptr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How to park.
#[derive(Clone, Copy)]
pub(crate) struct Park {
    reason: WaitReason,
    site: &'static Location<'static>,
    /// On the clock of `sys::clock`; `u64::MAX` for never.
    until: u64,
    uninterruptible: bool,
}

impl Park {
    #[inline]
    pub(crate) fn new(reason: WaitReason, site: &'static Location<'static>) -> Park {
        Park { reason, site, until: u64::MAX, uninterruptible: false }
    }

    /// Ends by itself at `deadline`. Outside of all locks: it may allocate.
    pub(crate) fn until(self, deadline: Instant) -> Park {
        self.lasting(deadline.saturating_duration_since(Instant::now()))
    }

    /// Ends by itself when so much time has passed, counted from here. Outside of
    /// all locks: it may allocate.
    pub(crate) fn lasting(self, time: Duration) -> Park {
        time::make_room();
        Park { until: clock::after(time).min(u64::MAX - 1), ..self }
    }

    /// [`until`](Self::until) a time on the clock of `sys::clock`; `u64::MAX` for
    /// never.
    pub(crate) fn until_clock(self, until: u64) -> Park {
        if until != u64::MAX {
            time::make_room();
        }
        Park { until, ..self }
    }

    /// Where in the user's code.
    pub(crate) fn site(&self) -> &'static Location<'static> {
        self.site
    }

    /// Cannot be ended by the reaper: for calls that have no error to return.
    pub(crate) fn uninterruptible(self) -> Park {
        Park { uninterruptible: true, ..self }
    }
}

/// Why a park ended.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wake {
    /// A partner completed the operation.
    Ready,
    /// The deadline passed.
    TimedOut,
    /// The reaper wants the task to end, or it must not park here, or no longer.
    /// Unlink the waiter and call [`on_reaped`].
    Reaped,
}

/// What makes a park visible to its partners.
pub(crate) trait Commit {
    /// Whether somebody could end the park before `commit` has run, other than
    /// through what `commit` publishes, and the commit could not bear it.
    const HELD: bool;
    /// The task is parked. `false`: it should go on at once.
    fn commit(&self) -> bool;
    /// The task will not park.
    fn cancel(&self);
}

/// The common case: the lock under which the waiter was linked. It stays valid
/// although the task may resume before it is released: D3 makes the task wait
/// for it before it lets go of the primitive.
impl Commit for RawLock {
    const HELD: bool = false;

    #[inline]
    fn commit(&self) -> bool {
        // SAFETY: park() is called with the lock held (D1).
        unsafe { self.unlock() };
        true
    }

    fn cancel(&self) {
        // SAFETY: as above.
        unsafe { self.unlock() };
    }
}

/// Nothing to publish: only a timer or the reaper ends the park.
pub(crate) struct Alone;

impl Commit for Alone {
    const HELD: bool = false;

    fn commit(&self) -> bool {
        true
    }

    fn cancel(&self) {}
}

/// # Safety
/// `data` is a `C` that [`park`] was given, which has not returned.
unsafe fn call_commit<C: Commit>(data: *const ()) -> bool {
    // SAFETY: park() made `data` from a `&C` that outlives the call: the task
    // is parked, or held, until the commit is done, or D3 keeps it.
    unsafe { &*data.cast::<C>() }.commit()
}

/// Parks the running task, or blocks an adopted thread, until it is claimed.
///
/// Blocks the task; its processor goes on with others.
#[inline]
pub(crate) fn park<C: Commit>(how: Park, commit: &C) -> Wake {
    park_any(how, ptr::null(), commit).0
}

/// [`park`], and observers may see what the task waits for.
#[inline]
pub(crate) fn park_on<C: Commit>(how: Park, on: &Subject, commit: &C) -> Wake {
    park_any(how, on, commit).0
}

/// [`park`] for a select. After [`Wake::Ready`] the number is that of the case
/// whose partner ended the park.
#[inline]
pub(crate) fn park_cases<C: Commit>(how: Park, on: &Subject, commit: &C) -> (Wake, u16) {
    park_any(how, on, commit)
}

#[inline]
fn park_any<C: Commit>(how: Park, on: *const Subject, commit: &C) -> (Wake, u16) {
    if contention::is_on() {
        return park_watched(how, on, commit);
    }
    park_since(how, on, commit, clock::coarse())
}

/// Somebody wants to know how long it takes.
#[cold]
#[inline(never)]
fn park_watched<C: Commit>(how: Park, on: *const Subject, commit: &C) -> (Wake, u16) {
    contention::during(how.reason, |since| park_since(how, on, commit, since))
}

#[inline]
fn park_since<C: Commit>(how: Park, on: *const Subject, commit: &C, since: u64) -> (Wake, u16) {
    match worker::current() {
        Some(worker) => match worker.running() {
            Some(task) => park_task(worker, task, how, on, commit, since),
            None => crate::sys::fatal(format_args!("the scheduler itself tried to park")),
        },
        None => park_thread(task::current().record(), how, on, commit, since),
    }
}

#[inline]
fn park_task<C: Commit>(
    worker: &'static Worker,
    task: &'static Record,
    mut how: Park,
    on: *const Subject,
    commit: &C,
    since: u64,
) -> (Wake, u16) {
    let marked = flag::REAP | flag::UNINTERRUPTIBLE | flag::PREEMPT | flag::DEADLINE;
    let own = how.until;
    if (task.has(marked) || how.uninterruptible || task.no_park.get() != 0)
        && !may_park(task, &mut how)
    {
        commit.cancel();
        note_unwinding(task);
        return (Wake::Reaped, 0);
    }
    task.describe_wait(how.reason, how.site, since, how.until);
    task.set_subject(on);
    let held = C::HELD || how.until != u64::MAX;
    let data = core::ptr::from_ref(commit).cast();
    leave(worker, task, After::Park { commit: call_commit::<C>, data, held });
    let reading = task.state.read();
    if how.until != u64::MAX {
        time::park_ended(task, reading.cause());
    }
    (wake_of(reading.cause(), how.until != own), reading.case())
}

/// Switches away from the task, which comes back on another thread only if it
/// may.
#[inline(always)]
pub(crate) fn leave(worker: &'static Worker, task: &'static Record, after: After) {
    // A task that leaves in a blocking call is in it again when it comes back.
    let call = blocking::call_site(worker);
    leave_it(worker, task, after);
    if let Some(site) = call {
        blocking::lend_again(task, site);
    }
}

#[inline(always)]
fn leave_it(worker: &'static Worker, task: &'static Record, after: After) {
    if !thread_panics() {
        if task.has(flag::UNWINDING) {
            task.clear(flag::UNWINDING);
        }
        return worker.leave(task, after);
    }
    let pin = Pin::new(worker, task);
    worker.leave(task, after);
    pin.end(task);
}

/// The rare conditions: `no_park`, and tasks that the reaper or sysmon has marked.
#[cold]
fn may_park(task: &Record, how: &mut Park) -> bool {
    // Whoever parks gives way.
    task.clear(flag::PREEMPT);
    if task.no_park.get() != 0 {
        return false;
    }
    if how.uninterruptible {
        task.set(flag::UNINTERRUPTIBLE);
        return true;
    }
    task.clear(flag::UNINTERRUPTIBLE);
    (!task.has(flag::REAP) || task.has(flag::ABANDONED)) && is_in_time(task, how)
}

/// Lets the park last no longer than the task's limit. `false`: that has passed.
fn is_in_time(task: &Record, how: &mut Park) -> bool {
    if !task.has(flag::DEADLINE) {
        return true;
    }
    let limit = time::limit(task, how.until);
    how.until = limit.unwrap_or(how.until);
    limit.is_some()
}

/// `limited`: the timer was not the park's own, but a limit's further out.
fn wake_of(cause: Cause, limited: bool) -> Wake {
    match cause {
        Cause::Ready => Wake::Ready,
        Cause::Timer if limited => Wake::Reaped,
        Cause::Timer => Wake::TimedOut,
        Cause::Reaper => Wake::Reaped,
    }
}

/// `std::thread::panicking`, which reads a thread-local: not inlined, so that
/// its address is not kept across a park.
#[inline(never)]
fn thread_panics() -> bool {
    std::thread::panicking()
}

/// What is known of the running task, whose thread has a panic count.
///
/// The count is the thread's, so a sibling that has parked in the middle of its
/// unwind is counted too. Without such a one it speaks of the running task.
#[cold]
#[inline(never)]
pub(crate) fn unwinding_here() -> Unwinding {
    if !thread_panics() {
        return Unwinding::No;
    }
    match worker::current() {
        Some(worker) if worker.unwinding.get() != 0 => Unwinding::Perhaps,
        _ => Unwinding::Yes,
    }
}

/// Notes whether the running task or thread unwinds, for [`on_reaped`].
#[cold]
fn note_unwinding(task: &Record) {
    match unwinding_here() {
        Unwinding::No if task.has(flag::UNWINDING) => task.clear(flag::UNWINDING),
        Unwinding::No => {}
        Unwinding::Yes | Unwinding::Perhaps => task.set(flag::UNWINDING),
    }
}

/// See [`unwinding_here`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unwinding {
    No,
    Yes,
    Perhaps,
}

/// A task that parks while it unwinds resumes on the thread where it began to,
/// whose panic count speaks of it. One that perhaps does not is treated alike.
struct Pin {
    bound: bool,
}

impl Pin {
    #[cold]
    #[inline(never)]
    fn new(worker: &'static Worker, task: &Record) -> Pin {
        let pin = Pin { bound: task.worker.load(Ordering::Relaxed).is_null() };
        task.set(flag::UNWINDING);
        worker.unwinding.set(worker.unwinding.get() + 1);
        if pin.bound {
            worker.bound_alive.rise();
            // ORDERING: Release; pairs with the Acquire in enqueue::put().
            task.worker.store(core::ptr::from_ref(worker).cast_mut(), Ordering::Release);
        }
        pin
    }

    #[cold]
    #[inline(never)]
    fn end(self, task: &Record) {
        let worker = worker::current().expect("a task resumes on a worker");
        worker.unwinding.set(worker.unwinding.get() - 1);
        if self.bound {
            worker.bound_alive.fall();
            task.worker.store(core::ptr::null_mut(), Ordering::Relaxed);
        }
    }
}

/// An adopted thread waits on the low half of its state word.
fn park_thread<C: Commit>(
    task: &'static Record,
    mut how: Park,
    on: *const Subject,
    commit: &C,
    since: u64,
) -> (Wake, u16) {
    let own = how.until;
    let marked = flag::REAP | flag::UNINTERRUPTIBLE | flag::DEADLINE;
    if (task.has(marked) || how.uninterruptible) && !may_park(task, &mut how) {
        commit.cancel();
        note_unwinding(task);
        return (Wake::Reaped, 0);
    }
    note_unwinding(task);
    task.describe_wait(how.reason, how.site, since, how.until);
    task.set_subject(on);
    let parked_at = Parked::here();
    task.sp.store(ptr::from_ref(&parked_at).cast_mut().cast(), Ordering::Relaxed);
    task.state.wait_held();
    let parked = commit.commit();
    // A claim that came meanwhile has made us runnable; nobody else need act.
    let _ = task.state.release();
    if !parked {
        let _ = task.state.claim(Cause::Ready, None);
    }
    loop {
        let reading = task.state.read();
        if reading.status() == Status::Runnable && !reading.held() {
            let wake = wake_of(task.state.start(), how.until != own);
            return (wake, reading.case());
        }
        let timeout = (how.until != u64::MAX)
            .then(|| Duration::from_nanos(how.until.saturating_sub(clock::now())));
        if timeout == Some(Duration::ZERO) {
            // Lost only to a partner, who has made us runnable.
            let _ = task.state.claim(Cause::Timer, None);
            continue;
        }
        // SAFETY: records are never freed (R1).
        unsafe { futex::wait_ptr(task.state.futex(), reading.low(), timeout) };
    }
}

/// After [`Wake::Reaped`], when the waiter is unlinked: unwinds the task, as the
/// reaper wants, or to a limit that has passed ([`timeout`](time::timeout)).
///
/// Returns only if the task was given up, or if it is unwinding already, where a
/// second unwind would abort. A call that has an error to return then returns it; one that has none
/// parks again, [uninterruptible](Park::uninterruptible).
///
/// # Panics
/// Always, unless already panicking: in a [`no_park`](crate::no_park) section
/// with a message, otherwise silently with the reaper's token.
#[cold]
#[inline(never)]
pub(crate) fn on_reaped() {
    refuse_in_no_park();
    let task = task::current().record();
    if !task.has(flag::UNWINDING) {
        // So it was when it parked.
        if task.has(flag::DEADLINE) && (!task.has(flag::REAP) || task.has(flag::ABANDONED)) {
            time::expire(task);
        }
        return task::reap::unwind(task);
    }
    match unwinding_here() {
        Unwinding::No => task::reap::unwind(task),
        Unwinding::Yes => task::caller::say(task),
        // A second unwind would end the process, so the call fails; but not for
        // ever, or a task that tries again and again would never rest.
        Unwinding::Perhaps => drop(task::reap::is_patient(task)),
    }
}

/// For a call that has to know before it gives something up.
///
/// # Panics
/// In a [`no_park`](crate::no_park) section.
pub(crate) fn refuse_in_no_park() {
    assert!(
        task::current().record().no_park.get() == 0,
        "a task tried to park inside gopark::no_park; release what must not be held across a park \
         first, or use a try_ call"
    );
}

/// A claim that was won: the task is runnable and must be enqueued.
#[must_use = "a claimed task that is not enqueued never runs again"]
pub(crate) enum Claimed {
    Task(&'static Record),
    /// An adopted thread, which may see that it is runnable by itself, go on and
    /// give its record back: nothing of the record is read any more.
    Thread(*const u32),
    /// The observer that holds the task enqueues it (T3).
    Held,
    /// A task that has been waiting to be released (`task/bell.rs`).
    Bell(&'static Record),
}

// SAFETY: the pointer is an address to wake; the futex call never reads it.
unsafe impl Send for Claimed {}

impl TaskRef {
    /// Ends the task's park for its partner. `None`: something else ended it.
    ///
    /// Under the lock of the primitive that it waits on (D2).
    #[inline]
    pub(crate) fn claim(self) -> Option<Claimed> {
        self.claim_case(0)
    }

    /// [`TaskRef::claim`] for a partner that serves one case of a select.
    #[inline]
    pub(crate) fn claim_case(self, case: u16) -> Option<Claimed> {
        if self.record().has(flag::BELL) {
            // It is in one queue and has one cause to wake, so nobody was faster.
            return Some(Claimed::Bell(self.record()));
        }
        claimed(self.record(), |task| task.state.claim_case(case))
    }
}

/// [`TaskRef::claim`] for the timer and the reaper, who name the park they mean.
#[inline]
pub(crate) fn claim(task: &'static Record, cause: Cause, ticket: Option<u32>) -> Option<Claimed> {
    claimed(task, |task| task.state.claim(cause, ticket))
}

#[inline]
fn claimed(task: &'static Record, claim: impl FnOnce(&Record) -> Claim) -> Option<Claimed> {
    // Read before the claim: afterwards the record may have another owner.
    let thread = task.has(flag::THREAD);
    match claim(task) {
        Claim::Won if thread => Some(Claimed::Thread(task.state.futex())),
        Claim::Won => Some(Claimed::Task(task)),
        Claim::Held => Some(Claimed::Held),
        Claim::Lost => None,
    }
}

impl Claimed {
    /// Puts the task where it will run. No primitive's lock is held. From here
    /// on the waiter's frame may be gone.
    #[inline]
    pub(crate) fn enqueue(self) {
        match self {
            Claimed::Task(task) => enqueue::enqueue(task),
            Claimed::Thread(word) => futex::wake_ptr(word, 1),
            Claimed::Held => {}
            Claimed::Bell(task) => bell::ring(task),
        }
    }
}
