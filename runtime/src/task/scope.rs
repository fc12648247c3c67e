//! Scopes: whose task is this?
//!
//! Every task carries the scope it was born in, and its children inherit it. A
//! leak check looks at one scope, so that parallel tests do not see each other.
//!
//! How many tasks of a scope are alive must be known without visiting them, and
//! counting must not make processors share a cache line. So each processor has
//! a shard of its own with two counters, born and died; only the holder of the
//! processor writes it, so the counters need no atomic read-modify-write. All
//! other threads share one more shard, and so do processors that were made after the
//! scope and are more than there are CPUs.
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

pub(crate) mod everywhere;

use super::record::{Record, TaskId};
use super::{TaskRef, lineage, registry};
use crate::inspect::{Member, Trace};
use crate::sched::counts::ELSEWHERE;
use crate::sched::{self, worker};
use crate::sys::{barrier, futex, section};
use core::marker::PhantomData;
use core::panic::Location;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

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

/// The births and deaths that one processor counted.
#[repr(align(128))]
#[derive(Default)]
struct Shard {
    born: AtomicU64,
    died: AtomicU64,
}

/// Adds one to a counter that only the caller writes.
#[inline]
fn bump(counter: &AtomicU64) {
    // ORDERING: Release; pairs with the Acquire in live(): what happened before
    // the birth or death is visible to whoever counts it.
    counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Release);
}

pub(crate) struct ScopeInner {
    id: AtomicU64,
    name: Mutex<String>,
    /// One per processor as far as was [expected](sched::processors::expected), then
    /// one for all others.
    shards: Box<[Shard]>,
    handles: AtomicUsize,
    /// In the list of retired scopes; under its lock.
    retired: AtomicBool,
    /// Opened for a thread that is named after a test.
    of_test: AtomicBool,
    /// The stacks are kept on which its tasks are made (`lineage.rs`).
    keeps_stacks: AtomicBool,
    /// Watches that exist; tasks notify while it is not zero.
    watched: AtomicU32,
    /// Counts notifications; a futex.
    epoch: AtomicU32,
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

/// A panic in a task whose handle was dropped without a join.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UnseenPanic {
    /// The task that panicked.
    pub task: TaskId,
    /// Who made it.
    pub parent: Option<TaskId>,
    /// The stack that it was made on, if that is
    /// [kept](crate::inspect::keep_creation_stacks).
    pub creation_stack: Option<Trace>,
    /// Its name, if it had one.
    pub name: Option<String>,
    /// The panic's message, or a word that it was not text.
    pub message: String,
    /// Where the task was made.
    pub created_at: &'static Location<'static>,
    /// The function that it ran.
    pub entry: &'static str,
}

