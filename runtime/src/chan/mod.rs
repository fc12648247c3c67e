//! Channels: Go's, with Rust's handles.
//!
//! A channel hands values from senders to receivers, each value to one of them.
//! [`bounded`] has a buffer; [`rendezvous`] has none, so that a send and a
//! receive meet. Both halves can be cloned and used from tasks and from plain
//! OS threads, mixed.
//!
//! ```
//! use gopark::chan;
//!
//! let (tx, rx) = chan::bounded(4);
//! for worker in 0..3 {
//!     let tx = tx.clone();
//!     gopark::go(move || tx.send(worker * 10));
//! }
//! drop(tx); // the workers have clones; `rx` ends with the last of them
//! let mut got: Vec<i32> = rx.into_iter().collect();
//! got.sort();
//! assert_eq!(got, [0, 10, 20]);
//! ```
//!
//! # The rules
//!
//! From Go:
//!
//! 1. Values arrive in the order in which they were sent.
//! 2. Waiters are served in the order in which they came, senders and receivers
//!    alike. A sender that finds a waiting receiver gives it the value directly;
//!    nobody can come between the two.
//! 3. A send on a rendezvous channel ends when a receiver has the value; on a
//!    buffered one when the value is in the buffer. What the sender did before
//!    the send is visible to the receiver.
//! 4. A receive from a closed channel gets what is buffered, then an error.
//! 5. Closing wakes all who wait: receivers get an error, senders their value back.
//! 6. On [`never()`] and [`never_sender`] (Go's nil channel) a receive or a send
//!    is never ready.
//!
//! Where Go panics there is a value: a send on a closed channel returns
//! [`SendError`] with the value, and closing twice returns `false`.
//!
//! From crossbeam, because Rust knows when a handle dies:
//!
//! 7. Dropping the last [`Sender`] closes the channel: nobody can send any more.
//! 8. Dropping the last [`Receiver`] closes it too, and drops what is buffered.
//! 9. What could not be sent comes back in the error, also after a timeout.
//!
//! A value is dropped by whoever has it: never inside the channel while others
//! wait for its lock, and exactly once.
//!
//! # Selecting
//!
//! [`select!`](crate::select) waits until one of several sends and receives is
//! possible and does that one; [`select()`] does it for a list of [`Case`]s that
//! is made while the program runs.
//!
//! ```
//! use gopark::{chan, select};
//!
//! let (tx, rx) = chan::rendezvous();
//! let (stop, stopped) = chan::rendezvous::<()>();
//! let counter = gopark::go(move || {
//!     let mut n = 0;
//!     loop {
//!         select! {
//!             send(tx, n) -> _ => n += 1,
//!             recv(stopped) => break,
//!         }
//!     }
//!     n
//! });
//! assert_eq!((rx.recv(), rx.recv()), (Ok(0), Ok(1)));
//! drop(stop);
//! assert_eq!(counter.join().unwrap(), 2);
//! ```
//!
//! # Compared with crossbeam-channel
//!
//! | crossbeam | here |
//! |---|---|
//! | `bounded(n)`, `bounded(0)` | [`bounded`]; [`rendezvous`] says what the 0 means |
//! | `never()` | [`never()`], and [`never_sender`] |
//! | `send`, `recv`, `try_send`, `try_recv`, `send_timeout`, `recv_timeout`, `send_deadline`, `recv_deadline` | the same |
//! | `iter`, `try_iter`, `IntoIterator` | the same |
//! | `len`, `is_empty`, `is_full`, `same_channel` | the same |
//! | `capacity() -> Option<usize>` | `capacity() -> usize`, as there is always one |
//! | a channel is disconnected by the last drop | also closed by hand: `close`, `is_closed` on both halves |
//! | `Disconnected` in errors, `is_disconnected` | `Closed`, `is_closed` |
//! | error types | the same names; `into_inner` on those with a value, conversions as there |
//! | `unbounded()` | left out: Go has none, and a queue without a limit hides the leak that a bounded one shows |
//! | `after`, `tick` | [`time::after`](crate::time::after), [`time::Ticker`](crate::time::Ticker) |
//! | `at` | left out: `after(deadline - now)`, or the case `at(deadline)` of a select |
//! | `select!` with `recv(r) -> msg`, `send(s, v) -> res`, `default` | the same; `recv(r)` without a pattern, too |
//! | `default(timeout)` in `select!` | `after(timeout)`, and `at(deadline)` |
//! | `select_biased!`, `Select::new_biased` | left out, as in Go; put a select with a `default` in front |
//! | `Select::{recv, send}` | [`Receiver::case`], [`Sender::case`]; the value is given at once, as in Go's `reflect.Select` |
//! | `Select::{select, try_select, select_timeout, select_deadline}` | [`select()`], [`try_select`], [`select_timeout`], [`select_deadline`] over cases; an index or `None` comes back |
//! | `SelectedOperation::{recv, send}` | [`RecvCase::take`], [`SendCase::take`], which cannot be forgotten with harm: what happens has happened |
//! | `Select::remove` | leave the case out of the list; [`SendCase::into_value`] has the value |
//! | `Select::{ready, try_ready, ready_timeout, ready_deadline}` | left out: what was ready need not be so a moment later |
//!
//! # Wait reasons
//!
//! A parked task says in dumps why and where it waits; the site is the call in
//! the user's code, for an iterator the call that made it.
//!
//! | operation | reason | ends by |
//! |---|---|---|
//! | a select | `select` | a partner or the `close` of any of its channels, the time limit |
//! | a select without a case | `select (no cases)` | the time limit |
//! | `send` and its timed forms | `chan send` | a receiver, `close`, the last receiver's drop, the time limit |
//! | `recv` and its timed forms, iteration | `chan receive` | a sender, `close`, the last sender's drop, the time limit |
//! | the same on [`never_sender`] | `chan send (nil chan)` | the time limit |
//! | the same on [`never()`] | `chan receive (nil chan)` | the time limit |
//!
//! All are durable: without a time limit only another task or thread can end
//! the wait.
//!
//! # Inside
//!
//! | file | what |
//! |---|---|
//! | `waitq` | queues of parked tasks, also used by [`sync`](crate::sync); unsafe |
//! | `raw` | the channel: lock, ring, two queues, hand-over; in `raw/`, its waiters, steps for select and futures, timers'; unsafe |
//! | `case` | a send or a receive that a select may choose; unsafe |
//! | `select` | one of several cases: why exactly one; unsafe |
//! | `future` | sends and receives of async code; unsafe |
//! | `never` | the channel that is never ready |
//! | `sender`, `receiver`, `iter` | the handles |
//! | `shared` | how long the channel lasts; unsafe |
//! | `seat` | who made the handles, and who uses them; unsafe |
//! | `error` | the errors |
//!
//! Memory: a channel is one allocation and its ring another, made at once; no
//! operation allocates, except a select over more than eight cases, and a future
//! that waits. A waiter is a node in the frame of the parked task, or in a box of
//! the future's.
//!
//! A node does not know whether its task still waits for it; whoever takes the
//! node from a queue claims the task, and one claim wins. This decides between
//! a partner and a timer, and in a select between its channels: it has nodes in
//! several queues, and the claim that wins names the one that is served.
//!
//! **When a task is reaped** (the verifier ends leaked tasks by an unwind out
//! of their wait) its node leaves the queue, and a value that was not sent is
//! dropped by the unwind. An operation that is called by a destructor during
//! such an unwind does not wait: it returns its error, with the value; a select
//! chooses its first case, as if that channel had been closed.

