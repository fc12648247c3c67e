//! What all processors draw on: tasks that any worker may run, unused records, free stacks,
//! numbers.
//!
//! A processor has its own of each and comes here when that runs out, for many at once, or
//! when it has too many. So do threads that hold none.

use super::processor::Processor;
use super::shared::Shared;
use super::{Sched, ring, worker};
use crate::stack::class::Class;
use crate::stack::pool;
use crate::task::record::Record;
use crate::task::registry;
use std::io;
use std::sync::atomic::Ordering;

impl Sched {
    #[inline]
    pub(crate) fn global_len(&self) -> usize {
        self.counts.global.load(Ordering::Relaxed)
    }

    /// w4: might there be a task that any worker may run?
    pub(crate) fn has_work(&self) -> bool {
        self.global_len() != 0 || self.processors().any(Processor::has_work)
    }

    pub(crate) fn put_global(&self, records: &[&'static Record]) {
        self.locked(|s| {
            s.global.extend(records);
            self.global_changed(s);
        });
    }

    /// Takes a fair share of the global queue, at most `most` tasks: one is
    /// returned, the others go to the ring of `p`, which the caller holds.
    pub(crate) fn take_global(&self, p: &Processor, most: usize) -> Option<&'static Record> {
        self.locked(|s| {
            let share = s.global.len() / self.processors.limit() as usize + 1;
            let room = ring::SIZE.saturating_sub(p.ring.len()).min(ring::SIZE / 2) as usize;
            let count = share.min(room + 1).min(most).min(s.global.len());
            let mut taken = s.global.drain(..count);
            let first = taken.next();
            taken.for_each(|record| p.put_in_room(record));
            self.global_changed(s);
            first
        })
    }

    /// Moves up to `count` unused records to `into`, which has room for them.
    pub(crate) fn take_free(&self, into: &mut Vec<&'static Record>, count: usize) {
        self.locked(|s| {
            let keep = s.free.len().saturating_sub(count);
            into.extend(s.free.drain(keep..));
        });
    }

    pub(crate) fn take_free_one(&self) -> Option<&'static Record> {
        self.locked(|s| s.free.pop())
    }

    pub(crate) fn put_free(&self, records: &[&'static Record]) {
        self.locked(|s| s.free.extend_from_slice(records));
    }

    /// Makes unused records. Not in a section (N1).
    #[cold]
    pub(crate) fn make_records(&self) {
        let count = registry::promise();
        self.make_room(count, |s| &mut s.global);
        self.make_room(count, |s| &mut s.free);
        let fresh: Vec<_> = registry::grow().iter().collect();
        self.put_free(&fresh);
    }

    /// An unused record, for callers without a processor. Not in a section (N1).
    pub(crate) fn free_record(&self) -> &'static Record {
        loop {
            if let Some(record) = self.take_free_one() {
                return record;
            }
            self.make_records();
        }
    }

    pub(crate) fn take_ids(&self, count: u64) -> u64 {
        self.next_id.fetch_add(count, Ordering::Relaxed)
    }

    /// Moves all but `keep` free stacks of each idle processor to where others
    /// find them. Nobody holds those processors, nor can while the lock is held.
    pub(crate) fn flush_idle(&self, keep: u32) {
        self.locked(|s| s.idle_processors.iter().for_each(|p| p.stacks.flush(keep)));
    }

    /// What `take` takes of the stacks of a class. If it finds nothing there are
    /// more made, so it may be in a section, but not this (N1).
    ///
    /// # Errors
    /// If the system refuses them.
    #[inline]
    pub(crate) fn take_or_grow<T>(
        &self,
        class: Class,
        take: impl Fn() -> Option<T>,
    ) -> io::Result<T> {
        loop {
            if let Some(taken) = take() {
                return Ok(taken);
            }
            if let Err(refused) = pool::grow(class) {
                // As good are those that lie with this processor, or with one that
                // does nothing.
                worker::with_processor(|here| here.into_iter().for_each(|p| p.stacks.flush(0)));
                self.flush_idle(0);
                return take().ok_or(refused);
            }
        }
    }

    pub(super) fn global_changed(&self, s: &Shared) {
        self.counts.global.store(s.global.len(), Ordering::Relaxed);
    }
}
