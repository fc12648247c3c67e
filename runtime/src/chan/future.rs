//! Sends and receives of async code.
//!
//! A future that has to wait stands in the channel's queue like a parked task, behind
//! those who came before it: its node is in a box, and its task is a
//! [bell](crate::task::bell) that wakes the future when a partner has served it.
//!
//! - **F1** A node that was queued is freed by its future only, after it was seen
//!   under the lock that the node is off the queue, or taken off. A future that is
//!   forgotten leaves its node behind, so the queue never holds one that is gone (W2).
//! - **F2** A bell's claim never fails, so a node that is not in the queue any more
//!   was served: its outcome holds, and slot and outcome are the future's (C4).

use super::error::{RecvError, SendError, TryRecvError, TrySendError};
use super::raw::{Attempt, Chan, Outcome, Side, Waiter};
use super::seat::Mark;
use super::{Receiver, Sender};
use crate::task::{self, bell::Bell};
use core::panic::Location;
use std::fmt;
use std::future::Future;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker};

/// A node in a queue, or one that was served since.
struct Waiting<T> {
    node: NonNull<Waiter<T>>,
    bell: Bell,
}

// SAFETY: the node's value moves with it, and its cells are used under the channel's
// lock, or when no partner knows the node any more (F2).
unsafe impl<T: Send> Send for Waiting<T> {}

/// What the last look has found.
enum Entered<T> {
    /// At once: done or closed, and the node.
    AtOnce(Outcome, Box<Waiter<T>>),
    Waiting(Waiting<T>),
}

impl<T> Waiting<T> {
    /// Does the operation if it is possible by now, or queues its node. The slot is
    /// full for a sender.
    fn enter(
        chan: &Chan<T>,
        mark: &Mark,
        side: Side,
        slot: MaybeUninit<T>,
        waker: &Waker,
        site: &'static Location<'static>,
    ) -> Entered<T> {
        chan.touch(task::current(), mark);
        let bell = Bell::new(waker, site);
        let node = Box::new(Waiter::vacant(slot));
        node.assign(bell.task(), 0);
        chan.lock().lock();
        // SAFETY: locked. In no queue, so the slot is ours (C4).
        let attempt = unsafe {
            match side {
                Side::Send => chan.attempt_send(&node),
                Side::Recv => chan.attempt_recv(&node),
            }
        };
        let outcome = match attempt {
            Attempt::NotYet => {
                let node = NonNull::from(Box::leak(node));
                // SAFETY: locked since the attempt, and the node stays where it is
                // until it is off the queue (F1).
                unsafe {
                    chan.queue(side, node.as_ref());
                    chan.lock().unlock();
                }
                return Entered::Waiting(Waiting { node, bell });
            }
            Attempt::Done(partner) => {
                // SAFETY: locked above.
                unsafe { chan.lock().unlock() };
                if let Some(partner) = partner {
                    partner.enqueue();
                }
                Outcome::Done
            }
            Attempt::Closed => {
                // SAFETY: locked above.
                unsafe { chan.lock().unlock() };
                Outcome::Closed
            }
        };
        bell.silence();
        Entered::AtOnce(outcome, node)
    }

    /// Whether a partner has served it. If not, that waker will be woken (B2).
    fn is_served(&self, chan: &Chan<T>, waker: &Waker) -> bool {
        self.bell.set(waker);
        chan.lock().lock();
        // SAFETY: locked; the node is freed by us only (F1).
        unsafe {
            let served = !self.node.as_ref().is_queued();
            chan.lock().unlock();
            served
        }
    }

