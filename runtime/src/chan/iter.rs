//! Iteration over received values.
//!
//! An iterator keeps the site where it was made: inside an adaptor the caller of
//! `next` is the standard library.

use super::receiver::Receiver;
use std::fmt;
use std::iter::FusedIterator;
use std::panic::Location;

/// Borrowing, blocking iterator; made by [`Receiver::iter`].
///
/// ```
/// let (tx, rx) = gopark::chan::bounded(2);
/// tx.send("a").unwrap();
/// tx.send("b").unwrap();
/// drop(tx);
/// for value in &rx {
///     println!("{value}");
/// }
/// ```
pub struct Iter<'a, T> {
    receiver: &'a Receiver<T>,
    site: &'static Location<'static>,
}

/// Borrowing iterator that ends instead of blocking; made by
/// [`Receiver::try_iter`].
///
/// ```
/// let (tx, rx) = gopark::chan::bounded(2);
/// tx.send(1).unwrap();
/// assert_eq!(rx.try_iter().count(), 1); // the sender is still there
/// ```
pub struct TryIter<'a, T> {
    receiver: &'a Receiver<T>,
}

/// Owning, blocking iterator; made by `into_iter` of a [`Receiver`].
///
/// ```
/// let (tx, rx) = gopark::chan::bounded(2);
/// gopark::go(move || (0..10).try_for_each(|i| tx.send(i)));
/// assert_eq!(rx.into_iter().sum::<i32>(), 45);
/// ```
pub struct IntoIter<T> {
    receiver: Receiver<T>,
    site: &'static Location<'static>,
}

impl<'a, T> Iter<'a, T> {
    pub(super) fn new(receiver: &'a Receiver<T>, site: &'static Location<'static>) -> Self {
        Self { receiver, site }
    }
}

impl<'a, T> TryIter<'a, T> {
    pub(super) fn new(receiver: &'a Receiver<T>) -> Self {
        Self { receiver }
    }
}

impl<T> IntoIter<T> {
    pub(super) fn new(receiver: Receiver<T>, site: &'static Location<'static>) -> Self {
        Self { receiver, site }
    }
}

impl<T> Iterator for Iter<'_, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        self.receiver.recv_at(self.site).ok()
    }
}

impl<T> Iterator for TryIter<'_, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        self.receiver.try_recv().ok()
    }
}

impl<T> Iterator for IntoIter<T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        self.receiver.recv_at(self.site).ok()
    }
}

// Closed and drained stays so.
impl<T> FusedIterator for Iter<'_, T> {}
impl<T> FusedIterator for IntoIter<T> {}

// Not derived: that would ask for `T: Clone`.

impl<T> Clone for Iter<'_, T> {
    fn clone(&self) -> Self {
        Self::new(self.receiver, self.site)
    }
}

impl<T> Clone for TryIter<'_, T> {
    fn clone(&self) -> Self {
        Self::new(self.receiver)
    }
}

impl<T> fmt::Debug for Iter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Iter").field(self.receiver).finish()
    }
}

impl<T> fmt::Debug for TryIter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TryIter").field(self.receiver).finish()
    }
}

impl<T> fmt::Debug for IntoIter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("IntoIter").field(&self.receiver).finish()
    }
}
