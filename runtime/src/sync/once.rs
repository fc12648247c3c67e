//! What happens once: [`Once`], and [`OnceCell`], which keeps the result.
//!
//! A flag in front of a mutex, as in Go. The flag is set, under the mutex, when
//! the work is done; whoever sees it needs no lock.
//!
//! # Invariants
//!
//! - **E1** The value is written under the mutex while the flag is not set, and
//!   the flag is set after that. Nobody changes either through a shared borrow
//!   once it is set.

use super::owner::Holder;
use super::raw_mutex::{RawMutex, Wish};
use crate::inspect::WaitReason;
use std::cell::UnsafeCell;
use std::convert::Infallible;
use std::fmt;
use std::mem::MaybeUninit;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};

/// Does something once, whoever comes first (Go: `sync.Once`).
///
/// **A panic** in the function, or the reaper, leaves it undone, and the next
/// caller tries again; nothing is poisoned. (In Go it then counts as done.)
///
/// ```
/// use gopark::sync::Once;
///
/// static START: Once = Once::new();
///
/// let mut times = 0;
/// for _ in 0..3 {
///     START.call_once(|| times += 1);
/// }
/// assert_eq!(times, 1);
/// ```
pub struct Once {
    done: AtomicBool,
    lock: RawMutex,
}

impl Once {
    /// Not done yet.
    ///
    /// ```
    /// assert!(!gopark::sync::Once::new().is_completed());
    /// ```
    pub const fn new() -> Self {
        Self { done: AtomicBool::new(false), lock: RawMutex::new() }
    }

    /// Calls `f` if nobody has done so, and returns when it is done (Go: `Once.Do`).
    ///
    /// Parks the task with reason `sync.Once.Do` while another one is at it. What
    /// `f` did is visible afterwards, whoever called it. A call from inside `f`
    /// waits for itself, for ever.
    ///
    /// ```
    /// let once = gopark::sync::Once::new();
    /// once.call_once(|| println!("now"));
    /// assert!(once.is_completed());
    /// ```
    #[track_caller]
    #[inline]
    pub fn call_once(&self, f: impl FnOnce()) {
        let Ok(()) = self.call(Location::caller(), || {
            f();
            Ok::<_, Infallible>(())
        });
    }

    /// Whether it is done.
    ///
    /// ```
    /// assert!(!gopark::sync::Once::new().is_completed());
    /// ```
    #[inline]
    pub fn is_completed(&self) -> bool {
        // ORDERING: Acquire; pairs with the Release in call_slow(): what was
        // done is visible.
        self.done.load(Ordering::Acquire)
    }

    #[inline]
    fn call<E>(
        &self,
        site: &'static Location<'static>,
        f: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        if self.is_completed() { Ok(()) } else { self.call_slow(site, f) }
    }

    #[cold]
    fn call_slow<E>(
        &self,
        site: &'static Location<'static>,
        f: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        struct Unlock<'a>(&'a RawMutex);
        impl Drop for Unlock<'_> {
            fn drop(&mut self) {
                self.0.unlock_it();
            }
        }
        let locked = self.lock.lock_as(Wish { reason: WaitReason::OnceDo, deadline: None, site });
        debug_assert!(locked, "a wait without deadline ended without the lock");
        let _unlock = Unlock(&self.lock);
        if !self.is_completed() {
            f()?;
            // ORDERING: Release; pairs with the Acquire in is_completed().
            self.done.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// Who is at it, and where it was called.
    ///
    /// ```
    /// let once = gopark::sync::Once::new();
    /// once.call_once(|| assert!(once.holder().is_some()));
    /// assert!(once.holder().is_none());
    /// ```
    pub fn holder(&self) -> Option<Holder> {
        self.lock.holder()
    }
}

impl Default for Once {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").field("done", &self.is_completed()).finish()
    }
}

// A panic in the function leaves it undone.
impl UnwindSafe for Once {}
impl RefUnwindSafe for Once {}

/// A value that is computed once, when it is first needed (Go: `sync.OnceValue`;
/// std: `OnceLock`, whose methods it has).
///
/// **A panic** in the function that computes it, or the reaper, leaves the cell
/// empty, and the next caller tries again.
///
/// ```
/// use gopark::sync::OnceCell;
///
/// static TABLE: OnceCell<Vec<u32>> = OnceCell::new();
///
/// let table = TABLE.get_or_init(|| (0..5).map(|n| n * n).collect());
/// assert_eq!(table[4], 16);
/// assert_eq!(TABLE.get().map(Vec::len), Some(5));
/// ```
pub struct OnceCell<T> {
    once: Once,
    value: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: the value moves in on one thread and may be used and dropped on others.
unsafe impl<T: Send> Send for OnceCell<T> {}
// SAFETY: shared borrows of the value are given to all threads, and one of them
// moves the value in (E1).
unsafe impl<T: Send + Sync> Sync for OnceCell<T> {}

impl<T> OnceCell<T> {
    /// An empty cell.
    ///
    /// ```
    /// assert_eq!(gopark::sync::OnceCell::<u8>::new().get(), None);
    /// ```
    pub const fn new() -> Self {
        Self { once: Once::new(), value: UnsafeCell::new(MaybeUninit::uninit()) }
    }