    /// Takes the node off the queue. `Some` if it was served before.
    fn leave(self, chan: &Chan<T>, side: Side) -> (Option<Outcome>, Box<Waiter<T>>) {
        chan.lock().lock();
        // SAFETY: locked; the node was queued on that side. Afterwards it is in no
        // queue, and ours (F1).
        let (queued, node) = unsafe {
            let queued = self.node.as_ref().is_queued();
            chan.unqueue(side, self.node.as_ref());
            chan.lock().unlock();
            (queued, Box::from_raw(self.node.as_ptr()))
        };
        if queued {
            self.bell.silence();
            return (None, node);
        }
        (Some(node.outcome()), node)
    }
}

/// The value that a channel gives, made by [`Receiver::recv_async`].
///
/// It may be dropped at any time: a value that it was given and nobody has seen goes
/// to the next receiver, or back to the front of the channel.
#[must_use = "a future does nothing until it is polled"]
pub struct RecvFuture<'a, T> {
    from: &'a Receiver<T>,
    waiting: Option<Waiting<T>>,
    site: &'static Location<'static>,
}

impl<T> Receiver<T> {
    /// A future that receives a value: [`recv`](Receiver::recv) for async code, under
    /// any executor.
    ///
    /// It waits behind those who came before it, tasks and futures. Dropping it loses
    /// nothing.
    ///
    /// # Errors
    /// The channel is closed and empty.
    ///
    /// # Panics
    /// Polling panics if the system refuses the address space for one more task.
    ///
    /// ```
    /// let (tx, rx) = gopark::chan::rendezvous();
    /// let sum = gopark::spawn_future(async move {
    ///     let mut sum = 0;
    ///     while let Ok(n) = rx.recv_async().await {
    ///         sum += n;
    ///     }
    ///     sum
    /// });
    /// tx.send(1).unwrap();
    /// tx.send(2).unwrap();
    /// drop(tx);
    /// assert_eq!(sum.join().unwrap(), 3);
    /// ```
    #[track_caller]
    pub fn recv_async(&self) -> RecvFuture<'_, T> {
        RecvFuture { from: self, waiting: None, site: Location::caller() }
    }
}

/// What the partner has done for a receiver.
#[expect(clippy::boxed_local, reason = "it is freed here")]
fn received<T>(outcome: Outcome, node: Box<Waiter<T>>) -> Result<T, RecvError> {
    match outcome {
        // SAFETY: the slot of a receiver that is done is full, and ours (F2).
        Outcome::Done => Ok(unsafe { node.value() }),
        Outcome::Closed => Err(RecvError),
    }
}

impl<T> Future for RecvFuture<'_, T> {
    type Output = Result<T, RecvError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(chan) = self.from.chan() else { return Poll::Pending };
        if let Some(waiting) = &self.waiting {
            if !waiting.is_served(chan, cx.waker()) {
                return Poll::Pending;
            }
            let waiting = self.waiting.take().expect("it was there");
            let (outcome, node) = waiting.leave(chan, Side::Recv);
            return Poll::Ready(received(outcome.expect("it was served"), node));
        }
        match chan.try_recv(self.from.mark()) {
            Ok(value) => return Poll::Ready(Ok(value)),
            Err(TryRecvError::Closed) => return Poll::Ready(Err(RecvError)),
            Err(TryRecvError::Empty) => {}
        }
        let slot = MaybeUninit::uninit();
        match Waiting::enter(chan, self.from.mark(), Side::Recv, slot, cx.waker(), self.site) {
            Entered::AtOnce(outcome, node) => Poll::Ready(received(outcome, node)),
            Entered::Waiting(waiting) => {
                self.waiting = Some(waiting);
                Poll::Pending
            }
        }
    }
}

impl<T> Drop for RecvFuture<'_, T> {
    fn drop(&mut self) {
        let (Some(chan), Some(waiting)) = (self.from.chan(), self.waiting.take()) else { return };
        let (outcome, node) = waiting.leave(chan, Side::Recv);
        if let Some(outcome) = outcome
            && let Ok(value) = received(outcome, node)
        {
            chan.hand_back(value);
        }
    }
}

