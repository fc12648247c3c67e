//! What a select can choose: receives and sends that are written down before they
//! are done.
//!
//! A case holds the node with which its task waits ([`Waiter`]), so it can be
//! queued without an allocation. Between two selects it is in no queue and may be
//! moved; during one it is borrowed.
//!
//! | `state` | node | slot of a receive | slot of a send |
//! |---|---|---|---|
//! | `Open` | in a queue, inside a select that has nothing ready; else in none | empty | as `full` says |
//! | `Done` | in none | full | empty |
//! | `Closed` | in none | empty | full |
//!
//! # Invariants
//!
//! - **E1** A node is queued by [`Operation::enqueue`] only, and [`select`] takes
//!   it out again before it returns or unwinds; so outside of a select the slot is
//!   the case's own, and is what the table says.
//! - **E2** A case becomes `Done` or `Closed` once, in the attempt that succeeded
//!   or after the claim that named it, and `Open` again when its outcome is
//!   taken.
//!
//! [`select`]: super::select::select

use super::error::{RecvError, SendError};
use super::raw::{Attempt, Chan, Outcome, Side, Waiter};
use super::{Receiver, Sender};
use crate::sys::lock::RawLock;
use crate::task::TaskRef;
use crate::task::subject::{Describe, Pad};
use std::cell::Cell;
use std::fmt;
use std::mem::MaybeUninit;

/// Something that a [`select`](super::select()) can choose: a [`RecvCase`], a
/// [`SendCase`], or a [`WaitCase`](crate::sync::WaitCase).
///
/// Cases of different kinds and types can stand in one list, as
/// `&mut dyn Case`.
///
/// ```
/// use gopark::chan::{self, Case};
///
/// let (tx, rx) = chan::bounded(1);
/// let (_open, never) = chan::rendezvous::<String>();
/// tx.send(7).unwrap();
/// let (mut number, mut text) = (rx.case(), never.case());
/// let mut cases: Vec<&mut dyn Case> = vec![&mut text, &mut number];
/// assert_eq!(chan::select(&mut cases), 1);
/// assert_eq!(number.take(), Ok(7));
/// ```
pub trait Case: Operation {}

/// What a select does with a case; for the cases of this crate only.
///
/// The methods of a `dyn Case` can be seen from outside. What keeps them from being
/// called is that each is unsafe or has a type in its signature that nobody else has.
///
/// ```compile_fail
/// fn fail(case: &dyn gopark::chan::Case) -> bool {
///     case.fail(todo!())
/// }
/// ```
///
/// # Safety
/// `lock` gives the same lock each time, and it is what the other methods demand
/// to be held.
#[doc(hidden)]
#[expect(private_interfaces, reason = "nobody outside can call or implement this")]
pub unsafe trait Operation {
    /// The channel's lock. `None`: the case is never ready.
    ///
    /// # Panics
    /// The outcome of an earlier select was not taken.
    fn lock(&self) -> Option<&RawLock>;

    /// Notes that `me` uses the channel; before it is locked.
    fn touch(&self, me: TaskRef);

    /// Does it, if that is possible at once.
    ///
    /// # Safety
    /// The lock is held, and the case is in no queue.
    unsafe fn attempt(&self) -> Attempt;

    /// Queues the case, which was not ready.
    ///
    /// # Safety
    /// The lock is held since the attempt. [`Operation::dequeue`] follows before
    /// the case is moved or dropped, unless a partner has served it.
    unsafe fn enqueue(&self, me: TaskRef, case: u16);

    /// Takes the case out of its queue, if it is still there.
    ///
    /// # Safety
    /// The lock is held, and the case was queued.
    unsafe fn dequeue(&self);

    /// A partner has served the case: notes what it has done.
    ///
    /// # Safety
    /// It has ended the park by a claim that named this case.
    unsafe fn settle(&self);

    /// Says what it waits for; see [`Describe`].
    fn describe(&self, pad: &mut Pad);

    /// Makes the case fail as if the channel had been closed, for `me` that is to end;
    /// false if it has nothing to fail with.
    fn fail(&self, me: TaskRef) -> bool;
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Open,
    Done,
    Closed,
}

impl State {
    fn must_be_open(self) {
        assert!(self == State::Open, "take() the outcome of a case before it is selected again");
    }
}

impl From<Outcome> for State {
    fn from(outcome: Outcome) -> State {
        match outcome {
            Outcome::Done => State::Done,
            Outcome::Closed => State::Closed,
        }
    }
}

const NOT_CHOSEN: &str = "a case has no outcome unless a select has chosen it";

/// A receive for a [`select`](super::select()); made by [`Receiver::case`].
///
/// ```
/// use gopark::chan::{self, RecvError};
///
/// let (tx, rx) = chan::bounded::<i32>(1);
/// tx.close();
/// let mut case = rx.case();
/// assert_eq!(chan::select(&mut [&mut case]), 0);
/// assert_eq!(case.take(), Err(RecvError));
/// ```
pub struct RecvCase<'a, T> {
    receiver: &'a Receiver<T>,
    state: Cell<State>,
    node: Waiter<T>,
}

