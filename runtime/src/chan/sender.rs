//! The sending half.

use super::case::SendCase;
use super::error::{SendError, SendTimeoutError, TrySendError};
use super::never::{self, Ended};
use super::raw::{Chan, Side};
use super::seat::Mark;
use super::shared::Shared;
use crate::inspect::WaitReason;
use crate::sched::park::Park;
use crate::task;
use std::fmt;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::time::{Duration, Instant};

/// The sending half of a channel (Go: `chan<- T`).
///
/// Clones send into the same channel. When the last one is dropped, the channel
/// closes: receivers drain it and then get an error.
///
/// Every method may be called from tasks and from plain OS threads. A blocking
/// one parks the task; on a thread that is none of the runtime's it blocks the
/// thread.
///
/// ```
/// use gopark::chan;
///
/// let (tx, rx) = chan::bounded(2);
/// let tx2 = tx.clone();
/// gopark::go(move || tx.send(1).unwrap());
/// gopark::go(move || tx2.send(2).unwrap());
/// assert_eq!(rx.iter().sum::<i32>(), 3); // ends when both senders are gone
/// ```
pub struct Sender<T> {
    /// None: the channel that is never ready.
    chan: Option<Shared<T, true>>,
    mark: Mark,
}

impl<T> Sender<T> {
    /// Of a channel that has just been made.
    pub(super) fn first(chan: Shared<T, true>) -> Self {
        let mark = chan.seats.mark(Side::Send);
        Self { chan: Some(chan), mark }
    }

    /// Of the channel that is never ready.
    pub(super) const fn never() -> Self {
        Self { chan: None, mark: Mark::none() }
    }

    #[inline]
    pub(super) fn mark(&self) -> &Mark {
        &self.mark
    }

