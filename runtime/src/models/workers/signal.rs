//! Suspension and spares.

use super::{Flaw, Sched};
use crate::sys::atomic::Ordering;

/// `sched/signal.rs`
impl Sched {
    /// A task that ends when another has. `false`: all is over.
    pub(super) fn hog(&self, w: usize, other: usize) -> bool {
        loop {
            let seen = self.changes.load(Ordering::Relaxed);
            if *self.ended.lock().unwrap() & 1 << other != 0 {
                return true;
            }
            let waits = self.fifo_len.load(Ordering::Relaxed) != 0 || self.has_work();
            if waits && self.pass_to_others(w) {
                if !self.await_processor(w) {
                    return false;
                }
                continue;
            }
            // Until its timer would find something else.
            let mut ended = self.ended.lock().unwrap();
            while *ended & 1 << other == 0 && self.changes.load(Ordering::Relaxed) == seen {
                ended = self.ends.wait(ended).unwrap();
            }
        }
    }

    fn pass_to_others(&self, w: usize) -> bool {
        if self.fifo_len.load(Ordering::Relaxed) == 0 && self.idle.any() {
            self.wake_one();
            return false;
        }
        self.locked(|s| {
            if self.has_work() {
                self.queue_anyone(s);
            }
            let Some(first) = self.next_in_fifo(s) else { return false };
            self.assign(first, self.workers[w].processor.get());
            self.want(s, w);
            true
        })
    }

    /// The timers of hogs.
    pub(super) fn change(&self) {
        let _ended = self.ended.lock().unwrap();
        self.changes.fetch_add(1, Ordering::Relaxed);
        self.ends.notify_all();
    }
}

/// `sched/spare.rs`
impl Sched {
    pub(super) fn make_spares(&self) {
        loop {
            {
                let mut asked = self.asked.lock().unwrap();
                while !*asked {
                    asked = self.asks.wait(asked).unwrap();
                }
                *asked = false;
            }
            if self.over() {
                return;
            }
            self.locked(|s| {
                if !self.has_idle_worker(s)
                    && let Some(w) = s.spares.pop()
                {
                    self.list_idle(s, w);
                }
            });
            if !self.is(Flaw::MakerDoesNotLook) {
                self.locked(|s| self.serve(s));
                self.idle.before_last_look();
                if self.has_work() {
                    self.wake_one();
                }
            }
            self.change();
        }
    }
}