impl<'a, T> RecvCase<'a, T> {
    #[inline]
    pub(super) fn new(receiver: &'a Receiver<T>) -> Self {
        let node = Waiter::vacant(MaybeUninit::uninit());
        Self { receiver, state: Cell::new(State::Open), node }
    }

    /// What was received. The case can be selected again then.
    ///
    /// # Errors
    /// The channel is closed and drained.
    ///
    /// # Panics
    /// No select has chosen this case since the last call.
    ///
    /// ```
    /// use gopark::chan;
    ///
    /// let (tx, rx) = chan::bounded(2);
    /// tx.send(1).unwrap();
    /// tx.send(2).unwrap();
    /// let mut case = rx.case();
    /// for expected in [1, 2] {
    ///     chan::select(&mut [&mut case]);
    ///     assert_eq!(case.take(), Ok(expected));
    /// }
    /// ```
    #[track_caller]
    #[inline]
    pub fn take(&mut self) -> Result<T, RecvError> {
        match self.state.replace(State::Open) {
            State::Open => panic!("{NOT_CHOSEN}"),
            // SAFETY: the slot of a receive that is done is full, and ours (E1).
            State::Done => Ok(unsafe { self.node.value() }),
            State::Closed => Err(RecvError),
        }
    }

    #[inline]
    fn chan(&self) -> Option<&Chan<T>> {
        self.receiver.chan()
    }

    /// The channel of a case that is locked.
    #[inline]
    fn locked(&self) -> &Chan<T> {
        self.chan().expect("a channel that is never ready has no lock")
    }
}

impl<T> Case for RecvCase<'_, T> {}

// SAFETY: all is of the one channel that the receiver is of.
#[expect(private_interfaces, reason = "as at the trait")]
unsafe impl<T> Operation for RecvCase<'_, T> {
    #[inline]
    fn lock(&self) -> Option<&RawLock> {
        self.state.get().must_be_open();
        self.chan().map(Chan::lock)
    }

    #[inline]
    fn touch(&self, me: TaskRef) {
        self.locked().touch(me, self.receiver.mark());
    }

    fn describe(&self, pad: &mut Pad) {
        if let Some(chan) = self.chan() {
            chan.on(Side::Recv).describe(pad);
        }
    }

    #[inline]
    unsafe fn attempt(&self) -> Attempt {
        // SAFETY: locked, by contract. In no queue, so the slot is ours, and the
        // case is open, so it is empty (E1).
        let attempt = unsafe { self.locked().attempt_recv(&self.node) };
        self.state.set(match attempt {
            Attempt::NotYet => State::Open,
            Attempt::Done(_) => State::Done,
            Attempt::Closed => State::Closed,
        });
        attempt
    }

    #[inline]
    unsafe fn enqueue(&self, me: TaskRef, case: u16) {
        self.node.assign(me, case);
        // SAFETY: by contract; the slot is empty (E1).
        unsafe { self.locked().queue(Side::Recv, &self.node) };
    }

    #[inline]
    unsafe fn dequeue(&self) {
        // SAFETY: by contract.
        unsafe { self.locked().unqueue(Side::Recv, &self.node) };
    }

    #[inline]
    unsafe fn settle(&self) {
        self.state.set(self.node.outcome().into());
    }

    fn fail(&self, _: TaskRef) -> bool {
        self.state.set(State::Closed);
        true
    }
}

impl<T> Drop for RecvCase<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.state.get() == State::Done {
            // SAFETY: as in take().
            drop(unsafe { self.node.value() });
        }
    }
}

/// A send for a [`select`](super::select()); made by [`Sender::case`].
///
/// A value that was not sent can be [taken out](SendCase::into_value) again. A
/// case without a value, because it was sent or taken out, is never ready.
///
/// ```
/// use gopark::chan;
///
/// let (full, _full_rx) = chan::bounded(0);
/// let (free, rx) = chan::bounded(1);
/// let (mut a, mut b) = (full.case("a"), free.case("b"));
/// assert_eq!(chan::select(&mut [&mut a, &mut b]), 1);
/// assert_eq!(b.take(), Ok(()));
/// assert_eq!(a.into_value(), Some("a"));
/// assert_eq!(rx.recv(), Ok("b"));
/// ```
pub struct SendCase<'a, T> {
    sender: &'a Sender<T>,
    state: Cell<State>,
    full: Cell<bool>,
    node: Waiter<T>,
}

impl<'a, T> SendCase<'a, T> {
    #[inline]
    pub(super) fn new(sender: &'a Sender<T>, value: T) -> Self {
        let node = Waiter::vacant(MaybeUninit::new(value));
        Self { sender, state: Cell::new(State::Open), full: Cell::new(true), node }
    }

