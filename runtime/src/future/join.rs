//! The end of a task, in async code.
//!
//! The record names a [bell](crate::task::bell) in the place of a parked joiner. It is
//! the scheduler's once that has seen it there, as `withdraw` tells, and else the
//! future's (B1).

use crate::task::bell::Bell;
use crate::task::handle::{JoinError, JoinHandle};
use std::fmt;
use std::future::{Future, IntoFuture};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Waits for a task; made by `.await` on a [`JoinHandle`], under any executor.
///
/// Dropping it detaches the task, as dropping the handle does.
///
/// ```
/// let task = gopark::go(|| 42);
/// assert_eq!(gopark::block_on(async { task.await.unwrap() }), 42);
/// ```
#[must_use = "a future does nothing until it is polled"]
pub struct JoinFuture<T> {
    /// Until it is done.
    handle: Option<JoinHandle<T>>,
    /// Named in the task's record.
    bell: Option<Bell>,
    site: &'static Location<'static>,
}

// No value of T is in it.
impl<T> Unpin for JoinFuture<T> {}

/// As [`JoinHandle::join`]: the same result, and the same errors.
///
/// # Panics
/// Polling panics if the system refuses the address space for one more task, and when
/// the future is done.
impl<T> IntoFuture for JoinHandle<T> {
    type Output = Result<T, JoinError>;
    type IntoFuture = JoinFuture<T>;

    #[track_caller]
    fn into_future(self) -> JoinFuture<T> {
        JoinFuture { handle: Some(self), bell: None, site: Location::caller() }
    }
}

impl<T> Future for JoinFuture<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let handle = this.handle.as_mut().expect("a JoinFuture was polled after it was done");
        if let Some(bell) = &this.bell {
            bell.set(cx.waker());
            // After the waker (B2).
            if !handle.is_over() {
                return Poll::Pending;
            }
            // It rings: it was named when the task ended.
            this.bell = None;
        } else if !handle.is_over() {
            let bell = Bell::new(cx.waker(), this.site);
            if handle.enlist(bell.task()) {
                this.bell = Some(bell);
                return Poll::Pending;
            }
            bell.silence();
        }
        Poll::Ready(this.handle.take().expect("it was there").outcome())
    }
}

impl<T> JoinFuture<T> {
    /// Takes the handle back from one that is not done.
    pub(crate) fn give_up(mut self) -> JoinHandle<T> {
        self.withdraw();
        self.handle.take().expect("a JoinFuture was given up after it was done")
    }

    fn withdraw(&mut self) {
        if let (Some(handle), Some(bell)) = (&mut self.handle, self.bell.take())
            && !handle.withdraw()
        {
            bell.silence();
        }
    }
}

impl<T> Drop for JoinFuture<T> {
    fn drop(&mut self) {
        self.withdraw();
    }
}

impl<T> fmt::Debug for JoinFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinFuture").field("handle", &self.handle).finish()
    }
}
