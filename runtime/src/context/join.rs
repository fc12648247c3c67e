//! The end of a task, or that of the context.
//!
//! The task's record names a bell, as for a future; what it wakes closes a channel, for
//! which the select waits.

use super::{Context, ContextError};
use crate::chan::{self, Case, Sender};
use crate::future::JoinFuture;
use crate::inspect::WaitReason;
use crate::task::handle::{self, JoinHandle};
use std::error::Error;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};

/// Why [`Context::join`] has no value.
#[non_exhaustive]
pub enum JoinError<T> {
    /// The task has ended without one.
    Ended(handle::JoinError),
    /// The context is done. The handle comes back; dropping it leaves the task to
    /// itself.
    Done(JoinHandle<T>, ContextError),
}

/// Ends the wait.
struct Ring(Sender<()>);

impl Wake for Ring {
    fn wake(self: Arc<Self>) {
        self.0.close();
    }
}

impl Context {
    /// Waits until a task has ended and returns what its function returned, unless the
    /// context is or gets done. The task is not ended by that: give it a context of its
    /// own.
    ///
    /// Parks the task with reason `join`.
    ///
    /// # Errors
    /// [`JoinError::Done`] if the context is done, even if the task has ended, with the
    /// handle; [`JoinError::Ended`] as [`JoinHandle::join`].
    ///
    /// # Panics
    /// If the system refuses the address space for one more task.
    ///
    /// ```
    /// use gopark::chan;
    /// use gopark::context::{Context, ContextError, JoinError};
    /// use std::time::Duration;
    ///
    /// let ctx = Context::background();
    /// assert_eq!(ctx.join(gopark::go(|| 7)).unwrap(), 7);
    /// let (tx, rx) = chan::rendezvous::<u8>();
    /// let waiting = gopark::go(move || rx.recv());
    /// let (ctx, _cancel) = ctx.with_timeout(Duration::from_millis(5));
    /// let Err(JoinError::Done(waiting, why)) = ctx.join(waiting) else { unreachable!() };
    /// assert_eq!(why, ContextError::DeadlineExceeded);
    /// tx.send(1).unwrap();
    /// assert_eq!(waiting.join().unwrap(), Ok(1));
    /// ```
    #[track_caller]
    pub fn join<T>(&self, handle: JoinHandle<T>) -> Result<T, JoinError<T>> {
        if let Err(reason) = self.check() {
            return Err(JoinError::Done(handle, reason));
        }
        let (rings, over) = chan::rendezvous();
        let waker = Waker::from(Arc::new(Ring(rings)));
        let mut end = handle.into_future();
        loop {
            if let Some(outcome) = poll(&mut end, &waker) {
                return outcome.map_err(JoinError::Ended);
            }
            // In this order: what fails in a task that is being ended is the context.
            let (mut done, mut case) = (self.done().case(), over.case());
            let cases: &mut [&mut dyn Case] = &mut [&mut done, &mut case];
            match chan::select_as(WaitReason::Join, cases, self.limit()) {
                Some(1) => {}
                _ => return Err(JoinError::Done(end.give_up(), self.reason())),
            }
        }
    }
}

fn poll<T>(end: &mut JoinFuture<T>, waker: &Waker) -> Option<Result<T, handle::JoinError>> {
    match Pin::new(end).poll(&mut std::task::Context::from_waker(waker)) {
        Poll::Ready(outcome) => Some(outcome),
        Poll::Pending => None,
    }
}

impl<T> fmt::Display for JoinError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(why) => why.fmt(f),
            Self::Done(_, reason) => reason.fmt(f),
        }
    }
}

// Without `T: Debug`, so that `unwrap` works for every value.
impl<T> fmt::Debug for JoinError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(why) => f.debug_tuple("Ended").field(why).finish(),
            Self::Done(handle, reason) => {
                f.debug_tuple("Done").field(handle).field(reason).finish()
            }
        }
    }
}

impl<T> Error for JoinError<T> {}