    /// The value, if it is there. Never waits.
    ///
    /// ```
    /// let cell = gopark::sync::OnceCell::from(5);
    /// assert_eq!(cell.get(), Some(&5));
    /// ```
    #[inline]
    pub fn get(&self) -> Option<&T> {
        // SAFETY: E1.
        self.once.is_completed().then(|| unsafe { (*self.value.get()).assume_init_ref() })
    }

    /// The value, through an exclusive borrow.
    ///
    /// ```
    /// let mut cell = gopark::sync::OnceCell::from(5);
    /// *cell.get_mut().unwrap() = 6;
    /// assert_eq!(cell.into_inner(), Some(6));
    /// ```
    pub fn get_mut(&mut self) -> Option<&mut T> {
        // SAFETY: E1, and the cell is borrowed exclusively.
        self.once.is_completed().then(|| unsafe { self.value.get_mut().assume_init_mut() })
    }

    /// Puts a value in, if the cell is empty.
    ///
    /// Parks the task with reason `sync.Once.Do` while another one computes a value.
    ///
    /// # Errors
    /// The cell has a value already; yours comes back.
    ///
    /// ```
    /// let cell = gopark::sync::OnceCell::new();
    /// assert_eq!(cell.set(1), Ok(()));
    /// assert_eq!(cell.set(2), Err(2));
    /// ```
    #[track_caller]
    pub fn set(&self, value: T) -> Result<(), T> {
        let mut value = Some(value);
        let Ok(()) = self.fill(Location::caller(), || Ok::<_, Infallible>(value.take()));
        match value {
            None => Ok(()),
            Some(value) => Err(value),
        }
    }

    /// The value; `f` computes it if the cell is empty.
    ///
    /// Parks the task with reason `sync.Once.Do` while another one computes it. A
    /// call from inside `f` waits for itself, for ever.
    ///
    /// ```
    /// let cell = gopark::sync::OnceCell::new();
    /// assert_eq!(*cell.get_or_init(|| "first"), "first");
    /// assert_eq!(*cell.get_or_init(|| "second"), "first");
    /// ```
    #[track_caller]
    #[inline]
    pub fn get_or_init(&self, f: impl FnOnce() -> T) -> &T {
        if let Some(value) = self.get() {
            return value;
        }
        let Ok(()) = self.fill(Location::caller(), || Ok::<_, Infallible>(Some(f())));
        self.get().expect("the cell was filled")
    }

    /// As [`get_or_init`](Self::get_or_init), but `f` may fail, which leaves the
    /// cell empty.
    ///
    /// # Errors
    /// What `f` returned.
    ///
    /// ```
    /// let cell = gopark::sync::OnceCell::new();
    /// assert!(cell.get_or_try_init(|| "x".parse::<u8>()).is_err());
    /// assert_eq!(cell.get_or_try_init(|| "7".parse::<u8>()), Ok(&7));
    /// ```
    #[track_caller]
    pub fn get_or_try_init<E>(&self, f: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
        if let Some(value) = self.get() {
            return Ok(value);
        }
        self.fill(Location::caller(), || f().map(Some))?;
        Ok(self.get().expect("the cell was filled"))
    }

    /// Empties the cell.
    ///
    /// ```
    /// let mut cell = gopark::sync::OnceCell::from(5);
    /// assert_eq!(cell.take(), Some(5));
    /// assert_eq!(cell.set(6), Ok(()));
    /// ```
    pub fn take(&mut self) -> Option<T> {
        if !self.once.is_completed() {
            return None;
        }
        *self.once.done.get_mut() = false;
        // SAFETY: E1; the flag says from here on that there is no value.
        Some(unsafe { self.value.get_mut().assume_init_read() })
    }

    /// The value, out of the cell.
    ///
    /// ```
    /// assert_eq!(gopark::sync::OnceCell::from(5).into_inner(), Some(5));
    /// ```
    pub fn into_inner(mut self) -> Option<T> {
        self.take()
    }

    /// Calls `f` for a value if the cell is empty. (`f` then has one to give.)
    #[cold]
    fn fill<E>(
        &self,
        site: &'static Location<'static>,
        f: impl FnOnce() -> Result<Option<T>, E>,
    ) -> Result<(), E> {
        self.once.call(site, || {
            let value = f()?.expect("called once");
            // SAFETY: E1: the mutex is ours and the flag not set.
            unsafe { (*self.value.get()).write(value) };
            Ok(())
        })
    }
}

impl<T> Drop for OnceCell<T> {
    fn drop(&mut self) {
        drop(self.take());
    }
}

impl<T> From<T> for OnceCell<T> {
    fn from(value: T) -> Self {
        let mut cell = Self::new();
        cell.value.get_mut().write(value);
        *cell.once.done.get_mut() = true;
        cell
    }
}

impl<T> Default for OnceCell<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for OnceCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_tuple("OnceCell");
        match self.get() {
            Some(value) => out.field(value).finish(),
            None => out.field(&format_args!("<empty>")).finish(),
        }
    }
}

// A panic in the function leaves the cell empty.
impl<T: UnwindSafe> UnwindSafe for OnceCell<T> {}
impl<T: UnwindSafe + RefUnwindSafe> RefUnwindSafe for OnceCell<T> {}
