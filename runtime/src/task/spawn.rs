//! The ways to start a task: `go`, `Builder`, `run`, and those of the runtime's own rooms.
//!
//! They differ in what they wish for ([`Wish`]) and in whose the task is then; how it
//! comes to life, `launch.rs` says.

use super::extra::Extra;
use super::handle::{JoinError, JoinHandle};
use super::launch::{Wish, launch, refused};
use super::record::flag;
use super::scope::Scope;
use super::{TaskRef, scope};
use crate::sched;
use crate::sched::deadlock::Run;
use crate::stack::class::Class;
use core::panic::Location;
use std::io;
use std::panic::resume_unwind;

/// Starts a task: Go's `go f()`.
///
/// The task runs `f` on a stack of its own, on one of the runtime's worker
/// threads, and inherits the [scope](crate::Scope) of whoever calls this. It
/// may start on any worker, but from its first instruction on it stays on that
/// one, unless the runtime is [migrating](crate::runtime::Config::migrating).
///
/// A panic in `f` ends the task and comes out at [`JoinHandle::join`]. A
/// dropped handle detaches the task.
///
/// # Panics
/// If the system refuses the address space for its stack; [`Builder::go`] returns
/// that as an error.
///
/// ```
/// let sum = gopark::go(|| (1..=100).sum::<u32>());
/// assert_eq!(sum.join().unwrap(), 5050);
/// ```
#[track_caller]
#[inline]
pub fn go<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    go_as::<F, _, _>(f)
}

/// [`go`] for functions that put the program's closure, an `As`, into one of their own.
#[track_caller]
#[inline]
pub(crate) fn go_as<As, F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    // SAFETY: the closure borrows nothing that ends.
    unsafe { go_borrowing::<As, _, _>(f) }
}

/// [`go_as`] for a closure that borrows.
///
/// # Safety
/// The borrows last until the closure has ended, or was dropped, with everything that it
/// captured.
#[track_caller]
#[inline]
pub(crate) unsafe fn go_borrowing<As, F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send,
    T: Send + 'static,
{
    let (me, here) = (Some(super::pass()), Location::caller());
    // SAFETY: by contract.
    let launched = unsafe { launch::<As, _, _>(me, f, Wish::default(), here) };
    let Ok(handle) = launched.map_err(refused);
    handle
}

/// Starts a task with a name, labels or other properties.
///
/// ```
/// let handle = gopark::Builder::new()
///     .name("reader")
///     .label("connection", "7")
///     .go(|| "done")?;
/// assert_eq!(handle.join().unwrap(), "done");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until go() is called"]
pub struct Builder {
    extra: Extra,
    flags: u32,
    own_thread: bool,
    stack_limit: Option<usize>,
}

impl Builder {
    /// A task like those of [`go`].
    pub fn new() -> Builder {
        Builder::default()
    }

    /// A name for dumps and reports.
    pub fn name(mut self, name: impl Into<String>) -> Builder {
        self.extra.name = Some(name.into());
        self
    }

    /// A label for dumps, reports and profiles. May be called several times.
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Builder {
        self.extra.labels.push((key.into(), value.into()));
        self
    }

    /// A background task that is meant to outlive tests: leak checks ignore it.
    pub fn daemon(mut self) -> Builder {
        self.flags |= flag::DAEMON;
        self
    }

    /// A worker thread without siblings: no other task runs on it, and it ends
    /// with the task. For code that parks while it holds something that
    /// siblings would trip over. Costs a thread.
    pub fn own_thread(mut self) -> Builder {
        self.own_thread = true;
        self
    }

    /// At least so many bytes of stack, rounded up to the next of
    /// [`stack::CLASSES`](crate::stack::CLASSES). The environment variable
    /// `GOPARK_STACK` can raise it, not lower it.
    ///
    /// A stack takes as much memory as its task touches, in pages of 4 KiB; a
    /// larger limit costs address space, and 8 bytes of page tables for each
    /// page of it.
    pub fn stack_limit(mut self, bytes: usize) -> Builder {
        self.stack_limit = Some(bytes);
        self
    }

