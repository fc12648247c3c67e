//! Lists of things that are linked through themselves and never freed; in the runtime,
//! records (`queue.rs`).
//!
//! # Invariants
//!
//! - **X1** What a list or a link points to was a `&'static T` when it was pushed.
//! - **X2** A thing is in one list at a time, and whoever owns the list owns the thing's
//!   link.

use crate::sys::atomic::{AtomicPtr, Ordering};
use core::cell::Cell;
use core::ptr;

/// What has a link for the list that it is in.
pub(crate) trait Linked: Sized + 'static {
    fn next(&self) -> *const Self;
    fn set_next(&self, next: *const Self);
}

/// First in, first out. Not `Sync`: its owner uses it.
pub(crate) struct Fifo<T> {
    head: Cell<*const T>,
    tail: Cell<*const T>,
}

impl<T: Linked> Fifo<T> {
    pub(crate) const fn new() -> Self {
        Fifo { head: Cell::new(ptr::null()), tail: Cell::new(ptr::null()) }
    }

    #[inline]
    #[cfg(not(loom))]
    pub(crate) fn is_empty(&self) -> bool {
        self.head.get().is_null()
    }

    #[inline]
    pub(crate) fn push(&self, thing: &'static T) {
        thing.set_next(ptr::null());
        // SAFETY: null, or X1.
        match unsafe { self.tail.get().as_ref() } {
            Some(tail) => tail.set_next(thing),
            None => self.head.set(thing),
        }
        self.tail.set(thing);
    }

    #[inline]
    pub(crate) fn pop(&self) -> Option<&'static T> {
        // SAFETY: null, or X1.
        let thing = unsafe { self.head.get().as_ref() }?;
        self.head.set(thing.next());
        if self.head.get().is_null() {
            self.tail.set(ptr::null());
        }
        Some(thing)
    }
}

/// Last in, first out, many producers; the owner takes all at once.
pub(crate) struct Inbox<T>(AtomicPtr<T>);

impl<T: Linked> Inbox<T> {
    pub(crate) fn new() -> Self {
        Inbox(AtomicPtr::new(ptr::null_mut()))
    }

    /// Anybody. The thing is the inbox's from here on.
    pub(crate) fn push(&self, thing: &'static T) {
        let mut head = self.0.load(Ordering::Relaxed);
        loop {
            thing.set_next(head);
            // ORDERING: SeqCst; pairs with the SeqCst load in is_empty(): the
            // waker's push and its reading of the worker's status, and the
            // worker's store of its status and this load, are in one order.
            // Also releases the thing to take_into().
            match self.0.compare_exchange_weak(
                head,
                ptr::from_ref(thing).cast_mut(),
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
    #[cfg(not(loom))]
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
    pub(crate) fn take_into(&self, fifo: &Fifo<T>) {
        // ORDERING: Acquire; pairs with the Release half of push().
        let mut newest = self.0.swap(ptr::null_mut(), Ordering::Acquire).cast_const();
        let mut oldest: *const T = ptr::null();
        // SAFETY: null, or X1; the swap has made the chain ours (X2).
        while let Some(thing) = unsafe { newest.as_ref() } {
            newest = thing.next();
            thing.set_next(oldest);
            oldest = thing;
        }
        // SAFETY: as above.
        while let Some(thing) = unsafe { oldest.as_ref() } {
            oldest = thing.next();
            fifo.push(thing);
        }
    }
}
