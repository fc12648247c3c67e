//! One shot: `Timer`, `after`, `after_func`.

use super::clock_after;
use super::node::Node;
use crate::chan::{self, Receiver};
use crate::task::{self, launch};
use core::panic::Location;
use std::fmt;
use std::time::{Duration, Instant};

/// A timer that sends the time to a channel, once for each time it is set (Go:
/// `time.Timer`).
///
/// It fires although nobody waits: then the value lies in the channel until
/// somebody receives it, or the timer is stopped or reset.
///
/// After [`stop`](Timer::stop) or [`reset`](Timer::reset) no value of the setting
/// before can be received (as in Go since 1.23), so nothing need be drained by
/// hand. Dropping the timer stops it, unless a clone of its receiver is left.
///
/// ```
/// use gopark::time::Timer;
/// use std::time::{Duration, Instant};
///
/// let start = Instant::now();
/// let timer = Timer::new(Duration::from_millis(5));
/// let at = timer.receiver().recv().unwrap();
/// assert!(at - start >= Duration::from_millis(5));
///
/// timer.reset(Duration::from_secs(3600));
/// assert!(timer.stop());
/// assert!(timer.receiver().try_recv().is_err());
/// ```
pub struct Timer {
    receiver: Receiver<Instant>,
    node: &'static Node,
}

impl Timer {
    /// A timer that fires when so much time has passed.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let timer = gopark::time::Timer::new(Duration::from_millis(1));
    /// assert!(timer.receiver().recv().is_ok());
    /// ```
    #[track_caller]
    pub fn new(duration: Duration) -> Timer {
        let (receiver, node) = send_after(duration, Duration::ZERO);
        Timer { receiver, node }
    }

    /// The channel (Go: `t.C`). A receive parks with reason `chan receive`. It never
    /// has anything buffered, for all that [`Receiver::len`] says.
    ///
    /// Clones receive from the same timer. A `select!` takes it like any receiver.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let timer = gopark::time::Timer::new(Duration::from_millis(1));
    /// let receiver = timer.receiver().clone();
    /// assert!(gopark::go(move || receiver.recv().is_ok()).join().unwrap());
    /// ```
    pub fn receiver(&self) -> &Receiver<Instant> {
        &self.receiver
    }

    /// Stops it. `true`: it was set, and its value has not been received; nobody will
    /// receive it now. `false`: the value has been received, or the timer was stopped
    /// before.
    ///
    /// The channel stays open, so that a receive waits until the timer is reset.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let timer = gopark::time::Timer::new(Duration::from_secs(3600));
    /// assert!(timer.stop());
    /// assert!(!timer.stop());
    /// ```
    pub fn stop(&self) -> bool {
        task::pass_by();
        self.node.stop()
    }

    /// Sets it anew: it fires when so much time has passed from now, and for no
    /// earlier setting any more. `true`: it was set before, or its value not yet
    /// received.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let timer = gopark::time::Timer::new(Duration::from_secs(3600));
    /// assert!(timer.reset(Duration::from_millis(1)));
    /// timer.receiver().recv().unwrap();
    /// assert!(!timer.reset(Duration::from_secs(3600)));
    /// ```
    pub fn reset(&self, duration: Duration) -> bool {
        let scope = task::pass().record().scope();
        self.node.reset(clock_after(duration), 0, scope)
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer").field("set", &self.node.is_set()).finish_non_exhaustive()
    }
}

/// A node that sends to the receiver after a while, and then every period.
#[track_caller]
pub(super) fn send_after(
    duration: Duration,
    period: Duration,
) -> (Receiver<Instant>, &'static Node) {
    let scope = task::pass().record().scope();
    let node = Node::take();
    let (receiver, chan) = chan::of_timer(node);
    let period = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX);
    node.set_to_send(chan, clock_after(duration), period, scope);
    (receiver, node)
}

