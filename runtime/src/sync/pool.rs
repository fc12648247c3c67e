//! Values that are dear to make and may be used again.
//!
//! A shelf for each processor and one more for the threads that are none of ours.
//! A shelf is only ever tried, never waited for: whoever finds it in use goes on to
//! the next one, or makes a value.

#![expect(clippy::disallowed_types, reason = "shelves are tried outside of sections")]

use crate::sched::park::{self, Unwinding};
use crate::sched::worker;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{Mutex, MutexGuard, OnceLock, TryLockError};

/// Values that a shelf keeps; what comes beyond that is dropped.
const KEEP: usize = 64;

/// A store of values that are used again (Go: `sync.Pool`).
///
/// [`get`](Pool::get) takes one, or makes one; the guard puts it back. It never
/// waits. A value comes back as it was left: clear it before or after use. One whose
/// guard is dropped by a panic is not kept, since it may be half changed.
///
/// At most 64 values are kept for each processor, as long as the pool lives. (Go
/// drops what has not been used for two rounds of its collector.)
///
/// ```
/// use gopark::sync::Pool;
///
/// static BUFFERS: Pool<Vec<u8>> = Pool::new(Vec::new);
///
/// let mut buffer = BUFFERS.get();
/// buffer.clear();
/// buffer.extend_from_slice(b"hello");
/// assert_eq!(buffer.len(), 5);
/// drop(buffer); // and its memory serves the next one
/// ```
pub struct Pool<T, F = fn() -> T> {
    make: F,
    shelves: OnceLock<Box<[Shelf<T>]>>,
}

/// A cache line pair each, so that processors do not disturb each other.
#[repr(align(128))]
struct Shelf<T>(Mutex<Vec<T>>);

/// A value of a [`Pool`]; put back when dropped.
///
/// ```
/// let pool: gopark::sync::Pool<String> = gopark::sync::Pool::new(String::new);
/// let mut text = pool.get();
/// text.push('x');
/// assert_eq!(*text, "x");
/// ```
pub struct Pooled<'a, T, F = fn() -> T> {
    pool: &'a Pool<T, F>,
    /// There until the drop.
    value: Option<T>,
}

impl<T, F> Pool<T, F> {
    /// A pool that makes its values with `make`.
    ///
    /// ```
    /// use gopark::sync::Pool;
    ///
    /// static POOL: Pool<Box<[u8; 4096]>> = Pool::new(|| Box::new([0; 4096]));
    /// assert_eq!(POOL.get().len(), 4096);
    /// ```
    pub const fn new(make: F) -> Self {
        Self { make, shelves: OnceLock::new() }
    }

    /// Adds a value, or drops it if there are enough already (Go: `Put`).
    ///
    /// ```
    /// let pool: gopark::sync::Pool<u32> = gopark::sync::Pool::new(|| 0);
    /// pool.put(5);
    /// assert_eq!(*pool.get(), 5);
    /// ```
    pub fn put(&self, value: T) {
        let shelves = self.shelves();
        let mut left = Some(value);
        for shelf in from(shelves, here(shelves.len())).take(2) {
            if let Some(mut values) = shelf.look()
                && values.len() < KEEP
                && let Some(value) = left.take()
            {
                values.push(value);
                return;
            }
        }
        // A value that is dropped here is dropped with no shelf locked.
        drop(left);
    }

    fn take(&self) -> Option<T> {
        let shelves = self.shelves.get()?;
        from(shelves, here(shelves.len())).find_map(|shelf| shelf.look()?.pop())
    }

    fn shelves(&self) -> &[Shelf<T>] {
        self.shelves.get_or_init(|| {
            (0..=crate::maxprocs()).map(|_| Shelf(Mutex::new(Vec::new()))).collect()
        })
    }
}

impl<T, F: Fn() -> T> Pool<T, F> {
    /// A value, used before or new. Never waits, unless the function that makes one
    /// does.
    ///
    /// ```
    /// let pool: gopark::sync::Pool<Vec<u8>> = gopark::sync::Pool::new(Vec::new);
    /// assert!(pool.get().is_empty());
    /// ```
    pub fn get(&self) -> Pooled<'_, T, F> {
        let value = self.take().unwrap_or_else(|| (self.make)());
        Pooled { pool: self, value: Some(value) }
    }
}

impl<T> Shelf<T> {
    /// The values, if nobody else looks at them. Nothing in here panics, so poison
    /// means nothing.
    fn look(&self) -> Option<MutexGuard<'_, Vec<T>>> {
        match self.0.try_lock() {
            Ok(values) => Some(values),
            Err(TryLockError::Poisoned(values)) => Some(values.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

/// Which shelf is the caller's.
fn here(shelves: usize) -> usize {
    let processor = worker::with_processor(|here| here.map(|p| p.id as usize));
    processor.unwrap_or(shelves - 1).min(shelves - 1)
}

/// All shelves, that one first.
fn from<T>(shelves: &[Shelf<T>], first: usize) -> impl Iterator<Item = &Shelf<T>> {
    let (before, after) = shelves.split_at(first);
    after.iter().chain(before)
}

impl<T, F> Pooled<'_, T, F> {
    /// The value, which does not go back.
    ///
    /// ```
    /// use gopark::sync::{Pool, Pooled};
    ///
    /// let pool: Pool<String> = Pool::new(|| "new".to_owned());
    /// let text: String = Pooled::into_inner(pool.get());
    /// assert_eq!(text, "new");
    /// ```
    pub fn into_inner(mut this: Self) -> T {
        this.value.take().expect("it is there until the drop")
    }
}

impl<T, F> Deref for Pooled<'_, T, F> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect("it is there until the drop")
    }
}

impl<T, F> DerefMut for Pooled<'_, T, F> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect("it is there until the drop")
    }
}

impl<T, F> Drop for Pooled<'_, T, F> {
    fn drop(&mut self) {
        if let Some(value) = self.value.take()
            && park::unwinding_here() == Unwinding::No
        {
            self.pool.put(value);
        }
    }
}

impl<T: fmt::Debug, F> fmt::Debug for Pooled<'_, T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T, F> fmt::Debug for Pool<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

// What a panic leaves half changed is not kept.
impl<T: UnwindSafe, F: UnwindSafe> UnwindSafe for Pool<T, F> {}
impl<T: UnwindSafe, F: RefUnwindSafe> RefUnwindSafe for Pool<T, F> {}
