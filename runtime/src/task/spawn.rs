//! `go`, `Builder`, `JoinHandle`, `run`.

use super::join::{Detach, JoinWord};
use super::packet::{self, Ended};
use super::record::{Birth, Extra, Record, TaskId, flag};
use super::scope::{Scope, ScopeInner};
use super::{TaskRef, lineage, scope};
use crate::inspect::WaitReason;
use crate::sched::counts::ELSEWHERE;
use crate::sched::deadlock::Run;
use crate::sched::park::{self, Commit, Park, Wake};
use crate::sched::worker::{self, Worker};
use crate::sched::{self, SCHED, enqueue, observe};
use crate::stack::class::Class;
use crate::stack::pool;
use core::marker::PhantomData;
use core::panic::Location;
use std::any::Any;
use std::fmt;
use std::io;
use std::panic::resume_unwind;
use std::sync::atomic::Ordering;

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
    // SAFETY: the closure borrows nothing that ends.
    let launched = unsafe { launch(Some(super::pass()), f, Wish::default(), Location::caller()) };
    let Ok(handle) = launched.map_err(refused);
    handle
}

/// [`go`] for a closure that borrows.
///
/// # Safety
/// The borrows last until the closure has ended, or was dropped, with everything that it
/// captured.
#[track_caller]
pub(crate) unsafe fn go_borrowing<F: FnOnce() + Send>(f: F) -> JoinHandle<()> {
    // SAFETY: by contract.
    let launched = unsafe { launch(Some(super::pass()), f, Wish::default(), Location::caller()) };
    let Ok(handle) = launched.map_err(refused);
    handle
}

/// For those who can be given no error.
#[cold]
#[track_caller]
fn refused(error: io::Error) -> std::convert::Infallible {
    panic!("{error}")
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
        unsafe { launch(Some(super::pass()), f, wish, Location::caller()) }
    }
}