    /// Whether it was sent. The case can be selected again then, when it has
    /// [a new value](SendCase::put).
    ///
    /// # Errors
    /// The channel is closed; the value comes back.
    ///
    /// # Panics
    /// No select has chosen this case since the last call.
    ///
    /// ```
    /// use gopark::chan::{self, SendError};
    ///
    /// let (tx, rx) = chan::bounded(1);
    /// drop(rx);
    /// let mut case = tx.case(7);
    /// chan::select(&mut [&mut case]);
    /// assert_eq!(case.take(), Err(SendError(7)));
    /// ```
    #[track_caller]
    #[inline]
    pub fn take(&mut self) -> Result<(), SendError<T>> {
        match self.state.replace(State::Open) {
            State::Open => panic!("{NOT_CHOSEN}"),
            State::Done => Ok(()),
            State::Closed => Err(SendError(self.remove().expect("it was not sent"))),
        }
    }

    /// Gives the case a value to send; the one that it had comes back.
    ///
    /// # Panics
    /// The case was chosen, and its outcome was not [taken](SendCase::take).
    ///
    /// ```
    /// use gopark::chan;
    ///
    /// let (tx, rx) = chan::bounded(3);
    /// let mut case = tx.case(1);
    /// assert_eq!(case.put(2), Some(1));
    /// chan::select(&mut [&mut case]);
    /// case.take().unwrap();
    /// assert_eq!(case.put(3), None);
    /// assert_eq!(rx.recv(), Ok(2));
    /// ```
    #[track_caller]
    pub fn put(&mut self, value: T) -> Option<T> {
        self.state.get().must_be_open();
        let former = self.remove();
        // SAFETY: the slot is empty now, and ours (E1).
        unsafe { self.node.fill(value) };
        self.full.set(true);
        former
    }

    /// The value that was not sent.
    ///
    /// ```
    /// let (tx, _rx) = gopark::chan::rendezvous();
    /// assert_eq!(tx.case("letter").into_value(), Some("letter"));
    /// ```
    pub fn into_value(mut self) -> Option<T> {
        self.remove()
    }

    #[inline]
    fn remove(&mut self) -> Option<T> {
        // SAFETY: full, and ours (E1).
        self.full.take().then(|| unsafe { self.node.value() })
    }

    #[inline]
    fn chan(&self) -> Option<&Chan<T>> {
        self.sender.chan()
    }

    /// The channel of a case that is locked.
    #[inline]
    fn locked(&self) -> &Chan<T> {
        self.chan().expect("a channel that is never ready has no lock")
    }

    /// The case was served.
    #[inline]
    fn becomes(&self, state: State) {
        self.state.set(state);
        // The partner has taken the value.
        self.full.set(state != State::Done);
    }
}

impl<T> Case for SendCase<'_, T> {}

// SAFETY: all is of the one channel that the sender is of.
#[expect(private_interfaces, reason = "as at the trait")]
unsafe impl<T> Operation for SendCase<'_, T> {
    #[inline]
    fn lock(&self) -> Option<&RawLock> {
        self.state.get().must_be_open();
        self.chan().filter(|_| self.full.get()).map(Chan::lock)
    }

    #[inline]
    fn touch(&self, me: TaskRef) {
        self.locked().touch(me, self.sender.mark());
    }

    fn describe(&self, pad: &mut Pad) {
        if let Some(chan) = self.chan().filter(|_| self.full.get()) {
            chan.on(Side::Send).describe(pad);
        }
    }

    #[inline]
    unsafe fn attempt(&self) -> Attempt {
        // SAFETY: locked, by contract. In no queue, so the slot is ours, and full:
        // else there would have been no lock (E1).
        let attempt = unsafe { self.locked().attempt_send(&self.node) };
        self.becomes(match attempt {
            Attempt::NotYet => State::Open,
            Attempt::Done(_) => State::Done,
            Attempt::Closed => State::Closed,
        });
        attempt
    }

    #[inline]
    unsafe fn enqueue(&self, me: TaskRef, case: u16) {
        self.node.assign(me, case);
        // SAFETY: by contract; the slot is full (E1).
        unsafe { self.locked().queue(Side::Send, &self.node) };
    }

    #[inline]
    unsafe fn dequeue(&self) {
        // SAFETY: by contract.
        unsafe { self.locked().unqueue(Side::Send, &self.node) };
    }

    #[inline]
    unsafe fn settle(&self) {
        self.becomes(self.node.outcome().into());
    }

    fn fail(&self, _: TaskRef) -> bool {
        if self.full.get() {
            self.state.set(State::Closed);
        }
        self.full.get()
    }
}

impl<T> Drop for SendCase<'_, T> {
    #[inline]
    fn drop(&mut self) {
        drop(self.remove());
    }
}

impl<T> fmt::Debug for RecvCase<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvCase").field("state", &self.state.get()).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for SendCase<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendCase")
            .field("state", &self.state.get())
            .field("has_value", &self.full.get())
            .finish_non_exhaustive()
    }
}