    /// Starts the task.
    ///
    /// # Errors
    /// If the system refuses what the task needs: address space for its stack
    /// ([`OutOfMemory`](io::ErrorKind::OutOfMemory)), or its thread; if that would be
    /// more threads than [`Config::max_threads`](crate::runtime::Config::max_threads)
    /// allows; if the stack
    /// limit is more than 1 GiB ([`InvalidInput`](io::ErrorKind::InvalidInput)).
    /// Nothing was started then.
    #[track_caller]
    pub fn go<F, T>(self, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let extra = (self.extra.name.is_some() || !self.extra.labels.is_empty())
            .then(|| Box::new(self.extra));
        let class = |bytes| Class::for_bytes(bytes).ok_or_else(|| too_large(bytes));
        let limit = self.stack_limit.map(class).transpose()?;
        let Builder { flags, own_thread, .. } = self;
        let wish = Wish { extra, flags, own_thread, limit, ..Wish::default() };
        // SAFETY: the closure borrows nothing that ends.
        unsafe { launch::<F, _, _>(Some(super::pass()), f, wish, Location::caller()) }
    }
}

fn too_large(bytes: usize) -> io::Error {
    let text = format!(
        "gopark: a stack limit of {bytes} bytes; the most is 1 GiB, beyond that use \
         gopark::stack::grow where the depth is needed"
    );
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

/// [`go`] for the runtime's own rooms: the task is born in that scope, and shows as
/// made there. Does not give way, so a destructor may call it.
pub(crate) fn go_in<F>(scope: &Scope, created_at: &'static Location<'static>, f: F)
where
    F: FnOnce() + Send + 'static,
{
    let wish = Wish { scope: Some(scope.inner()), ..Wish::default() };
    // SAFETY: the closure borrows nothing that ends.
    let launched = unsafe { launch::<F, _, _>(Some(super::current()), f, wish, created_at) };
    let Ok(_) = launched.map_err(refused);
}

/// Starts a task of the runtime's own: a daemon that no observer shows and no leak check
/// counts, whoever starts it. It has a thread to itself, so that no task of the program can
/// keep it waiting.
///
/// # Errors
/// Those of [`Builder::go`].
#[cfg(feature = "debug")]
#[track_caller]
pub(crate) fn go_system<F>(f: F) -> io::Result<()>
where
    F: FnOnce() + Send + 'static,
{
    sched::start_default();
    let wish = Wish { own_thread: true, ..Wish::system() };
    // SAFETY: the closure borrows nothing that ends.
    unsafe { launch::<F, _, _>(Some(super::current()), f, wish, Location::caller()) }.map(drop)
}

/// Starts one more on the thread of the calling one, which must not end before this has:
/// the thread ends when nobody has started on it who lives, and does not look for others.
///
/// # Errors
/// Those of [`Builder::go`].
#[cfg(feature = "debug")]
#[track_caller]
pub(crate) fn go_beside<F>(f: F) -> io::Result<()>
where
    F: FnOnce() + Send + 'static,
{
    let me = super::current();
    assert!(me.record().has(flag::SYSTEM), "called by a task with a thread of its own");
    let wish = Wish { beside: true, ..Wish::system() };
    // SAFETY: the closure borrows nothing that ends.
    unsafe { launch::<F, _, _>(Some(me), f, wish, Location::caller()) }.map(drop)
}

/// Runs `f` as the first task and returns its result: Go's `main`.
///
/// Blocks the calling thread until `f` is done. Tasks that are still alive then
/// are not waited for: as in Go, they end with the process.
///
/// # Panics
/// A panic of `f` is resumed in the caller. Panics if `f` ended without a value, by
/// [`goexit`](crate::goexit) or a leak check, and as [`go`].
///
/// ```
/// let answer = gopark::run(|| {
///     let half = gopark::go(|| 21);
///     half.join().unwrap() * 2
/// });
/// assert_eq!(answer, 42);
/// ```
#[track_caller]
pub fn run<F, T>(f: F) -> T
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    sched::start_default();
    // The thread that calls this need not be adopted first, so that `f` is task
    // 1; but if it was, it may be in a scope.
    let parent = super::running().or_else(|| super::adopt::existing().map(TaskRef::from));
    // SAFETY: the closure borrows nothing that ends.
    let launched = unsafe { launch::<F, _, _>(parent, f, Wish::default(), Location::caller()) };
    let Ok(first) = launched.map_err(refused);
    let outcome = {
        let _run = Run::begin();
        first.join()
    };
    match outcome {
        Ok(value) => value,
        Err(JoinError::Panicked(payload)) => resume_unwind(payload),
        Err(error) => panic!("the first task ended without a value: {error}"),
    }
}

/// Tasks that are alive in the whole process, adopted threads not counted.
///
/// Go: `runtime.NumGoroutine`.
///
/// ```
/// let handle = gopark::go(|| gopark::num_tasks());
/// assert!(handle.join().unwrap() >= 1);
/// ```
pub fn num_tasks() -> usize {
    sched::start_default();
    scope::live_everywhere()
}