static ROOT: OnceLock<&'static ScopeInner> = OnceLock::new();
static NEXT_ID: AtomicU64 = AtomicU64::new(1);
/// Every scope that was ever made.
static ALL: Mutex<Vec<&'static ScopeInner>> = Mutex::new(Vec::new());
/// Scopes without handles; some may still have live tasks.
static RETIRED: Mutex<VecDeque<&'static ScopeInner>> = Mutex::new(VecDeque::new());

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
    fn alloc(id: u64, name: String) -> &'static ScopeInner {
        let scope: &'static ScopeInner = Box::leak(Box::new(ScopeInner {
            id: AtomicU64::new(id),
            name: Mutex::new(name),
            shards: (0..=sched::processors::expected()).map(|_| Shard::default()).collect(),
            handles: AtomicUsize::new(0),
            retired: AtomicBool::new(false),
            of_test: AtomicBool::new(false),
            keeps_stacks: AtomicBool::new(false),
            watched: AtomicU32::new(0),
            epoch: AtomicU32::new(0),
            reaping: AtomicU32::new(0),
            panics: Mutex::new(Vec::new()),
            timers: AtomicUsize::new(0),
            threads: AtomicUsize::new(0),
            threads_born: AtomicU64::new(0),
            partners: Mutex::new(Vec::new()),
        }));
        guard(&ALL).push(scope);
        scope
    }

    fn open(name: String) -> &'static ScopeInner {
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let Some(scope) = ScopeInner::reuse() else {
            return ScopeInner::alloc(id, name);
        };
        scope.id.store(id, Ordering::Relaxed);
        // Nothing belongs to it, so nobody counts (C2).
        for shard in &scope.shards {
            shard.born.store(0, Ordering::Relaxed);
            shard.died.store(0, Ordering::Relaxed);
        }
        scope.reaping.store(0, Ordering::Relaxed);
        scope.of_test.store(false, Ordering::Relaxed);
        scope.keeps_stacks.store(false, Ordering::Relaxed);
        *guard(&scope.name) = name;
        guard(&scope.panics).clear();
        guard(&scope.partners).clear();
        scope
    }

    /// A retired scope that nothing belongs to any more (C2).
    fn reuse() -> Option<&'static ScopeInner> {
        let mut retired = guard(&RETIRED);
        // Leaked tasks keep their scopes, so look at a few, each time others.
        for _ in 0..retired.len().min(8) {
            let scope = retired.pop_front()?;
            if scope.is_vacant()
                // Who looks at the end of the program will ask for them.
                && !(super::adopt::names_tests() && scope.has_panics())
            {
                scope.retired.store(false, Ordering::Relaxed);
                return Some(scope);
            }
            retired.push_back(scope);
        }
        None
    }

    /// Nothing is in a retired scope, and nothing can come back to it (C2).
    ///
    /// One can make the other: a task a thread and a timer, a thread a task, a timer a
    /// task; and each of them a handle, which lets others in. So it is not enough that
    /// each was missing once: a task that was alive when the threads were counted can
    /// have made one, and ended, before tasks are. But if no task and no thread was born
    /// meanwhile, then there was none from the moment on at which they were counted; and
    /// without them there is no new handle, and without handles no new timer.
    /// (`models/reusing.rs`)
    fn is_vacant(&self) -> bool {
        // ORDERING: Acquire; pairs with the Release of whoever was counted out below: what
        // it has made is in the second reading.
        let born = || (self.born(), self.threads_born.load(Ordering::Acquire));
        let before = born();
        self.live() == 0
            && self.threads() == 0
            // ORDERING: Acquire; pairs with the last handle's Release.
            && self.handles.load(Ordering::Acquire) == 0
            && self.timers() == 0
            && born() == before
    }

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

    /// A timer of the scope is set. The caller belongs to it.
    pub(crate) fn timer_set(&self) {
        self.timers.fetch_add(1, Ordering::Relaxed);
    }

    /// It was stopped, or what it did is done.
    pub(crate) fn timer_unset(&self) {
        // ORDERING: Release; pairs with the Acquire in timers(): the
        // task that it woke or started is to be seen.
        self.timers.fetch_sub(1, Ordering::Release);
    }

    /// Timers that are set.
    pub(crate) fn timers(&self) -> usize {
        // ORDERING: Acquire; pairs with the Release in timer_unset().
        self.timers.load(Ordering::Acquire)
    }

    /// A thread is about to be made that belongs to the scope, as the caller does.
    pub(crate) fn thread_born(&self) {
        self.threads_born.fetch_add(1, Ordering::Relaxed);
        self.threads.fetch_add(1, Ordering::Relaxed);
    }

    /// It has ended, or was not made.
    pub(crate) fn thread_ended(&self) {
        // ORDERING: Release; pairs with the Acquire in threads().
        self.threads.fetch_sub(1, Ordering::Release);
        self.notify();
    }

    /// Threads that are alive, or about to be made.
    pub(crate) fn threads(&self) -> usize {
        // ORDERING: Acquire; pairs with the Release in thread_ended(): what a thread
        // has done, and the tasks that it started, are to be seen.
        self.threads.load(Ordering::Acquire)
    }

    pub(crate) fn keeps_stacks(&self) -> bool {
        self.keeps_stacks.load(Ordering::Relaxed)
    }

    pub(crate) fn is_reaping(&self) -> bool {
        self.reaping.load(Ordering::Relaxed) != 0
    }

    /// Number of the shard that is shared.
    #[inline]
    fn others(&self) -> u32 {
        self.shards.len() as u32 - 1
    }

    /// Counts a birth on the processor `shard`, which the caller holds.
    #[inline]
    pub(crate) fn count_birth(&self, shard: Option<u32>) {
        match shard {
            Some(n) if n < self.others() => bump(&self.shards[n as usize].born),
            // ORDERING: Release; pairs with the Acquire in live().
            _ => drop(self.shards[self.others() as usize].born.fetch_add(1, Ordering::Release)),
        }
    }

    /// Counts a death on the processor `shard`, which the caller holds.
    #[inline]
    pub(crate) fn count_death(&self, shard: Option<u32>) {
        match shard {
            Some(n) if n < self.others() => bump(&self.shards[n as usize].died),
            // ORDERING: Release; pairs with the Acquire in live().
            _ => drop(self.shards[self.others() as usize].died.fetch_add(1, Ordering::Release)),
        }
    }

    /// Tasks alive (C1).
    pub(crate) fn live(&self) -> usize {
        // ORDERING: Acquire; pairs with the Release in bump(): births that
        // happened before a death we count are in the sum below.
        let died: u64 = self.shards.iter().map(|s| s.died.load(Ordering::Acquire)).sum();
        let born = self.born();
        usize::try_from(born.saturating_sub(died)).unwrap_or(usize::MAX)
    }

    pub(crate) fn born(&self) -> u64 {
        // ORDERING: Acquire; pairs with the Release in bump().
        self.shards.iter().map(|s| s.born.load(Ordering::Acquire)).sum()
    }

    /// Called after a task of the scope parked or ended.
    #[inline]
    pub(crate) fn notify(&self) {
        barrier::light();
        if self.watched.load(Ordering::Relaxed) != 0 {
            self.notify_slow();
        }
    }

    #[cold]
    fn notify_slow(&self) {
        // ORDERING: Release; pairs with the Acquire in Watch::epoch().
        self.epoch.fetch_add(1, Ordering::Release);
        futex::wake(&self.epoch, i32::MAX);
        everywhere::notify();
    }

    pub(crate) fn add_panic(&self, panic: UnseenPanic) {
        guard(&self.panics).push(panic);
        self.notify_slow();
    }

    fn has_panics(&self) -> bool {
        !guard(&self.panics).is_empty()
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

    /// Makes this the scope of the running task or thread until the guard is
    /// dropped: what it makes meanwhile is born here. The guard restores the
    /// scope that was there before.
    pub fn enter(&self) -> Entered {
        let task = super::current();
        let before = Scope::handle(task.record().scope());
        self.inner.meet(before.inner);
        switch(task.record(), self.inner);
        Entered {
            task,
            id: task.id(),
            before,
            home: None,
            _here: self.clone(),
            _not_send: PhantomData,
        }
    }

    /// Like [`enter`](Self::enter), and the running task itself belongs to the
    /// scope until the guard is dropped: so a check that runs in a task steps
    /// out of what it checks. A thread only enters.
    ///
    /// ```
    /// let aside = gopark::Scope::new("aside");
    /// let live = gopark::go(move || {
    ///     let _moved = aside.move_in();
    ///     aside.live()
    /// });
    /// assert_eq!(live.join().unwrap(), 1);
    /// ```
    pub fn move_in(&self) -> Entered {
        let mut entered = self.enter();
        if let Some(task) = super::running() {
            entered.home = Some(Scope::handle(task.record().home()));
            rehome(task, self.inner);
        }
        entered
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

    /// Starts to watch: as long as the value lives, tasks of this scope count
    /// an event whenever one parks or ends, and so do threads that end.
    pub fn watch(&self) -> Watch<'_> {
        // ORDERING: Release; the barrier below is what makes parks see it.
        self.inner.watched.fetch_add(1, Ordering::Release);
        barrier::heavy();
        Watch { scope: self }
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

    /// Takes the panics of tasks of this scope whose handles were dropped
    /// without a join.
    pub fn take_panics(&self) -> Vec<UnseenPanic> {
        std::mem::take(&mut *guard(&self.inner.panics))
    }
}

impl Clone for Scope {
    fn clone(&self) -> Scope {
        Scope::handle(self.inner)
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        // ORDERING: AcqRel; the last handle's drop happens after all others, so
        // that the scope is used again only when nobody has it.
        if self.inner.handles.fetch_sub(1, Ordering::AcqRel) == 1 {
            let mut retired = guard(&RETIRED);
            if !self.inner.retired.swap(true, Ordering::Relaxed) {
                retired.push_back(self.inner);
            }
        }
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("id", &self.id()).field("name", &self.name()).finish()
    }
}

/// Restores the former scope when dropped; made by [`Scope::enter`].
#[must_use = "the scope is left when this is dropped"]
pub struct Entered {
    task: TaskRef,
    id: TaskId,
    before: Scope,
    /// The task's home, if it moved.
    home: Option<Scope>,
    _here: Scope,
    _not_send: PhantomData<*mut ()>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        // A guard that outlived its task has nothing to restore.
        if super::current().record().id() != self.id {
            return;
        }
        if let Some(home) = &self.home {
            rehome(self.task, home.inner);
        }
        switch(self.task.record(), self.before.inner);
    }
}

