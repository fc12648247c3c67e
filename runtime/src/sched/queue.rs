//! Lists of records, linked through the records themselves.
//!
//! A record is in one list at a time, and whoever owns the list owns the
//! record's `next` (see the table in `task/record.rs`).

use crate::task::record::Record;
use core::cell::Cell;
use core::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// First in, first out. Not `Sync`: its owner uses it.
pub(crate) struct Fifo {
    head: Cell<*const Record>,
    tail: Cell<*const Record>,
}

impl Fifo {
    pub(crate) const fn new() -> Self {
        Fifo { head: Cell::new(ptr::null()), tail: Cell::new(ptr::null()) }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.head.get().is_null()
    }

    #[inline]
    pub(crate) fn push(&self, record: &'static Record) {
        record.next.set(ptr::null());
        // SAFETY: null, or a record in this list (R1).
        match unsafe { self.tail.get().as_ref() } {
            Some(tail) => tail.next.set(record),
            None => self.head.set(record),
        }
        self.tail.set(record);
    }

    #[inline]
    pub(crate) fn pop(&self) -> Option<&'static Record> {
        // SAFETY: null, or a record in this list (R1).
        let record = unsafe { self.head.get().as_ref() }?;
        self.head.set(record.next.get());
        if self.head.get().is_null() {
            self.tail.set(ptr::null());
        }
        Some(record)
    }
}

/// Last in, first out, many producers; the owner takes all at once.
pub(crate) struct Inbox(AtomicPtr<Record>);

impl Inbox {
    pub(crate) const fn new() -> Self {
        Inbox(AtomicPtr::new(ptr::null_mut()))
    }

    /// Anybody. The record is the inbox's from here on.
    pub(crate) fn push(&self, record: &'static Record) {
        let mut head = self.0.load(Ordering::Relaxed);
        loop {
            record.next.set(head);
            // ORDERING: SeqCst; pairs with the SeqCst load in is_empty(): the
            // waker's push and its reading of the worker's status, and the
            // worker's store of its status and this load, are in one order.
            // Also releases the record to take_into().
            match self.0.compare_exchange_weak(
                head,
                ptr::from_ref(record).cast_mut(),
                Ordering::SeqCst,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// Owner: nothing in it?
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        // ORDERING: SeqCst; pairs with push().
        self.0.load(Ordering::SeqCst).is_null()
    }

    /// Owner: is there nothing? What was pushed a moment ago may be missing.
    #[inline]
    pub(crate) fn seems_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed).is_null()
    }

    /// Owner: moves everything behind the FIFO, oldest first.
    #[cold]
    pub(crate) fn take_into(&self, fifo: &Fifo) {
        // ORDERING: Acquire; pairs with the Release half of push().
        let mut newest = self.0.swap(ptr::null_mut(), Ordering::Acquire).cast_const();
        let mut oldest: *const Record = ptr::null();
        // SAFETY: null, or a record of the chain that the swap made ours (R1).
        while let Some(record) = unsafe { newest.as_ref() } {
            newest = record.next.replace(oldest);
            oldest = record;
        }
        // SAFETY: as above.
        while let Some(record) = unsafe { oldest.as_ref() } {
            oldest = record.next.get();
            fifo.push(record);
        }
    }
}
