//! One operation, or the end of the context: what most selects on
//! [`Context::done`] are, without the select.
//!
//! A deadline limits the wait itself, too, which a leak check can see.

use super::{Context, ContextError};
use crate::chan::{self, Limit, Receiver, Sender, TryRecvError, TrySendError};
use crate::sync::{
    AcquireCase, Barrier, BarrierCase, BarrierWaitResult, CondCase, Condvar, MutexGuard, Permit,
    Semaphore, WaitGroup,
};
use std::error::Error;
use std::fmt;
use std::time::{Duration, Instant};

/// Why [`Context::recv`] received nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecvError {
    /// The channel is closed and drained.
    Closed,
    /// The context is done.
    Done(ContextError),
}

/// Why [`Context::send`] did not send. Hands the value back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SendError<T> {
    /// The channel is closed.
    Closed(T),
    /// The context is done.
    Done(T, ContextError),
}

impl<T> SendError<T> {
    /// The value that was not sent.
    ///
    /// ```
    /// use gopark::chan;
    /// use gopark::context::Context;
    ///
    /// let (ctx, cancel) = Context::background().with_cancel();
    /// drop(cancel);
    /// let (tx, _rx) = chan::bounded(1);
    /// assert_eq!(ctx.send(&tx, "letter").unwrap_err().into_inner(), "letter");
    /// ```
    pub fn into_inner(self) -> T {
        match self {
            Self::Closed(value) | Self::Done(value, _) => value,
        }
    }
}

impl Context {
    /// Receives a value, unless the context is or gets done.
    ///
    /// Parks the task with reason `select`.
    ///
    /// # Errors
    /// [`RecvError::Done`] if the context is done, even if there is a value;
    /// [`RecvError::Closed`] if the channel is closed and drained.
    ///
    /// ```
    /// use gopark::chan;
    /// use gopark::context::{Context, ContextError, RecvError};
    /// use std::time::Duration;
    ///
    /// let ctx = Context::background();
    /// let (tx, rx) = chan::bounded(1);
    /// tx.send(7).unwrap();
    /// assert_eq!(ctx.recv(&rx), Ok(7));
    /// let (ctx, _cancel) = ctx.with_timeout(Duration::from_millis(5));
    /// assert_eq!(ctx.recv(&rx), Err(RecvError::Done(ContextError::DeadlineExceeded)));
    /// ```
    #[track_caller]
    pub fn recv<T>(&self, rx: &Receiver<T>) -> Result<T, RecvError> {
        self.check().map_err(RecvError::Done)?;
        // What is there needs no select.
        match rx.try_recv() {
            Ok(value) => return Ok(value),
            Err(TryRecvError::Closed) => return Err(RecvError::Closed),
            Err(TryRecvError::Empty) => {}
        }
        let (mut case, mut done) = (rx.case(), self.done().case());
        match chan::select_within(&mut [&mut case, &mut done], self.limit()) {
            Some(0) => case.take().map_err(|chan::RecvError| RecvError::Closed),
            _ => Err(RecvError::Done(self.reason())),
        }
    }

