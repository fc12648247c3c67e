//! Tasks that borrow from the one that starts them.
//!
//! # Invariants
//!
//! - **B1** A task of a scope has dropped everything that it borrows when it is counted
//!   down: the function with its captures, the value that it returned if nobody can ask
//!   for it any more, and, if it panicked, its frames. The count is the last field, and
//!   the last local, to be dropped. What it has afterwards (its record, the box of its
//!   body, a panic's payload) borrows nothing.
//! - **B2** [`scope`] leaves, by return or by unwind, only when the count is zero. Its
//!   wait cannot be ended by the reaper, and is refused nowhere that `scope` was let in.
//! - **B3** Nothing that is `'scope` leaves the scope: the type of the nursery is
//!   invariant in `'scope`, and the caller of `scope` cannot name that lifetime.

use super::mutex::Mutex;
use super::wait_group::WaitGroup;
use crate::JoinHandle;
use crate::inspect::WaitReason;
use crate::task;
use crate::task::handle::JoinError;
use crate::task::record::TaskId;
use crate::task::spawn;
use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::mem::{self, MaybeUninit};
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::sync::Arc;

/// Runs `f` and waits for all tasks that it started in the [`Nursery`]; so those may
/// borrow what lives longer than this call. (std: `thread::scope`. Go has no such
/// thing.)
///
/// Has nothing to do with [`Scope`](crate::Scope), which says whose tasks a leak check
/// looks at.
///
/// Parks the task with reason `join`. The reaper ends the tasks of the nursery first:
/// this wait is the only one that it cannot end.
///
/// # Panics
/// A panic of `f` is resumed when all tasks have ended, or else the first panic of a
/// task that nobody joined. In a [`no_park`](crate::no_park) section it refuses to
/// start.
///
/// ```
/// let numbers = [1, 2, 3, 4];
/// let mut squares = [0; 4];
/// gopark::scope(|s| {
///     for (square, n) in squares.iter_mut().zip(&numbers) {
///         s.go(move || *square = n * n);
///     }
/// });
/// assert_eq!(squares, [1, 4, 9, 16]);
/// ```
///
/// What a task borrows must be outside:
///
/// ```compile_fail,E0373
/// gopark::scope(|s| {
///     let local = 1;
///     s.go(|| println!("{local}"));
/// });
/// ```
///
/// and a handle must stay inside:
///
/// ```compile_fail
/// let handle = gopark::scope(|s| s.go(|| 1));
/// ```
#[track_caller]
pub fn scope<'env, F, R>(f: F) -> R
where
    F: for<'scope> FnOnce(&'scope Nursery<'scope, 'env>) -> R,
{
    if task::running().is_some_and(|task| task.record().no_park.get() != 0) {
        panic!("gopark::scope inside gopark::no_park: it could not wait for its tasks");
    }
    let site = Location::caller();
    let nursery = Nursery { shared: Arc::default(), scope: PhantomData, env: PhantomData };
    let result = catch_unwind(AssertUnwindSafe(|| f(&nursery)));
    // From here to the end of the wait nothing unwinds (B2).
    nursery.shared.running.wait_out(WaitReason::Join, site);
    let panic = nursery.shared.first_panic();
    match (result, panic) {
        (Ok(value), None) => value,
        (Err(payload), _) | (Ok(_), Some(payload)) => resume_unwind(payload),
    }
}

/// Where the tasks of a [`scope`] are started.
///
/// ```
/// fn count<'scope>(s: &'scope gopark::Nursery<'scope, '_>) {
///     s.go(|| println!("one"));
/// }
/// gopark::scope(|s| count(s));
/// ```
pub struct Nursery<'scope, 'env: 'scope> {
    shared: Arc<Shared>,
    /// Invariant (B3).
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

#[derive(Default)]
struct Shared {
    running: WaitGroup,
    dropped: Mutex<Dropped>,
}

/// Tasks whose handles were dropped.
#[derive(Default)]
struct Dropped {
    tasks: Vec<JoinHandle<()>>,
    /// How many there were when those that have ended were joined.
    swept: usize,
    panic: Option<Box<dyn Any + Send>>,
}

/// Owns the right to join a task of a [`scope`]. Dropping it leaves that to the scope.
///
/// ```
/// let text = String::from("four");
/// let len = gopark::scope(|s| s.go(|| text.len()).join().unwrap());
/// assert_eq!(len, 4);
/// ```
pub struct ScopedJoinHandle<'scope, T> {
    /// There until it is joined or dropped.
    task: Option<JoinHandle<()>>,
    value: Slot<T>,
    shared: Arc<Shared>,
    scope: PhantomData<&'scope ()>,
}

/// Where a task leaves its value. Not with the task, whose record outlives the scope.
/// The task has it first, and whoever has joined the task after that.
type Slot<T> = Arc<Mutex<Option<T>>>;