/// A receiver that gets the time, once, when so much time has passed (Go:
/// `time.After`).
///
/// For a wait with a time limit in a `select!`, or beside other receivers. The
/// receiver that goes takes the timer with it, so that one in a loop leaves nothing
/// behind. A receive parks with reason `chan receive`; after the value a receive
/// waits for ever.
///
/// ```
/// use std::time::{Duration, Instant};
///
/// let start = Instant::now();
/// let at = gopark::time::after(Duration::from_millis(5)).recv().unwrap();
/// assert!(at - start >= Duration::from_millis(5));
/// ```
#[track_caller]
pub fn after(duration: Duration) -> Receiver<Instant> {
    send_after(duration, Duration::ZERO).0
}

/// Starts a task that runs `f` when so much time has passed (Go: `time.AfterFunc`).
///
/// The task is made at once and belongs to the caller's [scope](crate::Scope), but
/// it is not alive before: nobody sees it, and it takes no stack. A leak check does
/// not report it, but takes it for something that may still wake others. Dropping
/// the handle stops nothing.
///
/// Go can run `f` again after a `Reset`; here it runs once, and may consume what it
/// has captured. What is to happen again and again is a [`Ticker`](super::Ticker)'s
/// or a loop's.
///
/// # Panics
/// As [`go`](crate::go). A panic of `f` is that of a task that nobody joins.
///
/// ```
/// use gopark::{chan, time};
/// use std::time::Duration;
///
/// let (tx, rx) = chan::bounded(1);
/// time::after_func(Duration::from_millis(1), move || tx.send("now").unwrap());
/// assert_eq!(rx.recv(), Ok("now"));
///
/// let late = time::after_func(Duration::from_secs(3600), || unreachable!());
/// assert!(late.stop());
/// ```
#[track_caller]
pub fn after_func<F>(duration: Duration, f: F) -> AfterFunc
where
    F: FnOnce() + Send + 'static,
{
    let scope = task::pass().record().scope();
    let record = match launch::prepare_detached(f, Location::caller()) {
        Ok(record) => record,
        Err(error) => panic!("{error}"),
    };
    let node = Node::take();
    node.set_to_start(record, clock_after(duration), scope);
    AfterFunc { node }
}

/// The handle of an [`after_func`]. Dropping it stops nothing.
///
/// ```
/// use std::time::Duration;
///
/// let later = gopark::time::after_func(Duration::from_secs(3600), || unreachable!());
/// assert!(later.reset(Duration::from_secs(7200)));
/// assert!(later.stop());
/// ```
pub struct AfterFunc {
    node: &'static Node,
}

impl AfterFunc {
    /// Keeps the function from being run; what it has captured is dropped here.
    /// `false`: it has been started, perhaps has not ended yet, or was stopped
    /// before.
    ///
    /// ```
    /// use gopark::{chan, time};
    /// use std::time::Duration;
    ///
    /// let (tx, rx) = chan::bounded(1);
    /// let later = time::after_func(Duration::ZERO, move || tx.send(()).unwrap());
    /// rx.recv().unwrap();
    /// assert!(!later.stop());
    /// ```
    pub fn stop(&self) -> bool {
        task::pass_by();
        match self.node.stop_start() {
            Some(record) => {
                launch::discard(record);
                true
            }
            None => false,
        }
    }

    /// Lets it run when so much time has passed from now, not when it was set to.
    /// `false`, and nothing changed: it has been started, or stopped. (Go runs it
    /// again then.) Whoever calls this, the task belongs to the scope of who made it.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let (tx, rx) = gopark::chan::bounded(1);
    /// let f = move || tx.send("soon").unwrap();
    /// let later = gopark::time::after_func(Duration::from_secs(3600), f);
    /// assert!(later.reset(Duration::from_millis(1)));
    /// assert_eq!(rx.recv(), Ok("soon"));
    /// assert!(!later.reset(Duration::ZERO));
    /// ```
    pub fn reset(&self, duration: Duration) -> bool {
        task::pass_by();
        self.node.reset_start(clock_after(duration))
    }
}

impl Drop for AfterFunc {
    fn drop(&mut self) {
        self.node.disown();
    }
}

impl fmt::Debug for AfterFunc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AfterFunc").field("set", &self.node.is_set()).finish_non_exhaustive()
    }
}