    /// Sends a value, unless the context is or gets done.
    ///
    /// Parks the task with reason `select`.
    ///
    /// # Errors
    /// [`SendError::Done`] if the context is done, even if there is room;
    /// [`SendError::Closed`] if the channel is closed. The value comes back.
    ///
    /// ```
    /// use gopark::chan;
    /// use gopark::context::{Context, ContextError, SendError};
    ///
    /// let (ctx, cancel) = Context::background().with_cancel();
    /// let (tx, _rx) = chan::bounded(1);
    /// assert_eq!(ctx.send(&tx, 1), Ok(()));
    /// drop(cancel);
    /// assert_eq!(ctx.send(&tx, 2), Err(SendError::Done(2, ContextError::Cancelled)));
    /// ```
    #[track_caller]
    pub fn send<T>(&self, tx: &Sender<T>, value: T) -> Result<(), SendError<T>> {
        if let Err(reason) = self.check() {
            return Err(SendError::Done(value, reason));
        }
        let value = match tx.try_send(value) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Closed(value)) => return Err(SendError::Closed(value)),
            Err(TrySendError::Full(value)) => value,
        };
        let (mut case, mut done) = (tx.case(value), self.done().case());
        match chan::select_within(&mut [&mut case, &mut done], self.limit()) {
            Some(0) => case.take().map_err(|chan::SendError(value)| SendError::Closed(value)),
            _ => Err(SendError::Done(case.into_value().expect("it was not sent"), self.reason())),
        }
    }

    /// Sleeps for so long, unless the context is or gets done.
    ///
    /// Parks the task with reason `select`.
    ///
    /// # Errors
    /// The context is done.
    ///
    /// ```
    /// use gopark::context::{Context, ContextError};
    /// use std::time::Duration;
    ///
    /// let (ctx, cancel) = Context::background().with_cancel();
    /// assert_eq!(ctx.sleep(Duration::from_millis(1)), Ok(()));
    /// let sleeper = gopark::go(move || ctx.sleep(Duration::from_secs(3600)));
    /// drop(cancel);
    /// assert_eq!(sleeper.join().unwrap(), Err(ContextError::Cancelled));
    /// ```
    #[track_caller]
    pub fn sleep(&self, duration: Duration) -> Result<(), ContextError> {
        self.check()?;
        let limit = match (Instant::now().checked_add(duration), self.deadline()) {
            (Some(end), Some(deadline)) => Limit::At(end.min(deadline)),
            (Some(at), None) | (None, Some(at)) => Limit::At(at),
            (None, None) => Limit::None,
        };
        chan::select_within(&mut [&mut self.done().case()], limit);
        self.check()
    }

    /// Waits until the context is done, and says why; for ever if it cannot be.
    ///
    /// Parks the task with reason `select`.
    ///
    /// ```
    /// use gopark::context::{Context, ContextError};
    ///
    /// let (ctx, cancel) = Context::background().with_cancel();
    /// let waiting = gopark::go(move || ctx.wait());
    /// drop(cancel);
    /// assert_eq!(waiting.join().unwrap(), ContextError::Cancelled);
    /// ```
    #[track_caller]
    pub fn wait(&self) -> ContextError {
        chan::select_within(&mut [&mut self.done().case()], self.limit());
        self.reason()
    }

    /// Waits until the counter of the group is zero, unless the context is or gets
    /// done.
    ///
    /// Parks the task with reason `select`.
    ///
    /// # Errors
    /// The context is done.
    ///
    /// ```
    /// use gopark::context::{Context, ContextError};
    /// use gopark::sync::WaitGroup;
    /// use std::time::Duration;
    ///
    /// let (ctx, cancel) = Context::background().with_cancel();
    /// let group = WaitGroup::new();
    /// group.go(|| ());
    /// assert_eq!(ctx.wait_for(&group), Ok(()));
    /// group.add(1);
    /// let waiting = gopark::go(move || ctx.wait_for(&group));
    /// drop(cancel);
    /// assert_eq!(waiting.join().unwrap(), Err(ContextError::Cancelled));
    /// ```
    #[track_caller]
    pub fn wait_for(&self, group: &WaitGroup) -> Result<(), ContextError> {
        self.check()?;
        let (mut case, mut done) = (group.case(), self.done().case());
        match chan::select_within(&mut [&mut case, &mut done], self.limit()) {
            Some(0) => Ok(()),
            _ => Err(self.reason()),
        }
    }

    /// Takes permits, unless the context is or gets done (Go: `semaphore.Acquire` of
    /// `golang.org/x/sync`).
    ///
    /// Parks the task with reason `select`. One that wants more permits than there are
    /// in all waits for the context, and holds up nobody.
    ///
    /// # Errors
    /// The context is done, even if there are permits.
    ///
    /// ```
    /// use gopark::context::{Context, ContextError};
    /// use gopark::sync::Semaphore;
    /// use std::time::Duration;
    ///
    /// let ctx = Context::background();
    /// let semaphore = Semaphore::new(1);
    /// let permit = ctx.acquire(&semaphore, 1).unwrap();
    /// let (ctx, _cancel) = ctx.with_timeout(Duration::from_millis(5));
    /// assert_eq!(ctx.acquire(&semaphore, 1).err(), Some(ContextError::DeadlineExceeded));
    /// # drop(permit);
    /// ```
    #[track_caller]
    pub fn acquire<'a>(
        &self,
        semaphore: &'a Semaphore,
        permits: usize,
    ) -> Result<Permit<'a>, ContextError> {
        self.check()?;
        if let Some(permit) = semaphore.try_acquire(permits) {
            return Ok(permit);
        }
        let Some(mut case) = AcquireCase::new(semaphore, permits) else {
            return Err(self.wait());
        };
        let mut done = self.done().case();
        match chan::select_within(&mut [&mut case, &mut done], self.limit()) {
            Some(0) => Ok(case.take()),
            _ => Err(self.reason()),
        }
    }

    /// Waits until all have arrived at a barrier, unless the context is or gets done.
    /// Then this one has not arrived.
    ///
    /// Parks the task with reason `select`.
    ///
    /// # Errors
    /// The context is done, even if this one would have been the last.
    ///
    /// ```
    /// use gopark::context::{Context, ContextError};
    /// use gopark::sync::Barrier;
    /// use std::time::Duration;
    ///
    /// let ctx = Context::background();
    /// assert!(ctx.wait_at(&Barrier::new(1)).unwrap().is_leader());
    /// let (ctx, _cancel) = ctx.with_timeout(Duration::from_millis(5));
    /// assert_eq!(ctx.wait_at(&Barrier::new(2)), Err(ContextError::DeadlineExceeded));
    /// ```
    #[track_caller]
    pub fn wait_at(&self, barrier: &Barrier) -> Result<BarrierWaitResult, ContextError> {
        self.check()?;
        let (mut case, mut done) = (BarrierCase::new(barrier), self.done().case());
        chan::select_within(&mut [&mut case, &mut done], self.limit());
        // All may have arrived just before the context was done.
        case.result().ok_or_else(|| self.reason())
    }

    /// Waits for signals as long as the condition holds, unless the context is or gets
    /// done (Go: `Cond.Wait` in a loop, with an `AfterFunc` that broadcasts).
    ///
    /// Gives the lock up while it waits. Parks the task with reason `select`, and then,
    /// if need be, with `sync.Mutex.Lock`.
    ///
    /// # Errors
    /// The context is done. The lock is held in this case, too.
    ///
    /// ```
    /// use gopark::context::{Context, ContextError};
    /// use gopark::sync::{Condvar, Mutex};
    ///
    /// static JOBS: Mutex<Vec<u32>> = Mutex::new(Vec::new());
    /// static CHANGED: Condvar = Condvar::new();
    ///
    /// let (ctx, cancel) = Context::background().with_cancel();
    /// let worker = gopark::go(move || -> Result<(), ContextError> {
    ///     let mut jobs = JOBS.lock();
    ///     loop {
    ///         ctx.wait_while(&CHANGED, &mut jobs, |jobs| jobs.is_empty())?;
    ///         println!("job {:?}", jobs.pop());
    ///     }
    /// });
    /// JOBS.lock().push(7);
    /// CHANGED.notify_one();
    /// drop(cancel);
    /// assert_eq!(worker.join().unwrap(), Err(ContextError::Cancelled));
    /// ```
    #[track_caller]
    pub fn wait_while<T, F>(
        &self,
        condvar: &Condvar,
        guard: &mut MutexGuard<'_, T>,
        mut condition: F,
    ) -> Result<(), ContextError>
    where
        T: ?Sized,
        F: FnMut(&mut T) -> bool,
    {
        loop {
            self.check()?;
            if !condition(&mut **guard) {
                return Ok(());
            }
            let (mut case, mut done) = (CondCase::new(condvar, guard), self.done().case());
            match chan::select_within(&mut [&mut case, &mut done], self.limit()) {
                Some(0) => {}
                _ => return Err(self.reason()),
            }
        }
    }

    pub(super) fn check(&self) -> Result<(), ContextError> {
        self.err().map_or(Ok(()), Err)
    }

    /// After its channel was closed or its deadline passed. Else the task is being
    /// reaped, where waits fail.
    pub(super) fn reason(&self) -> ContextError {
        self.err().unwrap_or(ContextError::Cancelled)
    }

    pub(super) fn limit(&self) -> Limit {
        self.deadline().map_or(Limit::None, Limit::At)
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => chan::RecvError.fmt(f),
            Self::Done(reason) => reason.fmt(f),
        }
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(_) => chan::SendError(()).fmt(f),
            Self::Done(_, reason) => reason.fmt(f),
        }
    }
}

// Without `T: Debug`, so that `unwrap` works for every value.
impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(_) => f.write_str("Closed(..)"),
            Self::Done(_, reason) => write!(f, "Done(.., {reason:?})"),
        }
    }
}

impl Error for RecvError {}
impl<T> Error for SendError<T> {}