impl<'scope> Nursery<'scope, '_> {
    /// Starts a task that may borrow what is outside of the scope (std: `Scope::spawn`).
    ///
    /// # Panics
    /// As [`go`](crate::go).
    ///
    /// ```
    /// let name = String::from("gopher");
    /// gopark::scope(|s| {
    ///     s.go(|| assert_eq!(name, "gopher"));
    ///     let task = s.go(|| name.len());
    ///     assert_eq!(task.join().unwrap(), 6);
    /// });
    /// ```
    #[track_caller]
    pub fn go<F, T>(&'scope self, f: F) -> ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        self.shared.sweep();
        let value = Slot::<T>::default();
        self.shared.running.add(1);
        let count = Count(self.shared.running.clone());
        let body = Body { f: MayDangle(MaybeUninit::new(f)), value: value.clone(), count };
        // SAFETY: what the closure borrows lives for 'scope. It is gone before the count
        // (B1), and 'scope lasts until that is zero (B2).
        let task = unsafe { spawn::go_borrowing::<F, _, _>(move || body.run()) };
        ScopedJoinHandle {
            task: Some(task),
            value,
            shared: self.shared.clone(),
            scope: PhantomData,
        }
    }
}

/// The function of a task. Dropped in the order of its fields, also if it never ran (B1).
struct Body<F, T> {
    f: MayDangle<F>,
    value: Slot<T>,
    count: Count,
}

impl<F: FnOnce() -> T, T> Body<F, T> {
    fn run(self) {
        // Dropped in the opposite order, also by an unwind.
        let Body { count, value, f } = self;
        let _count = count;
        let value = value;
        let result = f.into_inner()();
        *value.try_lock().expect("the task has not been joined") = Some(result);
    }
}

/// Counts a task down.
struct Count(WaitGroup);

impl Drop for Count {
    fn drop(&mut self) {
        self.0.count_down();
    }
}

/// A function whose borrows may end while a frame still has it as an argument: without
/// this, the compiler may assume that they last as long as the call.
struct MayDangle<F>(MaybeUninit<F>);

impl<F> MayDangle<F> {
    fn into_inner(self) -> F {
        // SAFETY: it is there, and is not dropped a second time.
        let f = unsafe { self.0.assume_init_read() };
        mem::forget(self);
        f
    }
}

impl<F> Drop for MayDangle<F> {
    fn drop(&mut self) {
        // SAFETY: into_inner() has not been called.
        unsafe { self.0.assume_init_drop() };
    }
}

impl Shared {
    /// Joins tasks that have ended and whose handles were dropped, now and then, so that
    /// a long scope does not keep them all.
    fn sweep(&self) {
        let mut dropped = self.dropped.lock();
        if dropped.tasks.len() < 2 * dropped.swept + 16 {
            return;
        }
        let (ended, rest) =
            mem::take(&mut dropped.tasks).into_iter().partition(JoinHandle::is_finished);
        dropped.tasks = rest;
        dropped.swept = dropped.tasks.len();
        drop(dropped);
        self.join(ended);
    }

    fn join(&self, tasks: Vec<JoinHandle<()>>) {
        for task in tasks {
            if let Err(JoinError::Panicked(payload)) = task.join() {
                self.dropped.lock().panic.get_or_insert(payload);
            }
        }
    }

    /// All tasks have been counted down.
    fn first_panic(&self) -> Option<Box<dyn Any + Send>> {
        let tasks = mem::take(&mut self.dropped.lock().tasks);
        self.join(tasks);
        self.dropped.lock().panic.take()
    }
}

impl<T> ScopedJoinHandle<'_, T> {
    /// The task's number.
    pub fn id(&self) -> TaskId {
        self.task.as_ref().expect("it is joined by value").id()
    }

    /// Whether [`join`](Self::join) would return at once.
    pub fn is_finished(&self) -> bool {
        self.task.as_ref().expect("it is joined by value").is_finished()
    }

    /// Waits until the task has ended and returns what its function returned.
    ///
    /// Parks the task with reason `join`.
    ///
    /// # Errors
    /// As [`JoinHandle::join`](crate::JoinHandle::join). A panic that is returned here is
    /// not resumed by the scope.
    #[track_caller]
    pub fn join(mut self) -> Result<T, JoinError> {
        self.task.take().expect("it is joined by value").join()?;
        let value = self.value.try_lock().and_then(|mut slot| slot.take());
        Ok(value.expect("a task that returned has left its value"))
    }
}

impl<T> Drop for ScopedJoinHandle<'_, T> {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            self.shared.dropped.lock().tasks.push(task);
        }
    }
}

impl<T> fmt::Debug for ScopedJoinHandle<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedJoinHandle").field("task", &self.task).finish()
    }
}

impl fmt::Debug for Nursery<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Nursery");
        out.field("running", &self.shared.running);
        match self.shared.dropped.try_lock() {
            Some(dropped) => out.field("handles", &dropped.tasks.len()).finish(),
            None => out.field("handles", &format_args!("<locked>")).finish(),
        }
    }
}
