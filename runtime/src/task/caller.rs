//! A task or a thread under observation: a watcher sees whether it is blocked, and
//! can have it unwind out of its wait.
//!
//! The leak check watches the body of a test this way. That is no task of the
//! test's scope but the one that opened it: a thread of the harness, mostly. The
//! marks are those of a task that is reaped ([`reap`](super::reap)), and are taken
//! back when the test is over: a thread of the harness goes on to the next one.
#![expect(clippy::disallowed_types, reason = "a hanging test is ended outside of sections")]

use super::packet::ReapToken;
use super::record::{Life, Record, TaskId, flag};
use super::state::{Cause, Status};
use crate::inspect::{Snapshot, TaskInfo};
use crate::sched::park;
use crate::sys::section;
use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a caller that goes on may take to say what it has to.
const PATIENCE: Duration = Duration::from_secs(10);

/// The task, or the OS thread, that made it with [`Caller::here`]: to be looked at
/// from elsewhere.
///
/// ```
/// use gopark::inspect::Caller;
///
/// let me = Caller::here();
/// assert!(me.blocked().is_none(), "it runs");
/// assert_eq!(me.info().unwrap().id, me.id());
/// ```
#[derive(Clone, Copy)]
pub struct Caller {
    record: &'static Record,
    id: TaskId,
    life: Life,
}

/// What a caller says before it unwinds.
type First = Box<dyn FnOnce() + Send>;

/// Somebody who is to be unwound, until the pardon.
struct Accused {
    who: TaskId,
    first: Option<First>,
    /// Hangs up when that is said.
    said: Option<Receiver<()>>,
}

static ACCUSED: Mutex<Vec<Accused>> = Mutex::new(Vec::new());
/// How many have something to say. Only a hint: whoever is woken to say it sees it.
static WAITING: AtomicUsize = AtomicUsize::new(0);

fn accused() -> MutexGuard<'static, Vec<Accused>> {
    section::check_outside();
    ACCUSED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Caller {
    /// The running task; outside of tasks, the thread.
    pub fn here() -> Caller {
        let record = super::current().record();
        Caller { record, id: record.id(), life: record.life() }
    }

    /// Its number.
    pub fn id(&self) -> TaskId {
        self.id
    }

    /// A stamp, if it is parked now where only another task or thread can end it.
    /// Equal stamps mean one uninterrupted wait.
    pub fn blocked(&self) -> Option<u64> {
        let (id, stamp, blocked) = self.record.blocked()?;
        (blocked && id == self.id).then_some(stamp)
    }

    /// What it does now. `None`: it has ended.
    pub fn info(&self) -> Option<TaskInfo> {
        Snapshot::one(self.record).filter(|info| info.id == self.id)
    }

    /// The kernel's number of the thread, if it is none of the runtime's.
    pub fn thread(&self) -> Option<u32> {
        let is_thread = self.record.has(flag::THREAD) && self.record.life() == self.life;
        is_thread.then(|| self.record.tid.load(Ordering::Relaxed))
    }

    /// Whether it was told to unwind and has swallowed that so often that it was
    /// given up.
    pub fn is_abandoned(&self) -> bool {
        self.record.life() == self.life && self.record.has(flag::ABANDONED)
    }

    /// The first step of having it unwind ([`Scope::reap_with`](crate::Scope::reap_with)),
    /// which nothing else comes of: `first` is what it runs before it does, on its own
    /// thread.
    pub fn accuse(&self, first: impl FnOnce() + Send + 'static) {
        let (saying, said) = mpsc::channel::<()>();
        let first = Box::new(move || {
            first();
            drop(saying);
        });
        accused().push(Accused { who: self.id, first: Some(first), said: Some(said) });
        WAITING.fetch_add(1, Ordering::Relaxed);
    }

    /// The calling task or thread is not to be unwound any more, whatever was begun.
    pub fn pardon(&self) {
        let me = super::current().record();
        if me.id() != self.id {
            return;
        }
        drop(take_first(self.id));
        let mut accused = accused();
        accused.retain(|it| it.who != self.id);
        me.clear(flag::REAP | flag::ABANDONED);
        me.reaps.set(0);
    }

    /// Whether the task or thread has ended.
    pub fn is_gone(&self) -> bool {
        self.record.life() != self.life
            || matches!(self.record.state.read().status(), Status::Idle | Status::Dead)
    }

    /// It is unwound, if it is accused: out of its present wait if that can be ended,
    /// else at the next. Returns when it has said what it had to, or will not soon.
    pub(super) fn condemn(&self) {
        if !self.end() {
            return;
        }
        let said = accused().iter_mut().find_map(|it| self.is(it)?.said.take());
        if let Some(said) = said {
            // It says nothing; it hangs up.
            let _: Result<(), RecvTimeoutError> = said.recv_timeout(PATIENCE);
        }
    }

    /// Ends its present wait if it is to be unwound and that can be ended.
    pub fn end_wait(&self) {
        self.end();
    }

    fn is<'a>(&self, it: &'a mut Accused) -> Option<&'a mut Accused> {
        (it.who == self.id).then_some(it)
    }

    /// `true`: it was parked, and goes on.
    fn end(&self) -> bool {
        if cfg!(not(panic = "unwind")) {
            return false;
        }
        // Held to the end: the pardon comes before, or after and takes all back.
        let mut accused = accused();
        // Read first: if the life is the same afterwards, this was a state of that life, and
        // a claim by its ticket cannot hit whoever has the record next.
        let reading = self.record.state.read();
        if self.is_gone() || !accused.iter_mut().any(|it| self.is(it).is_some()) {
            return false;
        }
        let keeps = self.record.has(flag::UNINTERRUPTIBLE | flag::ABANDONED);
        let claim = match reading.parked() && !keeps {
            true => park::claim(self.record, Cause::Reaper, Some(reading.ticket())),
            false => None,
        };
        // After the claim, and before it goes on: what it waits for next is refused.
        self.record.set_in(self.life, flag::REAP);
        let claimed = claim.is_some();
        if let Some(claim) = claim {
            claim.enqueue();
        }
        claimed
    }
}

fn take_first(id: TaskId) -> Option<First> {
    let first = accused().iter_mut().filter(|it| it.who == id).find_map(|it| it.first.take())?;
    WAITING.fetch_sub(1, Ordering::Relaxed);
    Some(first)
}

/// The running task or thread is about to unwind, or does already, and says what it
/// was told to.
pub(crate) fn say(task: &Record) {
    if WAITING.load(Ordering::Relaxed) != 0
        && let Some(first) = take_first(task.id())
    {
        first();
    }
}

/// Whether this is what a task or thread unwinds with that is reaped: such an unwind
/// is no panic, and no hook has seen it.
pub fn is_reaping(payload: &(dyn Any + Send)) -> bool {
    payload.is::<ReapToken>()
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller").field("id", &self.id).finish()
    }
}
