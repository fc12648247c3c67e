//! A timer's channel: no handle sends, the timer does.
//!
//! Its node puts a value in, and can take it back as long as nobody has received it: as if
//! it waited to send, but without a task that could wait. Both are called with the node's
//! lock held, which comes before the channel's.

use super::Chan;
use crate::chan::shared::Kinds;
use crate::sched::park::Claimed;
use crate::task;
use crate::time::Node;
use std::panic::Location;
use std::time::Instant;

/// A timer's channel. It has receivers only; the node knows it until the last of
/// them is gone.
impl Chan<Instant> {
    pub(in crate::chan) fn of_timer(node: &'static Node, site: &'static Location<'static>) -> Self {
        let chan = Chan { timer: Some(node), kinds: Kinds::new(1), ..Chan::new(1, site) };
        // Whoever makes it has a part in what it wakes.
        chan.affinity.touch_by(task::current().record());
        chan
    }

    /// Sends the time, unless the one before has not been received yet. Allocates
    /// nothing. The caller enqueues who receives it.
    pub(crate) fn tick(&self, now: Instant) -> Option<Claimed> {
        let mut held = self.hold();
        let core = held.core();
        if core.closed {
            return None;
        }
        match core.give(now) {
            Ok(receiver) => Some(receiver),
            Err(now) => {
                if core.ring.is_empty() {
                    core.ring.push_back(now);
                }
                None
            }
        }
    }

    /// Takes the value back that nobody has received. Whether there was one.
    pub(crate) fn take_tick(&self) -> bool {
        self.hold().core().ring.pop_front().is_some()
    }
}
