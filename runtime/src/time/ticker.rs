//! Again and again: `Ticker`.

use super::clock_after;
use super::node::Node;
use super::timer::send_after;
use crate::chan::Receiver;
use crate::task;
use std::fmt;
use std::time::{Duration, Instant};

/// Sends the time to a channel at regular intervals (Go: `time.Ticker`).
///
/// Ticks keep the beat of the first one, however late each of them is: they do not
/// drift. A receiver that is slow misses ticks: one waits for it, the later ones are
/// dropped until it has received that.
///
/// After [`stop`](Ticker::stop) or [`reset`](Ticker::reset) no earlier tick can be
/// received. Dropping the ticker stops it, unless a clone of its receiver is left.
///
/// ```
/// use gopark::time::Ticker;
/// use std::time::{Duration, Instant};
///
/// let start = Instant::now();
/// let ticker = Ticker::new(Duration::from_millis(2));
/// for at in ticker.receiver().iter().take(3) {
///     println!("{:?}", at - start);
/// }
/// assert!(start.elapsed() >= Duration::from_millis(6));
/// ```
pub struct Ticker {
    receiver: Receiver<Instant>,
    node: &'static Node,
}

impl Ticker {
    /// A ticker whose first tick comes after one period.
    ///
    /// # Panics
    /// The period is zero.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let ticker = gopark::time::Ticker::new(Duration::from_millis(1));
    /// assert!(ticker.receiver().recv().is_ok());
    /// assert!(ticker.receiver().recv().is_ok());
    /// ```
    #[track_caller]
    pub fn new(period: Duration) -> Ticker {
        check(period);
        let (receiver, node) = send_after(period, period);
        Ticker { receiver, node }
    }

    /// The channel (Go: `t.C`). A receive parks with reason `chan receive`.
    ///
    /// Clones receive from the same ticker, each tick by one of them.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let ticker = gopark::time::Ticker::new(Duration::from_secs(3600));
    /// assert!(ticker.receiver().try_recv().is_err());
    /// ```
    pub fn receiver(&self) -> &Receiver<Instant> {
        &self.receiver
    }

    /// Stops it. The channel stays open: a receive waits until the ticker is reset.
    /// (So that who reads ticks does not take the end for one, as in Go.)
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let ticker = gopark::time::Ticker::new(Duration::from_millis(1));
    /// ticker.receiver().recv().unwrap();
    /// ticker.stop();
    /// assert!(ticker.receiver().try_recv().is_err());
    /// ```
    pub fn stop(&self) {
        task::pass_by();
        self.node.stop();
    }

    /// Starts over with this period: the next tick comes after one of it.
    ///
    /// # Panics
    /// The period is zero.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let ticker = gopark::time::Ticker::new(Duration::from_secs(3600));
    /// ticker.reset(Duration::from_millis(1));
    /// assert!(ticker.receiver().recv().is_ok());
    /// ```
    pub fn reset(&self, period: Duration) {
        check(period);
        let scope = task::pass().record().scope();
        let nanos = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX);
        self.node.reset(clock_after(period), nanos, scope);
    }
}

#[track_caller]
fn check(period: Duration) {
    assert!(!period.is_zero(), "the period of a ticker is zero");
}

impl fmt::Debug for Ticker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticker").field("set", &self.node.is_set()).finish_non_exhaustive()
    }
}