/// A value on its way into a channel, made by [`Sender::send_async`].
///
/// If it is dropped before it is done, the value is dropped and was not sent, unless
/// a receiver has it already.
#[must_use = "a future does nothing until it is polled"]
pub struct SendFuture<'a, T> {
    to: &'a Sender<T>,
    /// Until it is in a node, or gone.
    value: Option<T>,
    waiting: Option<Waiting<T>>,
    site: &'static Location<'static>,
}

// The value is moved, never pinned.
impl<T> Unpin for SendFuture<'_, T> {}

impl<T> Sender<T> {
    /// A future that sends a value: [`send`](Sender::send) for async code, under any
    /// executor.
    ///
    /// It waits behind those who came before it, tasks and futures. Dropped while it
    /// waits, it drops the value, which nobody gets then.
    ///
    /// # Errors
    /// The channel is closed; the value comes back.
    ///
    /// # Panics
    /// Polling panics if the system refuses the address space for one more task, and
    /// when the future is done.
    ///
    /// ```
    /// let (tx, rx) = gopark::chan::rendezvous();
    /// gopark::spawn_future(async move {
    ///     for n in 1..=3 {
    ///         tx.send_async(n).await.unwrap();
    ///     }
    /// });
    /// assert_eq!(rx.iter().collect::<Vec<_>>(), [1, 2, 3]);
    /// ```
    #[track_caller]
    pub fn send_async(&self, value: T) -> SendFuture<'_, T> {
        SendFuture { to: self, value: Some(value), waiting: None, site: Location::caller() }
    }
}

/// What the partner has done for a sender.
#[expect(clippy::boxed_local, reason = "it is freed here")]
fn sent<T>(outcome: Outcome, node: Box<Waiter<T>>) -> Result<(), SendError<T>> {
    match outcome {
        Outcome::Done => Ok(()),
        // SAFETY: the slot of a sender that was refused is full, and ours (F2).
        Outcome::Closed => Err(SendError(unsafe { node.value() })),
    }
}

impl<T> Future for SendFuture<'_, T> {
    type Output = Result<(), SendError<T>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(chan) = self.to.chan() else { return Poll::Pending };
        if let Some(waiting) = &self.waiting {
            if !waiting.is_served(chan, cx.waker()) {
                return Poll::Pending;
            }
            let waiting = self.waiting.take().expect("it was there");
            let (outcome, node) = waiting.leave(chan, Side::Send);
            return Poll::Ready(sent(outcome.expect("it was served"), node));
        }
        let value = self.value.take().expect("a SendFuture was polled after it was done");
        let value = match chan.try_send(self.to.mark(), value) {
            Ok(()) => return Poll::Ready(Ok(())),
            Err(TrySendError::Closed(value)) => return Poll::Ready(Err(SendError(value))),
            Err(TrySendError::Full(value)) => value,
        };
        let slot = MaybeUninit::new(value);
        match Waiting::enter(chan, self.to.mark(), Side::Send, slot, cx.waker(), self.site) {
            Entered::AtOnce(outcome, node) => Poll::Ready(sent(outcome, node)),
            Entered::Waiting(waiting) => {
                self.waiting = Some(waiting);
                Poll::Pending
            }
        }
    }
}

impl<T> Drop for SendFuture<'_, T> {
    fn drop(&mut self) {
        let (Some(chan), Some(waiting)) = (self.to.chan(), self.waiting.take()) else { return };
        let (outcome, node) = waiting.leave(chan, Side::Send);
        if !matches!(outcome, Some(Outcome::Done)) {
            // SAFETY: off the queue, and not sent: the slot is full, and ours (C4).
            drop(unsafe { node.value() });
        }
    }
}

impl<T> fmt::Debug for RecvFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvFuture").field("waiting", &self.waiting.is_some()).finish()
    }
}

impl<T> fmt::Debug for SendFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendFuture").field("waiting", &self.waiting.is_some()).finish()
    }
}
