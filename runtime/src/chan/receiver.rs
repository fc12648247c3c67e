//! The receiving half.

use super::case::RecvCase;
use super::error::{RecvError, RecvTimeoutError, TryRecvError};
use super::iter::{IntoIter, Iter, TryIter};
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

/// The receiving half of a channel (Go: `<-chan T`).
///
/// Clones receive from the same channel; each value goes to one of them. When
/// the last one is dropped, the channel closes: sends fail and hand their value
/// back, and what was buffered is dropped.
///
/// Every method may be called from tasks and from plain OS threads. A blocking
/// one parks the task; on a thread that is none of the runtime's it blocks the
/// thread.
///
/// ```
/// use gopark::chan;
///
/// let (tx, rx) = chan::rendezvous();
/// gopark::go(move || {
///     for i in 0..3 {
///         tx.send(i).unwrap();
///     }
/// });
/// assert_eq!(rx.iter().collect::<Vec<_>>(), [0, 1, 2]);
/// ```
pub struct Receiver<T> {
    /// None: the channel that is never ready.
    chan: Option<Shared<T, false>>,
    mark: Mark,
}

impl<T> Receiver<T> {
    /// Of a channel that has just been made.
    pub(super) fn first(chan: Shared<T, false>) -> Self {
        let mark = chan.seats.mark(Side::Recv);
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

    /// Receives a value; blocks until there is one.
    ///
    /// Parks the task with reason `chan receive`.
    ///
    /// # Errors
    /// The channel is closed and drained, or gets closed during the wait. (Go
    /// gives the zero value and `false`.)
    ///
    /// ```
    /// use gopark::chan::{self, RecvError};
    ///
    /// let (tx, rx) = chan::bounded(1);
    /// tx.send(1).unwrap();
    /// drop(tx);
    /// assert_eq!(rx.recv(), Ok(1));
    /// assert_eq!(rx.recv(), Err(RecvError));
    /// ```
    #[track_caller]
    #[inline]
    pub fn recv(&self) -> Result<T, RecvError> {
        self.recv_at(Location::caller())
    }

    #[inline]
    pub(super) fn recv_at(&self, site: &'static Location<'static>) -> Result<T, RecvError> {
        self.recv_as(self.wait(site)).map_err(|_| RecvError)
    }

    /// Receives a value if there is one at once: in the buffer, or with a sender
    /// that waits.
    ///
    /// # Errors
    /// [`TryRecvError::Empty`] if there is none, [`TryRecvError::Closed`] if
    /// there never will be.
    ///
    /// ```
    /// use gopark::chan::{self, TryRecvError};
    ///
    /// let (tx, rx) = chan::bounded(1);
    /// assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    /// tx.send(1).unwrap();
    /// assert_eq!(rx.try_recv(), Ok(1));
    /// ```
    #[inline]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        match &self.chan {
            Some(chan) => chan.try_recv(&self.mark),
            None => Err(TryRecvError::Empty),
        }
    }

    /// Receives a value, and waits at most so long for it.
    ///
    /// # Errors
    /// [`RecvTimeoutError::Timeout`] if none came in time,
    /// [`RecvTimeoutError::Closed`] if none can come any more.
    ///
    /// ```
    /// use gopark::chan::{self, RecvTimeoutError};
    /// use std::time::Duration;
    ///
    /// let (_tx, rx) = chan::bounded::<i32>(1);
    /// let limit = Duration::from_millis(5);
    /// assert_eq!(rx.recv_timeout(limit), Err(RecvTimeoutError::Timeout));
    /// ```
    #[track_caller]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        // The clock is read only when there is something to wait for.
        match self.try_recv() {
            Ok(value) => return Ok(value),
            Err(TryRecvError::Closed) => return Err(RecvTimeoutError::Closed),
            Err(TryRecvError::Empty) => {}
        }
        let how = self.wait(Location::caller());
        match Instant::now().checked_add(timeout) {
            Some(deadline) => self.recv_as(how.until(deadline)),
            // Beyond the clock's range: no limit.
            None => self.recv_as(how),
        }
    }

    /// Receives a value, and waits for it until `deadline` at the latest.
    ///
    /// # Errors
    /// As [`Receiver::recv_timeout`].
    ///
    /// ```
    /// use gopark::chan::{self, RecvTimeoutError};
    /// use std::time::{Duration, Instant};
    ///
    /// let (_tx, rx) = chan::rendezvous::<i32>();
    /// let deadline = Instant::now() + Duration::from_millis(5);
    /// assert_eq!(rx.recv_deadline(deadline), Err(RecvTimeoutError::Timeout));
    /// assert!(Instant::now() >= deadline);
    /// ```
    #[track_caller]
    pub fn recv_deadline(&self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        self.recv_as(self.wait(Location::caller()).until(deadline))
    }

    #[inline]
    pub(super) fn chan(&self) -> Option<&Chan<T>> {
        self.chan.as_deref()
    }

    /// This receive as a case of a [`select`](super::select()), for lists of
    /// cases whose number is not known in advance. See also
    /// [`select!`](crate::select).
    ///
    /// ```
    /// use gopark::chan;
    ///
    /// let (tx, rx) = chan::bounded(1);
    /// tx.send("ready").unwrap();
    /// let never = chan::never::<i32>();
    /// let (mut a, mut b) = (rx.case(), never.case());
    /// match chan::select(&mut [&mut a, &mut b]) {
    ///     0 => assert_eq!(a.take(), Ok("ready")),
    ///     _ => unreachable!("it is never ready"),
    /// }
    /// ```
    #[inline]
    pub fn case(&self) -> RecvCase<'_, T> {
        RecvCase::new(self)
    }

    /// How a receive from there waits.
    #[inline]
    fn wait(&self, site: &'static Location<'static>) -> Park {
        let reason = match &self.chan {
            Some(_) => WaitReason::ChanReceive,
            None => WaitReason::ChanReceiveNil,
        };
        Park::new(reason, site)
    }

    #[inline]
    fn recv_as(&self, how: Park) -> Result<T, RecvTimeoutError> {
        match &self.chan {
            Some(chan) => chan.recv(&self.mark, how),
            None => match never::park(how) {
                Ended::TimedOut => Err(RecvTimeoutError::Timeout),
                Ended::Reaped => Err(RecvTimeoutError::Closed),
            },
        }
    }

    /// The values as they come, until the channel is closed and drained (Go:
    /// `for v := range ch`). Each step blocks as [`Receiver::recv`]; the wait's
    /// site is the call of `iter`.
    ///
    /// ```
    /// let (tx, rx) = gopark::chan::bounded(3);
    /// for i in 1..=3 {
    ///     tx.send(i).unwrap();
    /// }
    /// drop(tx);
    /// assert_eq!(rx.iter().collect::<Vec<_>>(), [1, 2, 3]);
    /// ```
    #[track_caller]
    pub fn iter(&self) -> Iter<'_, T> {
        Iter::new(self, Location::caller())
    }

    /// The values that are there, without waiting for more.
    ///
    /// ```
    /// let (tx, rx) = gopark::chan::bounded(3);
    /// tx.send(1).unwrap();
    /// tx.send(2).unwrap();
    /// assert_eq!(rx.try_iter().collect::<Vec<_>>(), [1, 2]);
    /// ```
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter::new(self)
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
    /// assert!(rx.close());
    /// assert!(!tx.close());
    /// assert!(tx.send(2).is_err());
    /// assert_eq!(rx.recv(), Ok(1));
    /// ```
    pub fn close(&self) -> bool {
        task::pass_by();
        self.chan.as_ref().is_some_and(|chan| chan.close())
    }

    /// True if the channel is closed: by hand, or because the last handle of one
    /// kind is gone. There may still be values to receive.
    ///
    /// ```
    /// let (tx, rx) = gopark::chan::bounded(1);
    /// tx.send(1).unwrap();
    /// drop(tx);
    /// assert!(rx.is_closed());
    /// assert_eq!(rx.recv(), Ok(1));
    /// ```
    pub fn is_closed(&self) -> bool {
        task::pass_by();
        self.chan.as_ref().is_some_and(|chan| chan.is_closed())
    }

    /// Number of values in the buffer (Go: `len(ch)`). The values of senders
    /// that wait do not count.
    ///
    /// ```
    /// let (tx, rx) = gopark::chan::bounded(2);
    /// tx.send(1).unwrap();
    /// assert_eq!(rx.len(), 1);
    /// ```
    pub fn len(&self) -> usize {
        task::pass_by();
        self.chan.as_ref().map_or(0, |chan| chan.len())
    }

    /// True if no value is in the buffer: always for a rendezvous channel.
    ///
    /// ```
    /// let (tx, rx) = gopark::chan::bounded(2);
    /// assert!(rx.is_empty());
    /// tx.send(1).unwrap();
    /// assert!(!rx.is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True if the buffer has no room: always for a rendezvous channel.
    ///
    /// ```
    /// let (tx, rx) = gopark::chan::bounded(1);
    /// tx.send(1).unwrap();
    /// assert!(rx.is_full());
    /// ```
    pub fn is_full(&self) -> bool {
        self.len() == self.capacity()
    }

    /// Number of values that the buffer can hold (Go: `cap(ch)`).
    ///
    /// ```
    /// assert_eq!(gopark::chan::bounded::<i32>(3).1.capacity(), 3);
    /// assert_eq!(gopark::chan::never::<i32>().capacity(), 0);
    /// ```
    pub fn capacity(&self) -> usize {
        self.chan.as_ref().map_or(0, |chan| chan.capacity())
    }

    /// True if both receive from the same channel. All that are never ready are
    /// the same.
    ///
    /// ```
    /// use gopark::chan;
    ///
    /// let (_tx, a) = chan::bounded::<i32>(1);
    /// assert!(a.same_channel(&a.clone()));
    /// assert!(!a.same_channel(&chan::never()));
    /// ```
    pub fn same_channel(&self, other: &Receiver<T>) -> bool {
        match (&self.chan, &other.chan) {
            (Some(a), Some(b)) => std::ptr::eq(a.as_ptr(), b.as_ptr()),
            (None, None) => true,
            _ => false,
        }
    }
}

impl<T> Clone for Receiver<T> {
    #[track_caller]
    fn clone(&self) -> Self {
        let Some(chan) = &self.chan else { return Self::never() };
        let mark = chan.seats.another(Side::Recv, Location::caller());
        Self { chan: Some(chan.clone()), mark }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        // The channel goes after this, if nobody else has it.
        if let Some(chan) = &self.chan {
            chan.seats.leave(&self.mark);
        }
    }
}

impl<'a, T> IntoIterator for &'a Receiver<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    #[track_caller]
    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T> IntoIterator for Receiver<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    #[track_caller]
    fn into_iter(self) -> IntoIter<T> {
        IntoIter::new(self, Location::caller())
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Receiver");
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
impl<T> UnwindSafe for Receiver<T> {}
impl<T> RefUnwindSafe for Receiver<T> {}
