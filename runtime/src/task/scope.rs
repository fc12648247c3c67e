//! Scopes: whose task is this?
//!
//! Every task carries the scope it was born in, and its children inherit it. A
//! leak check looks at one scope, so that parallel tests do not see each other.
//!
//! | file | what is decided there |
//! |---|---|
//! | `scope/count.rs`, `scope/shards.rs` | how much of a scope is alive (C1) |
//! | `scope/reuse.rs` | when one is used again (C2) |
//! | `scope/enter.rs` | in which one a task or thread is |
//! | `scope/watch.rs`, `scope/notice.rs` | how somebody waits until something in it parks or ends |
//! | `scope/everywhere.rs` | all scopes at once |
//! | `scope/panics.rs` | panics that nobody has joined |
//!
//! - **C1** A birth is counted before the task can run, a death after its
//!   function has ended. `live` sums the deaths first and the births after:
//!   zero means that at some moment in between nothing was alive.
//! - **C2** Scopes are never freed, only used again under a new id, when no
//!   handle is left and nothing in it is alive; so a record's pointer to its
//!   scope always points to a scope.
#![expect(
    clippy::disallowed_types,
    reason = "scopes are opened, entered and asked by tasks and threads, outside of sections"
)]

mod count;
mod enter;
pub(crate) mod everywhere;
mod panics;
mod reuse;
mod watch;

pub use enter::Entered;
pub(crate) use enter::leave_all;
pub(super) use enter::{enter_test, test_of};
pub use panics::UnseenPanic;
pub use watch::Watch;

use super::record::TaskId;
use super::{lineage, registry};
use crate::inspect::Member;
use crate::notice::Notice;
use crate::sched;
use crate::sched::counts::ELSEWHERE;
use crate::shards::Shards;
use crate::sys::{barrier, section};
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// The number of a scope. The root scope, which takes everything that was not
/// born in another, is 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ScopeId(u64);

impl ScopeId {
    /// The number itself.
    #[inline]
    pub const fn get(self) -> u64 {
        self.0
    }
}

pub(crate) struct ScopeInner {
    id: AtomicU64,
    name: Mutex<String>,
    /// One per processor as far as was [expected](sched::processors::expected), then
    /// one for all others.
    shards: Shards,
    handles: AtomicUsize,
    /// In the list of retired scopes; under its lock.
    retired: AtomicBool,
    /// Opened for a thread that is named after a test.
    of_test: AtomicBool,
    /// The stacks are kept on which its tasks are made (`lineage.rs`).
    keeps_stacks: AtomicBool,
    /// Who wants to be told when one parks or ends.
    notice: Notice,
    /// Tasks that are born while it is set are marked for reaping at once.
    pub(crate) reaping: AtomicU32,
    panics: Mutex<Vec<UnseenPanic>>,
    /// Timers that are set and send or start something, sleeps not included.
    timers: AtomicUsize,
    /// OS threads that were born in it and are alive (`threads.rs`, Y1).
    threads: AtomicUsize,
    /// OS threads ever born in it.
    threads_born: AtomicU64,
    /// Other scopes that used a primitive which this one used too.
    partners: Mutex<Vec<ScopeId>>,
}

static ROOT: OnceLock<&'static ScopeInner> = OnceLock::new();
/// Every scope that was ever made.
static ALL: Mutex<Vec<&'static ScopeInner>> = Mutex::new(Vec::new());

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    section::check_outside();
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn root() -> &'static ScopeInner {
    ROOT.get_or_init(|| {
        let root = ScopeInner::alloc(0, "root".to_owned());
        // The root has one handle that is never dropped: it is always open.
        root.handles.store(1, Ordering::Relaxed);
        root
    })
}

impl ScopeInner {
    #[inline]
    pub(crate) fn id(&self) -> ScopeId {
        ScopeId(self.id.load(Ordering::Relaxed))
    }

    pub(crate) fn is_root(&self) -> bool {
        self.id.load(Ordering::Relaxed) == 0
    }

    /// Whether somebody still holds a handle: a test that runs, say. The root
    /// counts as not open: what belongs to it belongs to nobody.
    pub(crate) fn is_open(&self) -> bool {
        !self.is_root() && self.handles.load(Ordering::Relaxed) != 0
    }

    pub(crate) fn keeps_stacks(&self) -> bool {
        self.keeps_stacks.load(Ordering::Relaxed)
    }

    /// After a task of it was born, or before one goes on that might be one too many.
    #[inline]
    pub(crate) fn is_reaping(&self) -> bool {
        barrier::light();
        self.reaping.load(Ordering::Relaxed) != 0
    }

    pub(crate) fn partners(&self) -> Vec<ScopeId> {
        guard(&self.partners).clone()
    }

    /// A task of the other scope and one of this depend on each other.
    pub(crate) fn meet(&self, other: &ScopeInner) {
        if !core::ptr::eq(self, other) && !self.is_root() && !other.is_root() {
            self.add_partner(other.id().get());
        }
    }

    pub(super) fn add_partner(&self, other: u64) {
        let other = ScopeId(other);
        let mut partners = guard(&self.partners);
        if !partners.contains(&other) {
            partners.push(other);
        }
    }
}