#[expect(unsafe_code, reason = "nodes in the stack frames of parked tasks")]
mod case;
mod error;
#[expect(unsafe_code, reason = "nodes in boxes")]
mod future;
mod iter;
mod never;
#[expect(unsafe_code, reason = "values move through slots in the stack frames of parked tasks")]
mod raw;
mod receiver;
pub(crate) mod seat;
#[expect(unsafe_code, reason = "the locks of several channels at once")]
mod select;
mod sender;
#[expect(unsafe_code, reason = "a channel is freed when it has no handles")]
mod shared;
#[expect(unsafe_code, reason = "queues of nodes in the stack frames of parked tasks")]
pub(crate) mod waitq;

pub(crate) use case::Operation;
pub use case::{Case, RecvCase, SendCase};
pub use error::{
    RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError,
};
pub use future::{RecvFuture, SendFuture};
pub use iter::{IntoIter, Iter, TryIter};
pub(crate) use raw::{Attempt, Side};
pub use receiver::Receiver;
pub(crate) use select::select_as;
#[doc(hidden)]
pub use select::{Limit, select_within};
pub use select::{select, select_deadline, select_timeout, try_select};
pub use sender::Sender;

use crate::time::Node;
use std::panic::Location;
use std::time::Instant;

/// A channel without a buffer (Go: `make(chan T)`): a send waits for its
/// receive.
///
/// ```
/// let (tx, rx) = gopark::chan::rendezvous();
/// gopark::go(move || tx.send("met").unwrap());
/// assert_eq!(rx.recv(), Ok("met"));
/// ```
#[track_caller]
pub fn rendezvous<T>() -> (Sender<T>, Receiver<T>) {
    bounded(0)
}

