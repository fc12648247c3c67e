//! What is done under the scheduler's lock, and where tasks lie.

use super::{ANYONE, Flaw, IDLE, Sched, Shared, WANTS};
use crate::sys::atomic::{AtomicU32, Ordering};

/// `sched/allot.rs`
impl Sched {
    pub(super) fn give(&self, s: &mut Shared, p: usize) {
        if self.is_surplus(p) {
            return self.retire(s, p);
        }
        self.pass_on(s, p);
    }

    pub(super) fn pass_on(&self, s: &mut Shared, p: usize) {
        match self.next_in_fifo(s) {
            Some(w) => self.assign(w, p),
            None => self.put_idle(s, p),
        }
    }

    pub(super) fn put_idle(&self, s: &mut Shared, p: usize) {
        if self.is(Flaw::DropsProcessor) {
            return;
        }
        s.idle_processors.push(p);
        self.idle.add_idle();
    }

    pub(super) fn serve(&self, s: &mut Shared) {
        if s.anyone_queued
            && let Some(p) = self.take_idle(s)
        {
            self.give(s, p);
        }
    }

    pub(super) fn next_in_fifo(&self, s: &mut Shared) -> Option<usize> {
        let mut next = s.fifo.pop_front()?;
        if next == ANYONE {
            match self.pop_idle_worker(s) {
                Some(w) => {
                    s.anyone_queued = false;
                    next = w;
                }
                None => {
                    next = s.fifo.pop_front().unwrap_or(ANYONE);
                    s.fifo.push_front(ANYONE);
                }
            }
        }
        self.fifo_len.store(s.fifo.len() as u32, Ordering::Relaxed);
        (next != ANYONE).then_some(next)
    }

    pub(super) fn queue_anyone(&self, s: &mut Shared) {
        if !std::mem::replace(&mut s.anyone_queued, true) {
            s.fifo.push_back(ANYONE);
            self.fifo_len.store(s.fifo.len() as u32, Ordering::Relaxed);
        }
    }

    pub(super) fn take_idle(&self, s: &mut Shared) -> Option<usize> {
        let p = s.idle_processors.pop()?;
        self.idle.remove_idle();
        Some(p)
    }

    pub(super) fn want(&self, s: &mut Shared, w: usize) {
        if self.is(Flaw::DoesNotQueue) {
            return;
        }
        self.workers[w].status.store(WANTS, Ordering::Relaxed);
        s.fifo.push_back(w);
        self.fifo_len.store(s.fifo.len() as u32, Ordering::Relaxed);
    }

    pub(super) fn list_idle(&self, s: &mut Shared, w: usize) {
        if !self.workers[w].start.exclusive && !std::mem::replace(&mut s.listed[w], true) {
            s.idle_workers.push(w);
        }
    }

    pub(super) fn pop_idle_worker(&self, s: &mut Shared) -> Option<usize> {
        let found = self.has_idle_worker(s).then(|| s.idle_workers.pop()).flatten();
        if let Some(w) = found {
            s.listed[w] = false;
        }
        // The real one asks for the next too; nothing here needs a second.
        if found.is_none() && !self.is(Flaw::AsksForNoSpare) {
            *self.asked.lock().unwrap() = true;
            self.asks.notify_one();
        }
        found
    }

    pub(super) fn has_idle_worker(&self, s: &mut Shared) -> bool {
        while let Some(w) = s.idle_workers.last() {
            if self.workers[*w].status.load(Ordering::Relaxed) == IDLE {
                return true;
            }
            s.listed[*w] = false;
            s.idle_workers.pop();
        }
        false
    }

    /// First the global queue, then the rings.
    pub(super) fn has_work(&self) -> bool {
        let any = |queue: &Vec<AtomicU32>| queue.iter().any(|n| n.load(Ordering::Relaxed) != 0);
        any(&self.queued) || self.rings.iter().any(any)
    }

    /// A task from the queues: the worker's ring, the global one, other rings.
    pub(super) fn take(&self, w: usize) -> Option<usize> {
        let own = self.rings.get(self.workers[w].processor.get());
        own.into_iter().chain([&self.queued]).chain(&self.rings).find_map(|queue| take_from(queue))
    }
}

fn take_from(queue: &[AtomicU32]) -> Option<usize> {
    (0..queue.len()).find(|task| {
        let queued = &queue[*task];
        queued.load(Ordering::Relaxed) != 0 && queued.swap(0, Ordering::Relaxed) != 0
    })
}

/// `sched/processors.rs`
impl Sched {
    pub(super) fn is_surplus(&self, p: usize) -> bool {
        !self.rings.is_empty() && p >= self.limit.load(Ordering::Relaxed) as usize
    }

    /// What its ring has goes to where all look.
    pub(super) fn retire(&self, _: &mut Shared, p: usize) {
        while let Some(task) = take_from(&self.rings[p]) {
            self.queued[task].store(1, Ordering::Relaxed);
        }
    }

    /// `set_maxprocs`
    pub(super) fn set_limit(&self, limit: u32) {
        self.locked(|s| {
            self.limit.store(limit, Ordering::Relaxed);
            let idle = std::mem::take(&mut s.idle_processors);
            for p in idle {
                if self.is_surplus(p) {
                    self.idle.remove_idle();
                    self.retire(s, p);
                } else {
                    s.idle_processors.push(p);
                }
            }
        });
        if self.is(Flaw::SetterDoesNotLook) {
            return;
        }
        self.idle.before_last_look();
        if self.has_work() {
            self.wake_one();
        }
    }

    /// S2, when all is over.
    pub(super) fn check_idle(&self) {
        self.locked(|s| {
            let surplus = s.idle_processors.iter().find(|p| self.is_surplus(**p));
            assert_eq!(surplus, None, "idle, and one too many");
        });
    }
}