/// The running task or thread is in another scope from now on. Its record keeps
/// a handle to a scope that is not its home, so that the scope is not used again
/// under it, whatever becomes of the guards.
fn switch(record: &'static Record, to: &'static ScopeInner) {
    let from = record.scope();
    hold(record, to);
    record.set_scope(to);
    let_go(record, from);
}

/// Counts the record's handle to a scope that is not its home.
fn hold(record: &Record, scope: &'static ScopeInner) {
    if !core::ptr::eq(scope, record.home()) {
        std::mem::forget(Scope::handle(scope));
    }
}

/// Gives up what [`hold`] counted.
fn let_go(record: &Record, scope: &'static ScopeInner) {
    if !core::ptr::eq(scope, record.home()) {
        drop(Scope { inner: scope });
    }
}

/// The thread runs a test: it is in a new scope of that name from now on, for as long
/// as it has its record.
pub(super) fn enter_test(record: &'static Record, name: &str) {
    let scope = Scope::handle(ScopeInner::open(name.to_owned()));
    scope.inner.of_test.store(true, Ordering::Relaxed);
    switch(record, scope.inner);
}

/// The test that the thread was made for, if it is in that one's scope.
pub(super) fn test_of(record: &Record) -> Option<String> {
    let scope = record.scope();
    // A thread that the test has made is at home there.
    let of_test = scope.of_test.load(Ordering::Relaxed);
    let its_own = of_test && !core::ptr::eq(scope, record.home());
    its_own.then(|| guard(&scope.name).clone())
}

