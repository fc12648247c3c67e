//! The right to join a task: who waits for its end, and what becomes of its result.
//!
//! A handle is joined, dropped, or asked by a future. In each case the join word
//! (`join.rs`) decides between it and the task: who disposes of the result (J1) and who
//! frees the record (J2). All orderings are that word's. The field `waiter` is the
//! handle's until `wait` has named it there, and again after `withdraw`.

use super::TaskRef;
use super::join::{Detach, JoinWord};
use super::packet::{self, Ended};
use super::record::{Record, TaskId};
use crate::inspect::WaitReason;
use crate::sched::SCHED;
use crate::sched::park::{self, Commit, Park, Wake};
use crate::sched::worker;
use core::marker::PhantomData;
use core::panic::Location;
use std::any::Any;
use std::fmt;
use std::panic::resume_unwind;

/// Owns the right to join a task. Dropping it detaches the task.
pub struct JoinHandle<T> {
    record: &'static Record,
    id: TaskId,
    _result: PhantomData<fn() -> T>,
}

// SAFETY: the record is shared with the task by the rules J1 and J2, which hold
// on any thread; the result crosses threads, so it must be Send.
unsafe impl<T: Send> Send for JoinHandle<T> {}
// SAFETY: `&JoinHandle` only reads the join word, which is atomic.
unsafe impl<T: Send> Sync for JoinHandle<T> {}

impl<T> JoinHandle<T> {
    /// # Safety
    /// The record was prepared for the task with that number, whose function returns a
    /// `T`, and this is the one handle that the join word knows of (J1, J2).
    #[inline]
    pub(super) unsafe fn new(record: &'static Record, id: TaskId) -> JoinHandle<T> {
        JoinHandle { record, id, _result: PhantomData }
    }

    /// The task's number.
    pub fn id(&self) -> TaskId {
        self.id
    }

    /// Whether [`join`](Self::join) would return at once.
    pub fn is_finished(&self) -> bool {
        super::pass_by();
        self.record.join.is_done()
    }

    /// Waits until the task has ended and returns what its function returned.
    ///
    /// Parks the calling task, or blocks the calling thread; wait reason `join`.
    ///
    /// # Errors
    /// [`JoinError::Panicked`] with the payload of the task's panic,
    /// [`JoinError::Exited`] if it called [`goexit`](crate::goexit),
    /// [`JoinError::Reaped`] if a leak check ended it, or if the caller itself
    /// is being reaped and is already unwinding.
    #[track_caller]
    pub fn join(self) -> Result<T, JoinError> {
        super::arrive();
        if !self.record.join.is_done() && !self.wait(Location::caller()) {
            return Err(JoinError::Reaped);
        }
        // SAFETY: the task is done, and wait() has withdrawn.
        unsafe { self.take() }
    }

    /// # Safety
    /// The task is done, and nobody is named as its waiter, nor was since.
    unsafe fn take(self) -> Result<T, JoinError> {
        let record = self.record;
        std::mem::forget(self);
        // SAFETY: the task is done and acknowledged, this is its joiner, and `T`
        // is the type that it was launched with.
        let outcome = unsafe { packet::take_outcome::<T>(record) };
        free(record);
        match outcome {
            Ok(value) => Ok(value),
            Err(Ended::Panicked(panic)) => Err(JoinError::Panicked(panic.payload)),
            Err(Ended::Reaped) => Err(JoinError::Reaped),
            Err(Ended::Exited) => Err(JoinError::Exited),
        }
    }

    /// [`JoinHandle::is_finished`] for those who must not give way.
    pub(crate) fn is_over(&self) -> bool {
        self.record.join.is_done()
    }

    /// Names a bell as the one who waits, in the place of a parked joiner. `false`:
    /// too late, the task is dead and the bell will not ring.
    pub(crate) fn enlist(&mut self, bell: TaskRef) -> bool {
        super::current().record().scope().meet(self.record.home());
        self.record.waiter.set(Some(bell));
        self.record.join.wait()
    }