/// A channel with room for `capacity` values (Go: `make(chan T, capacity)`). With
/// 0 it is a [`rendezvous`] channel.
///
/// The room is allocated at once.
///
/// # Panics
/// The room would not fit into the address space.
///
/// ```
/// let (tx, rx) = gopark::chan::bounded(2);
/// tx.send(1).unwrap();
/// tx.send(2).unwrap();
/// assert!(tx.try_send(3).is_err());
/// assert_eq!((rx.recv(), rx.recv()), (Ok(1), Ok(2)));
/// ```
#[track_caller]
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let (sends, receives) = shared::both(raw::Chan::new(capacity, Location::caller()));
    (Sender::first(sends), Receiver::first(receives))
}

/// What is closed when a context ends.
#[track_caller]
pub(crate) fn of_context() -> (Sender<()>, Receiver<()>) {
    let (sends, receives) = shared::both(raw::Chan::of_context(Location::caller()));
    (Sender::first(sends), Receiver::first(receives))
}

/// What a timer sends to.
pub(crate) type Tick = raw::Chan<Instant>;

/// The channel of a timer, and where the timer finds it as long as it has
/// receivers.
#[track_caller]
pub(crate) fn of_timer(node: &'static Node) -> (Receiver<Instant>, *const Tick) {
    let chan = shared::receiver(Tick::of_timer(node, Location::caller()));
    let at = chan.as_ptr();
    (Receiver::first(chan), at)
}

/// A receiver that never gets anything and never ends (Go: a nil channel).
///
/// Receiving from it parks for ever, with reason `chan receive (nil chan)`; with a
/// time limit it times out. It serves to switch off a source without changing
/// the code that waits for it.
///
/// ```
/// use gopark::chan::{self, RecvTimeoutError};
/// use std::time::Duration;
///
/// let rx = chan::never::<i32>();
/// let limit = Duration::from_millis(1);
/// assert_eq!(rx.recv_timeout(limit), Err(RecvTimeoutError::Timeout));
/// assert!(!rx.is_closed());
/// ```
pub const fn never<T>() -> Receiver<T> {
    Receiver::never()
}

/// A sender that never gets rid of anything (Go: a nil channel).
///
/// Sending parks for ever, with reason `chan send (nil chan)`; with a time limit
/// it times out and hands the value back.
///
/// ```
/// use gopark::chan::{self, SendTimeoutError};
/// use std::time::Duration;
///
/// let tx = chan::never_sender();
/// let limit = Duration::from_millis(1);
/// assert_eq!(tx.send_timeout(1, limit), Err(SendTimeoutError::Timeout(1)));
/// ```
pub const fn never_sender<T>() -> Sender<T> {
    Sender::never()
}
