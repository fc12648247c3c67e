//! Who keeps a channel: its handles, without a count of their own.
//!
//! Senders and receivers are counted anyhow, as the last one of a kind closes. So the
//! channel needs to know only how many kinds there still are: a clone is one atomic
//! addition for the channel, and a drop one subtraction, where an `Arc` beside the
//! counts makes two of each.
//!
//! # Invariants
//!
//! - **Z1** A handle that is counted keeps its kind, and a kind that is left keeps
//!   the channel. A handle that has taken itself out of the count, and was not the
//!   last of its kind, touches the channel no more.

use super::raw::Chan;
use std::ops::Deref;
use std::process;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// How many handles of one kind are alive.
pub(super) struct Handles(AtomicUsize);

impl Handles {
    pub(super) fn one() -> Self {
        Self(AtomicUsize::new(1))
    }

    #[inline]
    pub(super) fn add(&self) {
        // As for an Arc: handles that are forgotten may go on for ever.
        if self.0.fetch_add(1, Ordering::Relaxed) > isize::MAX as usize {
            process::abort();
        }
    }

    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// True for the last one.
    #[inline]
    pub(super) fn remove(&self) -> bool {
        // ORDERING: AcqRel; pairs with itself in the other handles' remove().
        // What they did with the channel comes before the close by the last.
        self.0.fetch_sub(1, Ordering::AcqRel) == 1
    }
}

/// How many kinds of handles are left.
pub(super) struct Kinds(AtomicU32);

impl Kinds {
    pub(super) fn new(count: u32) -> Self {
        Self(AtomicU32::new(count))
    }
}

/// A handle's reference to its channel: of a sender, or of a receiver.
pub(super) struct Shared<T, const SENDS: bool>(NonNull<Chan<T>>);

// SAFETY: as for an Arc of a channel, which is Send and Sync if T is Send.
unsafe impl<T: Send, const SENDS: bool> Send for Shared<T, SENDS> {}
// SAFETY: as above.
unsafe impl<T: Send, const SENDS: bool> Sync for Shared<T, SENDS> {}

/// The first handles of a channel that has just been made, with both kinds.
pub(super) fn both<T>(chan: Chan<T>) -> (Shared<T, true>, Shared<T, false>) {
    debug_assert_eq!(chan.kinds.0.load(Ordering::Relaxed), 2);
    let chan = NonNull::from(Box::leak(Box::new(chan)));
    (Shared(chan), Shared(chan))
}

/// The first handle of a channel that has just been made, with receivers only.
pub(super) fn receiver<T>(chan: Chan<T>) -> Shared<T, false> {
    debug_assert_eq!(chan.kinds.0.load(Ordering::Relaxed), 1);
    Shared(NonNull::from(Box::leak(Box::new(chan))))
}

impl<T, const SENDS: bool> Shared<T, SENDS> {
    #[inline]
    pub(super) fn as_ptr(&self) -> *const Chan<T> {
        self.0.as_ptr()
    }

    #[inline]
    fn handles(&self) -> &Handles {
        if SENDS { &self.senders } else { &self.receivers }
    }

    #[cold]
    fn last(&self) {
        let _kind = Kind(self.0);
        if SENDS {
            self.close();
        } else {
            self.abandon();
        }
    }
}

impl<T, const SENDS: bool> Deref for Shared<T, SENDS> {
    type Target = Chan<T>;

    #[inline]
    fn deref(&self) -> &Chan<T> {
        // SAFETY: Z1.
        unsafe { self.0.as_ref() }
    }
}

impl<T, const SENDS: bool> Clone for Shared<T, SENDS> {
    #[inline]
    fn clone(&self) -> Self {
        self.handles().add();
        Self(self.0)
    }
}

impl<T, const SENDS: bool> Drop for Shared<T, SENDS> {
    #[inline]
    fn drop(&mut self) {
        if self.handles().remove() {
            self.last();
        }
    }
}

/// The last handle of a kind keeps it until this is dropped: a guard, as values that
/// go with the last receiver may panic.
struct Kind<T>(NonNull<Chan<T>>);

impl<T> Drop for Kind<T> {
    fn drop(&mut self) {
        // SAFETY: Z1; the kind is still there.
        let kinds = unsafe { &self.0.as_ref().kinds.0 };
        // ORDERING: AcqRel; pairs with itself on behalf of the other kind: what its
        // handles did with the channel comes before it is freed.
        if kinds.fetch_sub(1, Ordering::AcqRel) == 1 {
            // SAFETY: a box's; no kind is left, so no handle is (Z1).
            drop(unsafe { Box::from_raw(self.0.as_ptr()) });
        }
    }
}

/// For the tests below: how many channels this thread has freed.
#[cfg(test)]
impl Drop for Kinds {
    fn drop(&mut self) {
        FREED.set(FREED.get() + 1);
    }
}

#[cfg(test)]
std::thread_local! {
    static FREED: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::chan;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::thread;

    #[test]
    fn a_channel_is_freed_once_with_its_last_handle() {
        // Each order of two senders and two receivers; even numbers send.
        for order in [[0, 2, 1, 3], [1, 3, 0, 2], [0, 1, 2, 3], [1, 0, 3, 2], [3, 0, 2, 1]] {
            let (tx, rx) = chan::bounded::<Box<u8>>(1);
            tx.send(Box::new(1)).unwrap();
            let (tx2, rx2) = (tx.clone(), rx.clone());
            let (mut senders, mut receivers) = ([Some(tx), Some(tx2)], [Some(rx), Some(rx2)]);
            let before = FREED.get();
            for (n, handle) in order.into_iter().enumerate() {
                assert_eq!(FREED.get(), before, "{order:?} before {n}");
                match handle % 2 {
                    0 => drop(senders[handle / 2].take()),
                    _ => drop(receivers[handle / 2].take()),
                }
            }
            assert_eq!(FREED.get(), before + 1, "{order:?}");
        }
    }

    #[test]
    fn a_value_that_panics_keeps_no_channel() {
        struct Bad;
        impl Drop for Bad {
            fn drop(&mut self) {
                panic!("as it should");
            }
        }
        let (tx, rx) = chan::bounded(1);
        assert!(tx.send(Bad).is_ok());
        drop(tx);
        let before = FREED.get();
        assert!(catch_unwind(AssertUnwindSafe(|| drop(rx))).is_err());
        assert_eq!(FREED.get(), before + 1);
    }

    #[test]
    fn the_last_of_each_kind_may_go_at_the_same_time() {
        for _ in 0..200 {
            let (tx, rx) = chan::bounded::<Box<u8>>(1);
            let sends = thread::spawn(|| {
                drop(tx);
                FREED.get()
            });
            let receives = thread::spawn(|| {
                drop(rx);
                FREED.get()
            });
            assert_eq!(sends.join().unwrap() + receives.join().unwrap(), 1);
        }
    }
}
