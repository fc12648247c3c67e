//! A list that is only added to, by anybody, and read meanwhile without a lock.
//!
//! # Invariants
//!
//! - **I1** An item is there from the moment when it is seen until the pile goes; its link
//!   is not written any more.

use crate::sys::atomic::{AtomicPtr, Ordering};
use core::marker::PhantomData;
use core::ptr;

pub(crate) struct Pile<T> {
    newest: AtomicPtr<Item<T>>,
    /// It is shared as its items are.
    items: PhantomData<T>,
}

struct Item<T> {
    value: T,
    older: *const Item<T>,
}

impl<T> Pile<T> {
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Self {
        Pile { newest: AtomicPtr::new(ptr::null_mut()), items: PhantomData }
    }

    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Pile { newest: AtomicPtr::new(ptr::null_mut()), items: PhantomData }
    }

    /// Adds the value. `fit` is called with it and with the item that will be below it,
    /// again whenever another one was faster; `false`: it is given back.
    pub(crate) fn add(
        &self,
        value: T,
        mut fit: impl FnMut(&mut T, Option<&T>) -> bool,
    ) -> Result<&T, T> {
        let mut new = Box::new(Item { value, older: ptr::null() });
        // ORDERING: Acquire, here and when the exchange fails; pairs with the Release
        // below: the item is one that has been made.
        let mut newest = self.newest.load(Ordering::Acquire);
        loop {
            // SAFETY: null, or an item (I1).
            let below = unsafe { newest.as_ref() };
            if !fit(&mut new.value, below.map(|item| &item.value)) {
                return Err(new.value);
            }
            new.older = newest;
            let item = Box::into_raw(new);
            // ORDERING: Release; pairs with the Acquire in iter() and above: the item is
            // one that has been made.
            match self.newest.compare_exchange_weak(
                newest,
                item,
                Ordering::Release,
                Ordering::Acquire,
            ) {
                // SAFETY: an item from here on (I1).
                Ok(_) => return Ok(unsafe { &(*item).value }),
                Err(now) => newest = now,
            }
            // SAFETY: from into_raw() above, and nobody has seen it.
            new = unsafe { Box::from_raw(item) };
        }
    }

    /// Those that are there at the call, the newest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        // ORDERING: Acquire; pairs with the Release in add().
        let newest = self.newest.load(Ordering::Acquire).cast_const();
        // SAFETY: null, or an item (I1).
        let newest = unsafe { newest.as_ref() };
        // SAFETY: as above.
        let items = core::iter::successors(newest, |item| unsafe { item.older.as_ref() });
        items.map(|item| &item.value)
    }
}

impl<T> Drop for Pile<T> {
    fn drop(&mut self) {
        // Nobody else knows it any more, so this is the last one that was added.
        let mut next = self.newest.load(Ordering::Relaxed);
        while !next.is_null() {
            // SAFETY: made by add(), and nobody has a reference to what is in it.
            let item = unsafe { Box::from_raw(next) };
            next = item.older.cast_mut();
        }
    }
}
