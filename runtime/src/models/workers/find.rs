//! Step by step as in `sched/find.rs`, `handover.rs` and, for the kick, `enqueue.rs`.

use super::{Flaw, HOLDS, IDLE, Sched, Shared};
use crate::sys::atomic::Ordering;
use crate::sys::barrier;

impl Sched {
    pub(super) fn find(&self, w: usize, bound: &mut u32, ran: bool) -> Option<usize> {
        let worker = &self.workers[w];
        while !self.over() {
            if worker.inbox.load(Ordering::Relaxed) != 0 {
                *bound |= worker.inbox.swap(0, Ordering::Acquire);
            }
            if self.is_surplus(worker.processor.get()) {
                self.hand_over(w, *bound != 0);
                return None;
            }
            if ran && self.fifo_len.load(Ordering::Relaxed) != 0 {
                self.hand_over(w, *bound != 0);
                return None;
            }
            if *bound != 0 {
                let task = bound.trailing_zeros();
                *bound &= !(1 << task);
                if worker.spinning.get() {
                    self.end_search(w);
                }
                return Some(task as usize);
            }
            if !worker.start.exclusive
                && let Some(task) = self.search(w)
            {
                self.end_search(w);
                return Some(task);
            }
            if !self.go_idle(w) {
                return None;
            }
        }
        None
    }

    fn search(&self, w: usize) -> Option<usize> {
        let worker = &self.workers[w];
        let task = self.take(w);
        if task.is_some() || self.processors == 1 {
            return task;
        }
        if !worker.spinning.get() {
            if !self.idle.may_spin(self.processors) {
                return None;
            }
            worker.spinning.set(true);
            self.idle.begin_spin();
        }
        self.take(w)
    }

    fn end_search(&self, w: usize) {
        if self.workers[w].spinning.replace(false) {
            self.idle.end_spin();
        }
        if !self.is(Flaw::WakesNobody) {
            self.wake_one();
        }
    }

    fn hand_over(&self, w: usize, ready: bool) {
        let p = self.workers[w].processor.get();
        let surplus = self.is_surplus(p);
        self.locked(|s| self.give(s, p));
        if self.workers[w].spinning.replace(false) {
            self.idle.end_spin();
        }
        // `sleep_or_queue`
        self.locked(|s| {
            self.workers[w].status.store(IDLE, Ordering::Relaxed);
            self.list_idle(s, w);
            self.serve(s);
        });
        self.idle.before_last_look();
        if ready || self.workers[w].inbox.load(Ordering::Relaxed) != 0 {
            // `reclaim_or_want`
            self.locked(|s| {
                if self.workers[w].status.load(Ordering::Relaxed) != IDLE {
                    return;
                }
                self.assign_or_want(s, w);
            });
        }
        if surplus && self.is(Flaw::RetirerDoesNotLook) {
            return;
        }
        if self.has_work() {
            self.wake_one();
        }
    }

    fn assign_or_want(&self, s: &mut Shared, w: usize) {
        match self.take_idle(s) {
            Some(p) => self.assign(w, p),
            None => self.want(s, w),
        }
    }

    fn go_idle(&self, w: usize) -> bool {
        let worker = &self.workers[w];
        let spun = worker.spinning.replace(false);
        let p = worker.processor.get();
        let early = self.is(Flaw::AsksEarly) && !self.is_surplus(p);
        self.locked(|s| {
            worker.status.store(IDLE, Ordering::Relaxed);
            self.list_idle(s, w);
            if early { self.pass_on(s, p) } else { self.give(s, p) }
        });
        if spun && !self.is(Flaw::EndsSpinLate) {
            self.idle.end_spin();
        }
        if !self.is(Flaw::NoBarrierBeforeLastLook) {
            self.idle.before_last_look();
        }
        let goes_on = !self.is(Flaw::NoLastLook) && self.last_look(w);
        if spun && self.is(Flaw::EndsSpinLate) {
            self.idle.end_spin();
        }
        goes_on
    }

    /// w4
    fn last_look(&self, w: usize) -> bool {
        if self.workers[w].inbox.load(Ordering::Relaxed) != 0 {
            let got = self.reclaim(w, true);
            if !self.is(Flaw::BoundWakesNobody) && self.has_work() {
                self.wake_one();
            }
            return got;
        }
        if self.has_work() {
            if !self.workers[w].start.exclusive {
                return self.reclaim(w, false);
            }
            if !self.is(Flaw::ExclusiveLeavesWork) {
                self.wake_one();
            }
        }
        false
    }

    fn reclaim(&self, w: usize, bound: bool) -> bool {
        let worker = &self.workers[w];
        let got = self.locked(|s| {
            if worker.status.load(Ordering::Relaxed) != IDLE {
                return false;
            }
            match self.take_idle(s) {
                Some(p) => {
                    worker.status.store(HOLDS, Ordering::Relaxed);
                    worker.processor.set(p);
                    return true;
                }
                None if bound => self.want(s, w),
                None => {}
            }
            false
        });
        if got && !bound {
            self.idle.begin_spin();
            worker.spinning.set(true);
        }
        got
    }

    pub(super) fn wake_one(&self) {
        if self.idle.should_wake() {
            self.start_spinner();
        }
    }

    fn start_spinner(&self) {
        let started = self.locked(|s| {
            let Some(p) = self.take_idle(s) else {
                if !self.is(Flaw::EndsPhantomLate) {
                    self.idle.end_spin();
                }
                return false;
            };
            match self.pop_idle_worker(s) {
                Some(w) => {
                    self.workers[w].spinning.set(true);
                    self.assign(w, p);
                }
                None => {
                    self.idle.end_spin();
                    self.put_idle(s, p);
                }
            }
            true
        });
        if !started && self.is(Flaw::EndsPhantomLate) {
            self.idle.end_spin();
        }
    }

    pub(super) fn kick(&self, w: usize) {
        if !self.is(Flaw::KicksWithoutBarrier) {
            barrier::light();
        }
        if self.workers[w].status.load(Ordering::Relaxed) != IDLE {
            return;
        }
        self.locked(|s| {
            if self.workers[w].status.load(Ordering::Relaxed) != IDLE {
                return;
            }
            self.assign_or_want(s, w);
        });
    }
}
