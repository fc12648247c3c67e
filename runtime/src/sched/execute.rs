//! How a worker runs a task, and what happens when it leaves.
//!
//! A task leaves by switching back to the worker's own stack with a note, [`After`], of what
//! is to be done with it; doing that on the worker's stack means that the task's context is
//! already saved when anybody hears of it.

use super::worker::{After, Worker};
use super::{SCHED, enqueue, find, observe};
use crate::arch;
use crate::stack::Place;
use crate::sys::section::Section;
use crate::task::TaskRef;
use crate::task::join::Done;
use crate::task::record::Record;
use crate::task::state::Release;
use crate::{sys, task, time};
use core::ptr;
use std::sync::atomic::Ordering;

impl Worker {
    /// Switches from the running task to the scheduler's stack. Returns when
    /// the task is started again, perhaps on another worker.
    #[inline(always)]
    pub(crate) fn leave(&self, task: &'static Record, after: After) {
        // Ends on the thread where the task goes on, or in its first function.
        let _section = Section::new();
        self.after.set(after);
        // SAFETY: A1: the loop's stack pointer was saved by the switch that
        // started this task; the task's is used by its next start only.
        unsafe { arch::switch(task.sp.as_ptr(), self.loop_sp.get()) };
    }

    /// Runs a task until it leaves.
    #[inline]
    pub(crate) fn execute(&'static self, task: &'static Record) {
        observe::starts(self, task);
        let _ = task.state.start();
        self.starts.store(self.starts.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        if task.sp.load(Ordering::Relaxed).is_null() {
            self.first_start(task);
        }
        // ORDERING: Release; pairs with the Acquire in running_elsewhere().
        self.current.store(ptr::from_ref(task).cast_mut(), Ordering::Release);
        // SAFETY: A1, R2: the task was started by us, so its saved stack
        // pointer is ours to use, once.
        unsafe { arch::switch(self.loop_sp.as_ptr(), task.sp.load(Ordering::Relaxed)) };
        self.current.store(ptr::null_mut(), Ordering::Relaxed);
        self.settle(task);
    }

    /// Gives a task its stack and, unless tasks migrate, its worker.
    fn first_start(&'static self, task: &'static Record) {
        let p = self.processor();
        p.counts.started.add(1);
        let stack = p.stacks.take(task.place().class());
        task.set_place(Place::of(stack));
        // SAFETY: the stack is this task's alone (K1); its topmost word says that
        // there are no segments, and below it there is room for many frames.
        let sp = unsafe {
            stack.chain().write(ptr::null_mut());
            arch::prepare(stack.first_frame(), task::entry::main)
        };
        task.sp.store(sp, Ordering::Relaxed);
        if !SCHED.migrating() || self.exclusive.get() {
            // ORDERING: Release; pairs with the Acquire in enqueue::put(): whoever sees
            // the worker sees a finished first start.
            task.worker.store(ptr::from_ref(self).cast_mut(), Ordering::Release);
            self.bound_alive.rise();
        }
    }

    /// Does what the task that left asked for. From the first state change on
    /// another worker may run the task.
    #[inline]
    fn settle(&'static self, task: &'static Record) {
        observe::leaves(self, task);
        match self.after.replace(After::Nothing) {
            After::Nothing => sys::fatal(format_args!("task {} left without a note", task.id())),
            After::Requeue => {
                self.counts.yields.add(1);
                task.state.requeue();
                if !task.worker.load(Ordering::Relaxed).is_null() {
                    self.bound.push(task);
                } else if let Some(p) = self.holding() {
                    p.put(task);
                } else {
                    enqueue::enqueue_unclaimed(task);
                }
            }
            After::GiveWay => {
                self.counts.gave_way.add(1);
                find::end_slice(self, task);
            }
            After::Park { commit, data, held: false } => {
                let home = task.home();
                self.count_park(task);
                task.state.wait();
                // SAFETY: park() passed a commit that fits its data, which lives
                // until the task resumes or what it guards is released by it. A
                // commit that may refuse is held.
                unsafe { commit(data) };
                home.notify();
            }
            After::Park { commit, data, held: true } => self.settle_held(task, commit, data),
            After::Exit => self.bury(task),
        }
    }

    #[inline]
    fn count_park(&self, task: &Record) {
        if let Some(count) = self.counts.parks.get(task.reason_number()) {
            count.add(1);
        }
    }

    /// A park that somebody could end before the commit has run: a timer that
    /// fires at once, or the reaper. The task would go on while its commit is
    /// still to come. So the scheduler holds it by its scan bit until then (T3).
    #[inline(never)]
    fn settle_held(
        &'static self,
        task: &'static Record,
        commit: unsafe fn(*const ()) -> bool,
        data: *const (),
    ) {
        let home = task.home();
        self.count_park(task);
        task.state.wait_held();
        let ticket = task.state.read().ticket();
        // SAFETY: as in settle().
        let parked = unsafe { commit(data) };
        if parked && task.until() != u64::MAX {
            time::arm(task, ticket, task.until());
        }
        match task.state.release() {
            Release::Enqueue => enqueue::enqueue(task),
            Release::Nothing if parked => home.notify(),
            Release::Nothing => enqueue::unpark_self(task, ticket),
        }
    }

    /// Go: `gdestroy`. In this order: dead, counted, joined, free.
    fn bury(&'static self, task: &'static Record) {
        let home = task.home();
        let p = self.processor();
        if !task.worker.load(Ordering::Relaxed).is_null() {
            self.bound_alive.fall();
        }
        let place = task.place();
        task.set_place(Place::none(place.class()));
        // The task owned it until now (K1).
        p.counts.finished.add(1);
        p.stacks.put(place.stack().expect("a task that ran has a stack"));
        task.state.finish();
        home.count_death(Some(p.id));
        match task.join.done() {
            Done::Nothing => {}
            Done::Free => p.put_record(task),
            Done::Wake => {
                let claimed = task.waiter.get().and_then(TaskRef::claim);
                task.join.acknowledge();
                if let Some(claimed) = claimed {
                    claimed.enqueue();
                }
            }
        }
        home.notify();
    }
}