    /// Nobody waits any more. `true`: the bell that was named rings.
    pub(crate) fn withdraw(&mut self) -> bool {
        self.record.join.withdraw()
    }

    /// What [`join`](Self::join) returns, when the task is over.
    ///
    /// # Panics
    /// It is not.
    pub(crate) fn outcome(mut self) -> Result<T, JoinError> {
        assert!(self.is_over(), "the outcome of a task that is not over");
        self.withdraw();
        // SAFETY: the task is done, and nobody is named.
        unsafe { self.take() }
    }

    /// `false`: the caller is being reaped.
    fn wait(&self, site: &'static Location<'static>) -> bool {
        let join = &self.record.join;
        let joiner = super::current();
        joiner.record().scope().meet(self.record.home());
        self.record.waiter.set(Some(joiner));
        let subject = super::subject::Subject::of(self.record);
        let how = Park::new(WaitReason::Join, site);
        let wake = park::park_on(how, &subject, &Joining(join));
        // In every case: an adopted thread can see that it was claimed before
        // the scheduler has let go of the record.
        join.withdraw();
        if wake != Wake::Ready {
            park::on_reaped();
        }
        wake == Wake::Ready
    }
}

impl<T> Drop for JoinHandle<T> {
    #[inline]
    fn drop(&mut self) {
        let join = &self.record.join;
        match join.detach() {
            Detach::Nothing => {}
            Detach::Free => free(self.record),
            Detach::Result => {
                // Also when the result's destructor unwinds.
                let _detach = DetachAfter(self.record);
                // SAFETY: J1 appoints us.
                unsafe { (self.record.meta().dispose)(self.record) };
            }
        }
    }
}

/// Detaches when the result is gone.
struct DetachAfter(&'static Record);

impl Drop for DetachAfter {
    fn drop(&mut self) {
        if self.0.join.detach_after_result() == Detach::Free {
            free(self.0);
        }
    }
}

/// J2 appoints the caller to free the record.
pub(super) fn free(record: &'static Record) {
    worker::with_processor(|here| match here {
        Some(p) => p.put_record(record),
        None => SCHED.put_free(std::slice::from_ref(&record)),
    });
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("id", &self.id)
            .field("is_finished", &self.record.join.is_done())
            .finish()
    }
}

/// Publishes the joiner in the join word. Held, because the reaper could end
/// the park and the joiner withdraw before the word is set.
struct Joining<'a>(&'a JoinWord);

impl Commit for Joining<'_> {
    const HELD: bool = true;

    fn commit(&self) -> bool {
        self.0.wait()
    }

    fn cancel(&self) {}
}

/// Why a task has no result.
#[non_exhaustive]
pub enum JoinError {
    /// It panicked; the payload is the panic's.
    Panicked(Box<dyn Any + Send + 'static>),
    /// A leak check ended it.
    Reaped,
    /// It called [`goexit`](crate::goexit).
    Exited,
}

impl JoinError {
    /// Resumes the task's panic in the caller.
    ///
    /// # Panics
    /// Always: with the task's payload, or with a message that says how it ended.
    pub fn resume(self) -> ! {
        match self {
            JoinError::Panicked(payload) => resume_unwind(payload),
            other => panic!("{other}"),
        }
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JoinError::Panicked(payload) => {
                let text = payload
                    .downcast_ref::<&str>()
                    .copied()
                    .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
                match text {
                    Some(text) => write!(f, "the task panicked: {text}"),
                    None => f.write_str("the task panicked"),
                }
            }
            JoinError::Reaped => f.write_str("the task was reaped by a leak check"),
            JoinError::Exited => f.write_str("the task called goexit"),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JoinError::Panicked(_) => f.write_str("Panicked(..)"),
            JoinError::Reaped => f.write_str("Reaped"),
            JoinError::Exited => f.write_str("Exited"),
        }
    }
}

impl std::error::Error for JoinError {}