/// Timers that are set in the scopes that `counts` picks, by number and by whether
/// they are open.
pub(crate) fn all_timers(counts: impl Fn(ScopeId, bool) -> bool) -> usize {
    let all = guard(&ALL);
    let those = all.iter().filter(|scope| counts(scope.id(), scope.is_open()));
    those.map(|scope| scope.timers()).sum()
}

/// Tasks alive in all scopes together.
pub(crate) fn live_everywhere() -> usize {
    guard(&ALL).iter().map(|scope| scope.live()).sum()
}

/// Scopes that somebody holds a handle to, each with its partners.
pub(crate) fn open_scopes() -> Vec<(ScopeId, Vec<ScopeId>)> {
    let open = guard(&ALL).iter().filter(|scope| scope.is_open()).copied().collect::<Vec<_>>();
    open.into_iter().map(|scope| (scope.id(), scope.partners())).collect()
}

/// Who owns what: tasks and threads belong to the scope they were born in or
/// have entered, and pass it on to the tasks they make.
///
/// A test opens a scope, and a leak check at its end looks only at what was
/// born inside. A pool of your own can hand a job the scope of whoever
/// submitted it:
///
/// ```
/// use gopark::Scope;
///
/// let scope = Scope::new("my test");
/// let job = {
///     let _in = scope.enter();
///     let submitted_from = Scope::current();
///     move || {
///         let _in = submitted_from.enter();
///         gopark::go(|| 1 + 1)
///     }
/// };
/// // Later, on a thread of the pool:
/// let handle = std::thread::spawn(job).join().unwrap();
/// assert_eq!(handle.join().unwrap(), 2);
/// assert_eq!(scope.born(), 1);
/// assert_eq!(scope.live(), 0);
/// ```
pub struct Scope {
    inner: &'static ScopeInner,
}

impl Scope {
    /// Opens a scope. It is open until the last handle to it is dropped.
    pub fn new(name: impl Into<String>) -> Scope {
        sched::start_default();
        let scope = Scope::handle(ScopeInner::open(name.into()));
        // Whoever opens it hands things in.
        let around = super::current().record().scope();
        scope.inner.meet(around);
        if around.keeps_stacks() {
            scope.inner.keeps_stacks.store(true, Ordering::Relaxed);
        }
        scope
    }

    /// The scope of the running task or thread; the root scope if it has none.
    pub fn current() -> Scope {
        Scope::handle(super::current().record().scope())
    }

    pub(crate) fn handle(inner: &'static ScopeInner) -> Scope {
        inner.handles.fetch_add(1, Ordering::Relaxed);
        Scope { inner }
    }

    pub(crate) fn inner(&self) -> &'static ScopeInner {
        self.inner
    }

    /// From now on the stack is kept on which each task of the scope is made, so that
    /// [`TaskInfo::creation_stack`](crate::inspect::TaskInfo) shows it; also in scopes that
    /// are opened from within this one. See
    /// [`keep_creation_stacks`](crate::inspect::keep_creation_stacks), which does so for all
    /// tasks.
    ///
    /// ```
    /// use gopark::{Scope, chan, go};
    /// use gopark::inspect::Snapshot;
    ///
    /// let scope = Scope::new("example");
    /// scope.keep_creation_stacks();
    /// let _in = scope.enter();
    /// let (stop, stopped) = chan::rendezvous::<()>();
    /// let task = go(move || stopped.recv());
    ///
    /// let stack = Snapshot::of(&scope).tasks[0].creation_stack.clone().unwrap();
    /// assert!(stack.frames().next().is_some(), "this function");
    /// drop(stop);
    /// # let _ = task.join();
    /// ```
    pub fn keep_creation_stacks(&self) {
        self.inner.keeps_stacks.store(true, Ordering::Relaxed);
        lineage::keep_stacks();
    }

    /// The number of the scope.
    pub fn id(&self) -> ScopeId {
        self.inner.id()
    }

    /// The name that it was opened with.
    pub fn name(&self) -> String {
        guard(&self.inner.name).clone()
    }

    /// Tasks of the scope that are alive, adopted threads not counted.
    ///
    /// Reads one counter per processor, however many tasks there are. Zero is
    /// exact: at some moment during the call nothing was alive.
    pub fn live(&self) -> usize {
        self.inner.live()
    }

    /// Tasks ever born in the scope.
    pub fn born(&self) -> u64 {
        self.inner.born()
    }

    /// Marks tasks as leaked: the dump says so, and a late wake-up still works.
    ///
    /// A task that is no longer parked where it was is left alone.
    pub fn condemn(&self, leaked: &[Member]) {
        let leaked: HashMap<TaskId, u64> = leaked.iter().map(|it| (it.id, it.stamp)).collect();
        registry::each_of(self.inner, |found| {
            if leaked.get(&found.record.id()) == Some(&found.reading.stamp()) {
                // Lost only to a wake-up, and then it is not leaked.
                if found.record.state.condemn(found.reading) {
                    ELSEWHERE.one_condemned();
                }
            }
        });
    }
}

impl Clone for Scope {
    fn clone(&self) -> Scope {
        Scope::handle(self.inner)
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("id", &self.id()).field("name", &self.name()).finish()
    }
}
