//! Tasks that work on one thing: a group of join handles, in order.
//!
//! A handle is kept for every task until `wait`, so a panic is never lost: if nobody
//! waits, the scope of the task reports it like that of any other detached one. The
//! handles at the front whose tasks have ended are joined whenever another task
//! starts, so a group that runs for long holds results, and no more handles than
//! from its oldest running task on.

use super::mutex::Mutex;
use super::semaphore::Semaphore;
use super::wait_group::WaitGroup;
use crate::JoinHandle;
use crate::task::handle::JoinError;
use std::collections::VecDeque;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Runs tasks that together have one outcome (Go: `errgroup.Group` of
/// `golang.org/x/sync`): the values of all, in the order in which they were started,
/// or the first error.
///
/// A handle: clones share one group, so that a task can start others in it.
///
/// **Panics.** A task that panics counts as failed; [`wait`](Group::wait) lets the
/// others end and resumes the panic.
///
/// **Stop at the first failure.** [`Group::with_context`] gives a context that is
/// cancelled then.
///
/// **Not a scope.** Tasks of a group that is dropped without a `wait` go on.
///
/// ```
/// use gopark::sync::Group;
///
/// let group = Group::new().limit(4);
/// for n in ["1", "2", "3"] {
///     group.go(move || n.parse::<u32>());
/// }
/// assert_eq!(group.wait(), Ok(vec![1, 2, 3]));
///
/// group.go(|| "many".parse::<u32>());
/// assert!(group.wait().is_err());
/// ```
pub struct Group<T, E> {
    shared: Arc<Shared<T, E>>,
}

struct Shared<T, E> {
    /// How many tasks there may be at a time.
    limit: Option<Semaphore>,
    running: WaitGroup,
    failed: AtomicBool,
    state: Mutex<State<T, E>>,
}

struct State<T, E> {
    /// Results that were joined already, and then the handles of those that follow.
    joined: Vec<Result<Option<T>, JoinError>>,
    tasks: VecDeque<JoinHandle<Option<T>>>,
    error: Option<E>,
    hook: Option<Hook<E>>,
}

type Hook<E> = Box<dyn FnOnce(GroupEnd<'_, E>) + Send>;

/// Why a [`Group`] calls its hook: [`Group::on_end`].
///
/// ```
/// use gopark::sync::{Group, GroupEnd};
///
/// let group = Group::<(), &str>::new().on_end(|end| {
///     assert!(matches!(end, GroupEnd::Failed(&"no luck")));
/// });
/// group.go(|| Err("no luck"));
/// assert_eq!(group.wait(), Err("no luck"));
/// ```
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GroupEnd<'a, E> {
    /// A task returned this error, the first one.
    Failed(&'a E),
    /// A task panicked, or was ended by [`goexit`](crate::goexit) or a leak check.
    Panicked,
    /// All tasks have ended well, and somebody waited for them.
    Done,
}

// Without asking the same of `E`.
impl<E> Clone for GroupEnd<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for GroupEnd<'_, E> {}

impl<T: Send + 'static, E: Send + 'static> Group<T, E> {
    /// A group without tasks. [`with_context`](Self::with_context) makes one whose
    /// tasks are told of the first failure.
    ///
    /// ```
    /// let group = gopark::sync::Group::<u32, ()>::new();
    /// assert_eq!(group.wait(), Ok(vec![]));
    /// ```
    pub fn new() -> Self {
        let state = State { joined: Vec::new(), tasks: VecDeque::new(), error: None, hook: None };
        let shared = Shared {
            limit: None,
            running: WaitGroup::new(),
            failed: AtomicBool::new(false),
            state: Mutex::new(state),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Lets at most so many tasks live at a time (Go: `SetLimit`).
    ///
    /// # Panics
    /// The group has clones already.
    ///
    /// ```
    /// let group = gopark::sync::Group::<(), ()>::new().limit(2);
    /// for _ in 0..10 {
    ///     group.go(|| Ok(gopark::yield_now())); // waits if there are two
    /// }
    /// assert!(group.wait().is_ok());
    /// ```
    #[must_use]
    pub fn limit(mut self, tasks: usize) -> Self {
        self.fresh().limit = Some(Semaphore::new(tasks));
        self
    }

    /// Calls `hook` once: in the first task that fails, before its end, or else in
    /// the first [`wait`](Self::wait) that finds all tasks ended.
    ///
    /// That is the moment at which whatever the tasks look at to see whether they
    /// should go on has to change. The hook must not panic and should not block. A
    /// second one is called after the first.
    ///
    /// # Panics
    /// The group has clones already.
    ///
    /// ```
    /// use gopark::{chan, sync::Group};
    ///
    /// let (stop, stopped) = chan::rendezvous::<()>();
    /// let group = Group::<(), &str>::new().on_end(move |_| {
    ///     stop.close();
    /// });
    /// group.go(move || stopped.recv().map_err(|_| "told to stop"));
    /// group.go(|| Err("broken"));
    /// assert_eq!(group.wait(), Err("broken"));
    /// ```
    #[must_use]
    pub fn on_end(mut self, hook: impl FnOnce(GroupEnd<'_, E>) + Send + 'static) -> Self {
        let place = &mut self.fresh().state.get_mut().hook;
        *place = Some(match place.take() {
            None => Box::new(hook),
            Some(first) => Box::new(move |end| {
                first(end);
                hook(end);
            }),
        });
        self
    }

    fn fresh(&mut self) -> &mut Shared<T, E> {
        Arc::get_mut(&mut self.shared).expect("sync.Group: changed after it was cloned")
    }

    /// Starts a task (Go: `Group.Go`). After a failure, too.
    ///
    /// If the group has a limit and as many tasks, this waits until one has ended:
    /// it parks with reason `sync.Semaphore.Acquire`. A task of the group that does
    /// this may wait for itself.
    ///
    /// # Panics
    /// As [`go`](crate::go).
    ///
    /// ```
    /// let group = gopark::sync::Group::<_, ()>::new();
    /// group.go(|| Ok(1));
    /// assert_eq!(group.wait(), Ok(vec![1]));
    /// ```
    #[track_caller]
    pub fn go(&self, f: impl FnOnce() -> Result<T, E> + Send + 'static) {
        if let Some(limit) = &self.shared.limit {
            limit.acquire(1).forget();
        }
        self.start(f);
    }

    /// Starts a task if the limit allows it at once (Go: `TryGo`). Whether it did.
    ///
    /// ```
    /// let group = gopark::sync::Group::<(), ()>::new().limit(0);
    /// assert!(!group.try_go(|| Ok(())));
    /// ```
    #[track_caller]
    pub fn try_go(&self, f: impl FnOnce() -> Result<T, E> + Send + 'static) -> bool {
        if let Some(limit) = &self.shared.limit {
            match limit.try_acquire(1) {
                Some(permit) => permit.forget(),
                None => return false,
            }
        }
        self.start(f);
        true
    }

    /// The caller has taken the permit.
    #[track_caller]
    fn start<F: FnOnce() -> Result<T, E> + Send + 'static>(&self, f: F) {
        // Given back when the closure is gone, be it that it never ran.
        let place = Place { group: self.shared.clone(), returned: false };
        let task = self.shared.running.go_as::<F, _, _>(move || {
            let mut place = place;
            let result = f();
            place.returned = true;
            match result {
                Ok(value) => Some(value),
                Err(error) => {
                    place.group.fail(error);
                    None
                }
            }
        });
        let mut state = self.shared.state.lock();
        state.tasks.push_back(task);
        state.join_finished(&self.shared.failed);
    }

    /// Whether a task has failed by now. For tasks that want to know whether their
    /// work is still of use.
    ///
    /// ```
    /// assert!(!gopark::sync::Group::<(), ()>::new().has_failed());
    /// ```
    pub fn has_failed(&self) -> bool {
        self.shared.failed.load(Ordering::Relaxed)
    }

    /// Waits until all tasks have ended, and returns their values in the order in
    /// which the tasks were started (Go: `Group.Wait`).
    ///
    /// Parks the task with reason `sync.WaitGroup.Wait`. Afterwards the group is as
    /// new, except for its limit and its hook, which is not called again.
    ///
    /// # Errors
    /// The error of the task that failed first. The values of the others are dropped.
    ///
    /// # Panics
    /// Resumes the panic of a task, of the first in order if several did, whether or
    /// not another one returned an error. Panics if a task was ended by
    /// [`goexit`](crate::goexit) or a leak check.
    ///
    /// ```
    /// let group = gopark::sync::Group::<_, &str>::new();
    /// group.go(|| Ok(gopark::yield_now()));
    /// group.go(|| Err("failed"));
    /// assert_eq!(group.wait(), Err("failed"));
    /// ```
    #[track_caller]
    pub fn wait(&self) -> Result<Vec<T>, E> {
        let shared = &*self.shared;
        shared.running.wait();
        let (mut joined, tasks, error, hook) = {
            let mut state = shared.state.lock();
            let state = &mut *state;
            let joined = std::mem::take(&mut state.joined);
            let tasks = std::mem::take(&mut state.tasks);
            (joined, tasks, state.error.take(), state.hook.take())
        };
        // They have counted down, so they end by themselves.
        joined.extend(tasks.into_iter().map(JoinHandle::join));
        shared.failed.store(false, Ordering::Relaxed);
        if let Some(hook) = hook {
            hook(GroupEnd::Done);
        }
        let mut values = Vec::with_capacity(joined.len());
        for result in joined {
            match result {
                Ok(value) => values.extend(value),
                Err(error) => error.resume(),
            }
        }
        match error {
            Some(error) => Err(error),
            None => Ok(values),
        }
    }
}

impl<T, E> State<T, E> {
    /// Joins those at the front that have ended, as long as none has failed: a panic
    /// that nobody waits for is reported by the handle that is dropped.
    fn join_finished(&mut self, failed: &AtomicBool) {
        // A task says that it fails before it has ended.
        while self.tasks.front().is_some_and(JoinHandle::is_finished)
            && !failed.load(Ordering::Relaxed)
        {
            let task = self.tasks.pop_front().expect("there is a front");
            self.joined.push(task.join());
        }
    }
}

impl<T, E> Shared<T, E> {
    fn fail(&self, error: E) {
        if self.failed.swap(true, Ordering::Relaxed) {
            return;
        }
        let hook = self.state.lock().hook.take();
        if let Some(hook) = hook {
            hook(GroupEnd::Failed(&error));
        }
        self.state.lock().error = Some(error);
    }

    fn unwinds(&self) {
        if self.failed.swap(true, Ordering::Relaxed) {
            return;
        }
        let hook = self.state.lock().hook.take();
        if let Some(hook) = hook {
            hook(GroupEnd::Panicked);
        }
    }
}

/// A task's place among those that the limit allows.
struct Place<T, E> {
    group: Arc<Shared<T, E>>,
    /// Else it is dropped by an unwind, or by a task that is ended before it starts:
    /// the task failed without an error.
    returned: bool,
}

impl<T, E> Drop for Place<T, E> {
    fn drop(&mut self) {
        if !self.returned {
            self.group.unwinds();
        }
        if let Some(limit) = &self.group.limit {
            limit.release(1);
        }
    }
}

impl<T, E> Clone for Group<T, E> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<T: Send + 'static, E: Send + 'static> Default for Group<T, E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, E> fmt::Debug for Group<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Group");
        out.field("running", &self.shared.running);
        match self.shared.state.try_lock() {
            Some(state) => out.field("handles", &state.tasks.len()),
            None => out.field("handles", &format_args!("<locked>")),
        };
        out.field("failed", &self.shared.failed.load(Ordering::Relaxed)).finish()
    }
}

// The tasks' panics come out of `wait`; nothing else of them is kept.
impl<T, E> UnwindSafe for Group<T, E> {}
impl<T, E> RefUnwindSafe for Group<T, E> {}