fn too_large(bytes: usize) -> io::Error {
    let text = format!(
        "gopark: a stack limit of {bytes} bytes; the most is 1 GiB, beyond that use \
         gopark::stack::grow where the depth is needed"
    );
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

/// What is special about a task.
#[derive(Default)]
struct Wish {
    extra: Option<Box<Extra>>,
    flags: u32,
    own_thread: bool,
    limit: Option<Class>,
    /// Another one than the parent's.
    scope: Option<&'static ScopeInner>,
    /// Bound to the worker that runs the parent, from the start.
    beside: bool,
}

impl Wish {
    #[cfg(feature = "debug")]
    fn system() -> Wish {
        let flags = flag::DAEMON | flag::SYSTEM;
        Wish { flags, scope: Some(scope::root()), ..Wish::default() }
    }
}

/// [`go`] for the runtime's own rooms: the task is born in that scope, and shows as
/// made there. Does not give way, so a destructor may call it.
pub(crate) fn go_in<F>(scope: &Scope, created_at: &'static Location<'static>, f: F)
where
    F: FnOnce() + Send + 'static,
{
    let wish = Wish { scope: Some(scope.inner()), ..Wish::default() };
    // SAFETY: the closure borrows nothing that ends.
    let launched = unsafe { launch(Some(super::current()), f, wish, created_at) };
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
    unsafe { launch(Some(super::current()), f, wish, Location::caller()) }.map(drop)
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
    unsafe { launch(Some(me), f, wish, Location::caller()) }.map(drop)
}

/// Go: `newproc`. Fills a record and puts it where it will be run.
///
/// # Safety
/// What `f` borrows lasts until it has ended, or was dropped.
unsafe fn launch<F, T>(
    parent: Option<TaskRef>,
    f: F,
    wish: Wish,
    created_at: &'static Location<'static>,
) -> io::Result<JoinHandle<T>>
where
    F: FnOnce() -> T + Send,
    T: Send + 'static,
{
    // SAFETY: by contract.
    let (record, id) = unsafe { prepare(parent, f, wish, created_at) }?;
    release(record, || ());
    let id = TaskId::new(id).expect("numbers start at 1");
    Ok(JoinHandle { record, id, _result: PhantomData })
}

/// Makes a task that is not alive yet: nobody sees it, and it counts nowhere but
/// among the stacks. [`release`] starts it, [`discard`] gives it up.
///
/// # Safety
/// What `f` borrows lasts until it has ended, or was dropped.
#[inline]
unsafe fn prepare<F, T>(
    parent: Option<TaskRef>,
    f: F,
    wish: Wish,
    created_at: &'static Location<'static>,
) -> io::Result<(&'static Record, u64)>
where
    F: FnOnce() -> T + Send,
    T: Send + 'static,
{
    if let Some(parent) = parent {
        lineage::has_child(parent.record());
    }
    let class = Class::chosen(wish.limit);
    count(class)?;
    let own = match wish.own_thread {
        true => Some(own_worker().inspect_err(|_| uncount(class))?),
        false => worker::current().filter(|_| wish.beside),
    };
    let inherited = || parent.map_or_else(scope::root, |p| p.record().scope());
    let scope = wish.scope.unwrap_or_else(inherited);
    let extra = lineage::with_stack(scope, wish.extra);
    let (record, id) = take_record();
    // SAFETY: a record from a free list is ours, and its last task is gone; the
    // rest by contract.
    let meta = unsafe { record.body.put(f) };
    record.fill(Birth {
        id,
        parent: parent.map(TaskRef::record),
        created_at,
        meta,
        scope,
        class,
        extra,
        flags: wish.flags,
    });
    if let Some(worker) = own {
        // ORDERING: Release; pairs with the Acquire in enqueue().
        record.worker.store(core::ptr::from_ref(worker).cast_mut(), Ordering::Release);
    }
    Ok((record, id))
}

/// Brings a task to life and puts it where it will be run. Something keeps its
/// scope until then: the caller belongs to it, or a timer of it is set. When observers
/// can see the task, and before it can run, `born` is called, in a section.
#[inline]
pub(crate) fn release(record: &'static Record, born: impl FnOnce()) {
    let scope = record.home();
    if scope.is_reaping() {
        // It takes no new life.
        record.set(flag::REAP);
    }
    worker::with_processor(|here| {
        scope.count_birth(here.map(|p| p.id));
        record.state.birth();
        born();
        match here {
            Some(p) => p.counts.created.add(1),
            None => ELSEWHERE.one_created(),
        }
        observe::born(record);
        // From here on any worker may run it.
        enqueue::enqueue_unclaimed(record);
    });
}

/// A task without a handle, to be released later.
pub(crate) fn prepare_detached<F>(
    f: F,
    created_at: &'static Location<'static>,
) -> io::Result<&'static Record>
where
    F: FnOnce() + Send + 'static,
{
    prepare_as(f, Wish::default(), created_at)
}

/// A task without a handle that a partner releases by a claim, as if it were parked.
///
/// # Panics
/// If the system refuses the address space for its stack.
pub(crate) fn prepare_bell<F>(f: F, created_at: &'static Location<'static>) -> TaskRef
where
    F: FnOnce() + Send + 'static,
{
    let wish = Wish { flags: flag::BELL, ..Wish::default() };
    let Ok(record) = prepare_as(f, wish, created_at).map_err(refused);
    TaskRef::from(record)
}

fn prepare_as<F>(
    f: F,
    wish: Wish,
    created_at: &'static Location<'static>,
) -> io::Result<&'static Record>
where
    F: FnOnce() + Send + 'static,
{
    let parent = Some(super::current());
    // SAFETY: the closure borrows nothing that ends.
    let (record, _) = unsafe { prepare(parent, f, wish, created_at) }?;
    let Detach::Nothing = record.join.detach() else { unreachable!("it has not run") };
    Ok(record)
}

/// Drops the closure of a task that is not to be released, and frees the record.
pub(crate) fn discard(record: &'static Record) {
    let class = record.place().class();
    // As the reaper does with a task that has not started.
    record.set(flag::REAP);
    if (record.meta().run)(record) && record.join.ready() {
        packet::dispose_here(record);
    }
    free(record);
    uncount(class);
}

/// Counts a task of the class.
#[inline]
fn count(class: Class) -> io::Result<()> {
    SCHED.take_or_grow(class, || {
        worker::with_processor(|here| match here {
            Some(p) => p.stacks.count(class),
            None => pool::count(class),
        })
    })
}

#[cold]
fn uncount(class: Class) {
    worker::with_processor(|here| match here {
        Some(p) => p.stacks.uncount(class),
        None => pool::uncount(class),
    });
}

/// A record and a number for a new task.
#[inline]
fn take_record() -> (&'static Record, u64) {
    loop {
        let taken = worker::with_processor(|here| match here {
            Some(p) => p.take_record().map(|record| (record, p.new_id())),
            None => SCHED.take_free_one().map(|record| (record, SCHED.take_ids(1))),
        });
        if let Some(taken) = taken {
            return taken;
        }
        SCHED.make_records();
    }
}

/// A worker for one task.
fn own_worker() -> io::Result<&'static Worker> {
    sched::start_default();
    let worker = SCHED.try_new_worker(true)?;
    worker.try_launch().inspect_err(|_| SCHED.worker_gone(worker))?;
    Ok(worker)
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
    let launched = unsafe { launch(parent, f, Wish::default(), Location::caller()) };
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

/// Owns the right to join a task. Dropping it detaches the task.
pub struct JoinHandle<T> {
    record: &'static Record,
    id: TaskId,
    _result: PhantomData<fn() -> T>,
}

// SAFETY: the record is shared with the task by the rules J1 and J2, which hold
// on any thread; the result crosses threads, so it must be Send.
unsafe impl<T: Send> Send for JoinHandle<T> {}
// SAFETY: `&JoinHandle` only reads the join word, which is atomic.
unsafe impl<T: Send> Sync for JoinHandle<T> {}

impl<T> JoinHandle<T> {
    /// The task's number.
    pub fn id(&self) -> TaskId {
        self.id
    }

    /// Whether [`join`](Self::join) would return at once.
    pub fn is_finished(&self) -> bool {
        super::pass_by();
        self.record.join.is_done()
    }

    /// Waits until the task has ended and returns what its function returned.
    ///
    /// Parks the calling task, or blocks the calling thread; wait reason `join`.
    ///
    /// # Errors
    /// [`JoinError::Panicked`] with the payload of the task's panic,
    /// [`JoinError::Exited`] if it called [`goexit`](crate::goexit),
    /// [`JoinError::Reaped`] if a leak check ended it, or if the caller itself
    /// is being reaped and is already unwinding.
    #[track_caller]
    pub fn join(self) -> Result<T, JoinError> {
        super::arrive();
        if !self.record.join.is_done() && !self.wait(Location::caller()) {
            return Err(JoinError::Reaped);
        }
        // SAFETY: the task is done, and wait() has withdrawn.
        unsafe { self.take() }
    }

    /// # Safety
    /// The task is done, and nobody is named as its waiter, nor was since.
    unsafe fn take(self) -> Result<T, JoinError> {
        let record = self.record;
        std::mem::forget(self);
        // SAFETY: the task is done and acknowledged, this is its joiner, and `T`
        // is the type that it was launched with.
        let outcome = unsafe { packet::take_outcome::<T>(record) };
        free(record);
        match outcome {
            Ok(value) => Ok(value),
            Err(Ended::Panicked(panic)) => Err(JoinError::Panicked(panic.payload)),
            Err(Ended::Reaped) => Err(JoinError::Reaped),
            Err(Ended::Exited) => Err(JoinError::Exited),
        }
    }

    /// [`JoinHandle::is_finished`] for those who must not give way.
    pub(crate) fn is_over(&self) -> bool {
        self.record.join.is_done()
    }

    /// Names a bell as the one who waits, in the place of a parked joiner. `false`:
    /// too late, the task is dead and the bell will not ring.
    pub(crate) fn enlist(&self, bell: TaskRef) -> bool {
        super::current().record().scope().meet(self.record.home());
        self.record.waiter.set(Some(bell));
        self.record.join.wait()
    }

    /// Nobody waits any more. `true`: the bell that was named rings.
    pub(crate) fn withdraw(&self) -> bool {
        self.record.join.withdraw()
    }

    /// What [`join`](Self::join) returns, when the task is over.
    ///
    /// # Panics
    /// It is not.
    pub(crate) fn outcome(self) -> Result<T, JoinError> {
        assert!(self.is_over(), "the outcome of a task that is not over");
        self.withdraw();
        // SAFETY: the task is done, and nobody is named.
        unsafe { self.take() }
    }

    /// `false`: the caller is being reaped.
    fn wait(&self, site: &'static Location<'static>) -> bool {
        let join = &self.record.join;
        let joiner = super::current();
        joiner.record().scope().meet(self.record.home());
        self.record.waiter.set(Some(joiner));
        let subject = super::subject::Subject::of(self.record);
        let how = Park::new(WaitReason::Join, site);
        let wake = park::park_on(how, &subject, &Joining(join));
        // In every case: an adopted thread can see that it was claimed before
        // the scheduler has let go of the record.
        join.withdraw();
        if wake != Wake::Ready {
            park::on_reaped();
        }
        wake == Wake::Ready
    }
}

impl<T> Drop for JoinHandle<T> {
    #[inline]
    fn drop(&mut self) {
        let join = &self.record.join;
        match join.detach() {
            Detach::Nothing => {}
            Detach::Free => free(self.record),
            Detach::Result => {
                // Also when the result's destructor unwinds.
                let _detach = DetachAfter(self.record);
                // SAFETY: J1 appoints us.
                unsafe { (self.record.meta().dispose)(self.record) };
            }
        }
    }
}

/// Detaches when the result is gone.
struct DetachAfter(&'static Record);

impl Drop for DetachAfter {
    fn drop(&mut self) {
        if self.0.join.detach_after_result() == Detach::Free {
            free(self.0);
        }
    }
}

/// J2 appoints the caller to free the record.
fn free(record: &'static Record) {
    worker::with_processor(|here| match here {
        Some(p) => p.put_record(record),
        None => SCHED.put_free(std::slice::from_ref(&record)),
    });
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("id", &self.id)
            .field("is_finished", &self.record.join.is_done())
            .finish()
    }
}

/// Publishes the joiner in the join word. Held, because the reaper could end
/// the park and the joiner withdraw before the word is set.
struct Joining<'a>(&'a JoinWord);

impl Commit for Joining<'_> {
    const HELD: bool = true;

    fn commit(&self) -> bool {
        self.0.wait()
    }

    fn cancel(&self) {}
}

/// Why a task has no result.
#[non_exhaustive]
pub enum JoinError {
    /// It panicked; the payload is the panic's.
    Panicked(Box<dyn Any + Send + 'static>),
    /// A leak check ended it.
    Reaped,
    /// It called [`goexit`](crate::goexit).
    Exited,
}

impl JoinError {
    /// Resumes the task's panic in the caller.
    ///
    /// # Panics
    /// Always: with the task's payload, or with a message that says how it ended.
    pub fn resume(self) -> ! {
        match self {
            JoinError::Panicked(payload) => resume_unwind(payload),
            other => panic!("{other}"),
        }
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JoinError::Panicked(payload) => {
                let text = payload
                    .downcast_ref::<&str>()
                    .copied()
                    .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
                match text {
                    Some(text) => write!(f, "the task panicked: {text}"),
                    None => f.write_str("the task panicked"),
                }
            }
            JoinError::Reaped => f.write_str("the task was reaped by a leak check"),
            JoinError::Exited => f.write_str("the task called goexit"),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JoinError::Panicked(_) => f.write_str("Panicked(..)"),
            JoinError::Reaped => f.write_str("Reaped"),
            JoinError::Exited => f.write_str("Exited"),
        }
    }
}

impl std::error::Error for JoinError {}

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