    /// Sends a value; blocks until it is in the buffer or a receiver has it.
    ///
    /// Parks the task with reason `chan send`.
    ///
    /// # Errors
    /// The channel is closed, or gets closed during the wait; the value comes
    /// back. (Go panics here.)
    ///
    /// ```
    /// use gopark::chan;
    ///
    /// let (tx, rx) = chan::rendezvous();
    /// let sender = gopark::go(move || tx.send("hello"));
    /// assert_eq!(rx.recv(), Ok("hello"));
    /// assert_eq!(sender.join().unwrap(), Ok(()));
    /// ```
    #[track_caller]
    #[inline]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.send_as(value, self.wait(Location::caller()))
            .map_err(|err| SendError(err.into_inner()))
    }

    /// Sends a value if that is possible at once.
    ///
    /// # Errors
    /// [`TrySendError::Full`] if there is neither room in the buffer nor a
    /// waiting receiver, [`TrySendError::Closed`] if the channel is closed. The
    /// value comes back.
    ///
    /// ```
    /// use gopark::chan::{TrySendError, rendezvous};
    ///
    /// let (tx, _rx) = rendezvous();
    /// assert_eq!(tx.try_send(1), Err(TrySendError::Full(1))); // nobody receives
    /// ```
    #[inline]
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        match &self.chan {
            Some(chan) => chan.try_send(&self.mark, value),
            None => Err(TrySendError::Full(value)),
        }
    }

    /// Sends a value, and waits at most so long for it.
    ///
    /// # Errors
    /// [`SendTimeoutError::Timeout`] if nobody took the value in time,
    /// [`SendTimeoutError::Closed`] if the channel is or gets closed. The value
    /// comes back.
    ///
    /// ```
    /// use gopark::chan::{SendTimeoutError, bounded};
    /// use std::time::Duration;
    ///
    /// let (tx, _rx) = bounded(1);
    /// let limit = Duration::from_millis(5);
    /// assert_eq!(tx.send_timeout(1, limit), Ok(()));
    /// assert_eq!(tx.send_timeout(2, limit), Err(SendTimeoutError::Timeout(2)));
    /// ```
    #[track_caller]
    pub fn send_timeout(&self, value: T, timeout: Duration) -> Result<(), SendTimeoutError<T>> {
        // The clock is read only when there is something to wait for.
        let value = match self.try_send(value) {
            Err(TrySendError::Full(value)) => value,
            Err(TrySendError::Closed(value)) => return Err(SendTimeoutError::Closed(value)),
            Ok(()) => return Ok(()),
        };
        let how = self.wait(Location::caller());
        match Instant::now().checked_add(timeout) {
            Some(deadline) => self.send_as(value, how.until(deadline)),
            // Beyond the clock's range: no limit.
            None => self.send_as(value, how),
        }
    }

    /// Sends a value, and waits for it until `deadline` at the latest.
    ///
    /// # Errors
    /// As [`Sender::send_timeout`].
    ///
    /// ```
    /// use gopark::chan::{SendTimeoutError, rendezvous};
    /// use std::time::{Duration, Instant};
    ///
    /// let (tx, _rx) = rendezvous();
    /// let deadline = Instant::now() + Duration::from_millis(5);
    /// assert_eq!(tx.send_deadline(1, deadline), Err(SendTimeoutError::Timeout(1)));
    /// assert!(Instant::now() >= deadline);
    /// ```
    #[track_caller]
    pub fn send_deadline(&self, value: T, deadline: Instant) -> Result<(), SendTimeoutError<T>> {
        self.send_as(value, self.wait(Location::caller()).until(deadline))
    }

    #[inline]
    pub(super) fn chan(&self) -> Option<&Chan<T>> {
        self.chan.as_deref()
    }

    /// This send as a case of a [`select`](super::select()), for lists of cases
    /// whose number is not known in advance. See also
    /// [`select!`](crate::select).
    ///
    /// ```
    /// use gopark::chan;
    ///
    /// let (tx, rx) = chan::bounded(1);
    /// let mut case = tx.case(1);
    /// assert_eq!(chan::select(&mut [&mut case]), 0);
    /// assert_eq!(case.take(), Ok(()));
    /// assert_eq!(rx.recv(), Ok(1));
    /// ```
    #[inline]
    pub fn case(&self, value: T) -> SendCase<'_, T> {
        SendCase::new(self, value)
    }

    /// How a send from there waits.
    #[inline]
    fn wait(&self, site: &'static Location<'static>) -> Park {
        let reason = match &self.chan {
            Some(_) => WaitReason::ChanSend,
            None => WaitReason::ChanSendNil,
        };
        Park::new(reason, site)
    }

    #[inline]
    fn send_as(&self, value: T, how: Park) -> Result<(), SendTimeoutError<T>> {
        match &self.chan {
            Some(chan) => chan.send(&self.mark, value, how),
            None => match never::park(how) {
                Ended::TimedOut => Err(SendTimeoutError::Timeout(value)),
                Ended::Reaped => Err(SendTimeoutError::Closed(value)),
            },
        }
    }

    /// Closes the channel (Go: `close(ch)`): sends fail from now on, also those
    /// that wait, and receivers get what is buffered and then an error.
    ///
    /// True if this call closed it; closing again is not an error and changes
    /// nothing. (Go panics.) The channel that is never ready cannot be closed.
    ///
    /// ```
    /// let (tx, rx) = gopark::chan::bounded(1);
    /// tx.send(1).unwrap();
    /// assert!(tx.close());
    /// assert!(!tx.close());
    /// assert!(tx.send(2).is_err());
    /// assert_eq!(rx.recv(), Ok(1));
    /// assert!(rx.recv().is_err());
    /// ```
    pub fn close(&self) -> bool {
        task::pass_by();
        self.chan.as_ref().is_some_and(|chan| chan.close())
    }

    /// True if the channel is closed: by hand, or because the last handle of one
    /// kind is gone.
    ///
    /// ```
    /// let (tx, rx) = gopark::chan::bounded::<i32>(1);
    /// assert!(!tx.is_closed());
    /// drop(rx);
    /// assert!(tx.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        task::pass_by();
        self.chan.as_ref().is_some_and(|chan| chan.is_closed())
    }

    /// Number of values in the buffer (Go: `len(ch)`). The values of senders
    /// that wait do not count.
    ///
    /// ```
    /// let (tx, _rx) = gopark::chan::bounded(2);
    /// assert_eq!(tx.len(), 0);
    /// tx.send(1).unwrap();
    /// assert_eq!(tx.len(), 1);
    /// ```
    pub fn len(&self) -> usize {
        task::pass_by();
        self.chan.as_ref().map_or(0, |chan| chan.len())
    }

    /// True if no value is in the buffer: always for a rendezvous channel.
    ///
    /// ```
    /// let (tx, _rx) = gopark::chan::bounded(2);
    /// assert!(tx.is_empty());
    /// tx.send(1).unwrap();
    /// assert!(!tx.is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True if the buffer has no room: always for a rendezvous channel.
    ///
    /// ```
    /// let (tx, _rx) = gopark::chan::bounded(1);
    /// assert!(!tx.is_full());
    /// tx.send(1).unwrap();
    /// assert!(tx.is_full());
    /// ```
    pub fn is_full(&self) -> bool {
        self.len() == self.capacity()
    }

    /// Number of values that the buffer can hold (Go: `cap(ch)`).
    ///
    /// ```
    /// assert_eq!(gopark::chan::bounded::<i32>(3).0.capacity(), 3);
    /// assert_eq!(gopark::chan::rendezvous::<i32>().0.capacity(), 0);
    /// ```
    pub fn capacity(&self) -> usize {
        self.chan.as_ref().map_or(0, |chan| chan.capacity())
    }

    /// True if both send into the same channel. All that are never ready are the
    /// same.
    ///
    /// ```
    /// let (a, _rx) = gopark::chan::bounded::<i32>(1);
    /// let (b, _rx) = gopark::chan::bounded::<i32>(1);
    /// assert!(a.same_channel(&a.clone()));
    /// assert!(!a.same_channel(&b));
    /// ```
    pub fn same_channel(&self, other: &Sender<T>) -> bool {
        match (&self.chan, &other.chan) {
            (Some(a), Some(b)) => std::ptr::eq(a.as_ptr(), b.as_ptr()),
            (None, None) => true,
            _ => false,
        }
    }
}

impl<T> Clone for Sender<T> {
    #[track_caller]
    fn clone(&self) -> Self {
        let Some(chan) = &self.chan else { return Self::never() };
        let mark = chan.seats.another(Side::Send, Location::caller());
        Self { chan: Some(chan.clone()), mark }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        // The channel goes after this, if nobody else has it.
        if let Some(chan) = &self.chan {
            chan.seats.leave(&self.mark);
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Sender");
        match &self.chan {
            Some(chan) => out
                .field("len", &chan.len())
                .field("capacity", &chan.capacity())
                .field("closed", &chan.is_closed())
                .finish(),
            None => out.field("never", &true).finish(),
        }
    }
}

// A panic cannot leave a channel half changed: no user code runs inside.
impl<T> UnwindSafe for Sender<T> {}
impl<T> RefUnwindSafe for Sender<T> {}