/// A task or thread ends, wherever it is.
#[inline]
pub(crate) fn leave_all(record: &'static Record) {
    if !core::ptr::eq(record.scope(), record.home()) {
        switch(record, record.home());
    }
}

/// The running task moves to another home: it dies in the one and is born in
/// the other, which first.
fn rehome(task: TaskRef, to: &'static ScopeInner) {
    let from = task.record().home();
    worker::with_processor(|here| to.count_birth(here.map(|p| p.id)));
    let at = task.record().scope();
    // What counts as a handle of the record depends on its home.
    let kept = Scope::handle(at);
    let_go(task.record(), at);
    task.record().set_home(to);
    hold(task.record(), at);
    drop(kept);
    worker::with_processor(|here| from.count_death(here.map(|p| p.id)));
    from.notify();
}

impl fmt::Debug for Entered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entered").field("before", &self.before).finish()
    }
}

/// Counts events of a scope; made by [`Scope::watch`].
#[derive(Debug)]
pub struct Watch<'a> {
    scope: &'a Scope,
}

impl Watch<'_> {
    /// Events so far.
    pub fn epoch(&self) -> u32 {
        // ORDERING: Acquire; pairs with the Release in notify_slow().
        self.scope.inner.epoch.load(Ordering::Acquire)
    }

    /// Blocks the calling thread until an event comes after the `seen` ones, or
    /// for `timeout`. May return early.
    pub fn wait(&self, seen: u32, timeout: Duration) {
        futex::wait(&self.scope.inner.epoch, seen, Some(timeout));
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.scope.inner.watched.fetch_sub(1, Ordering::Relaxed);
    }
}
