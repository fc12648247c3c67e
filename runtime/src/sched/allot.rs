//! To whom a processor is allotted: the FIFO of those that want one, the idle processors,
//! the idle workers.
//!
//! When somebody gives one up, and what he does then, stands in `handover.rs`; here is whose
//! turn it is, under the scheduler's lock (`shared.rs`). Nobody is woken under it: what is
//! left to do is a [`Nudge`], sent afterwards.

use super::idle::IdleWord;
use super::processor::Processor;
use super::shared::{Member, Shared};
use super::worker::{self, Nudge, Worker};
use super::{SCHED, Sched, spare, sysmon};
use std::sync::atomic::Ordering;

impl Shared {
    /// Passes a processor on: to the first of the FIFO, else to the idle ones; to
    /// nobody if there are too many.
    pub(crate) fn give(&mut self, p: &'static Processor, idle: &IdleWord) -> Nudge {
        if SCHED.is_surplus(p) {
            self.retire(p);
            return Nudge::Nobody;
        }
        match self.next_in_fifo() {
            Some(w) => {
                self.handovers += 1;
                w.assign(p)
            }
            None => {
                self.put_idle(p, idle);
                Nudge::Nobody
            }
        }
    }

    pub(crate) fn put_idle(&mut self, p: &'static Processor, idle: &IdleWord) {
        self.idle_processors.push(p);
        idle.add_idle();
    }

    /// The run queues wait in the FIFO for a worker, and perhaps a processor is
    /// idle for the lack of one.
    pub(super) fn serve(&mut self, idle: &IdleWord) -> Nudge {
        if !self.anyone_queued {
            return Nudge::Nobody;
        }
        match self.take_idle(idle) {
            Some(p) => self.give(p, idle),
            None => Nudge::Nobody,
        }
    }

    /// Whose turn it is. The run queues keep theirs while no worker is idle.
    pub(super) fn next_in_fifo(&mut self) -> Option<&'static Worker> {
        let first = match self.fifo.pop_front()? {
            Member::Worker(w) => Some(w),
            Member::Anyone => match self.pop_idle_worker() {
                Some(w) => {
                    self.anyone_queued = false;
                    Some(w)
                }
                None => {
                    let next = self.fifo.pop_front();
                    self.fifo.push_front(Member::Anyone);
                    match next {
                        Some(Member::Worker(w)) => Some(w),
                        // Queued once only.
                        Some(Member::Anyone) | None => None,
                    }
                }
            },
        };
        SCHED.fifo_changed(self);
        first
    }

    pub(crate) fn take_idle(&mut self, idle: &IdleWord) -> Option<&'static Processor> {
        let p = self.idle_processors.pop()?;
        idle.remove_idle();
        self.taken += 1;
        if std::mem::take(&mut self.sysmon_sleeps) {
            sysmon::wake();
        }
        Some(p)
    }

    /// A worker joins the FIFO.
    pub(crate) fn want(&mut self, w: &'static Worker) -> Nudge {
        // ORDERING: SeqCst; one order with the other changes of the status.
        w.status.store(worker::WANTS, Ordering::SeqCst);
        let first = self.fifo.is_empty();
        self.fifo.push_back(Member::Worker(w));
        SCHED.fifo_changed(self);
        if first { Nudge::Hurry } else { Nudge::Nobody }
    }

    /// The run queues join the FIFO, once.
    pub(crate) fn queue_anyone(&mut self) {
        if !self.anyone_queued {
            self.anyone_queued = true;
            self.fifo.push_back(Member::Anyone);
            SCHED.fifo_changed(self);
        }
    }

    /// An idle worker that may take tasks from the run queues is listed.
    pub(crate) fn list_idle(&mut self, w: &'static Worker) {
        if !w.exclusive.get() && !w.listed.replace(true) {
            self.idle_workers.push(w);
        }
    }

    /// An idle worker that may run anything. Who takes the last one asks for
    /// another; so does who finds none.
    pub(crate) fn pop_idle_worker(&mut self) -> Option<&'static Worker> {
        let found = self.has_idle_worker().then(|| self.idle_workers.pop()).flatten();
        if let Some(w) = found {
            w.listed.set(false);
        }
        if !self.has_idle_worker() {
            spare::ask();
        }
        found
    }

    /// Is the last of the list idle? Forgets those that are not any more, and those
    /// that were locked since and cannot run what anybody may.
    pub(crate) fn has_idle_worker(&mut self) -> bool {
        while let Some(w) = self.idle_workers.last() {
            if w.status.load(Ordering::Relaxed) == worker::IDLE && !w.exclusive.get() {
                return true;
            }
            w.listed.set(false);
            self.idle_workers.pop();
        }
        false
    }
}

impl Sched {
    /// Does anybody wait for this holder's processor?
    #[inline]
    pub(crate) fn is_wanted(&self, w: &Worker, p: &Processor) -> bool {
        self.has_waiters() || (w.exclusive.get() && (p.has_work() || self.global_len() != 0))
    }

    /// Does a worker, or the run queues, wait in the FIFO?
    #[inline]
    pub(crate) fn has_waiters(&self) -> bool {
        self.counts.fifo.load(Ordering::Relaxed) != 0
    }

    fn fifo_changed(&self, s: &Shared) {
        self.counts.fifo.store(s.fifo.len(), Ordering::Relaxed);
    }
}
