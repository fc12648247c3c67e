//! What is behind a `Timer`, a `Ticker` and an `after_func`: a node, which is set
//! to a time, again and again, and does one thing then.
//!
//! Nodes come in slabs that are never freed (M2), and are used again. An entry of a
//! heap means one *setting* of a node: who sets it anew, stops it or puts it back
//! to the unused ones counts on, and every entry from before is stale.
//!
//! # Stopping and firing
//! Both happen under the node's lock, firing as a whole: it counts, puts the value
//! into the channel or starts the task. So when `stop` or `reset` has the lock,
//! either the timer has not fired and never will, or all it did is done, and a value
//! that nobody has taken yet is in the channel, from where it is taken back. There
//! is no third case, in which a value comes later (Go, since 1.23, does the same).
//!
//! The channel's lock is taken with the node's held, never the other way round. A
//! channel is reached through the node as long as it has receivers: the last one
//! takes it out of the node before it goes ([`abandoned`]).
//!
//! # Who owns a node
//! - of a `Timer` or `Ticker`, the receivers of its channel together, the handle's
//!   among them: the last one puts the node back;
//! - of an `after_func` its handle, and the setting: the node goes back when both
//!   are gone.

use super::timers::{self, Fired, Timers};
use super::watch;
use crate::chan::Tick;
use crate::sched::park::Claimed;
use crate::sched::{self, SCHED, enqueue, worker};
use crate::sys::lock::RawLock;
use crate::task::launch;
use crate::task::record::Record;
use crate::task::scope::ScopeInner;
use core::cell::UnsafeCell;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

/// Nodes per slab.
const SLAB: usize = 64;

/// In cache lines of its own, also for the tag (`timers.rs`).
#[repr(align(64))]
pub(crate) struct Node {
    /// When it fires; 0 if it is not set. Written under the lock.
    when: AtomicU64,
    /// The number of the setting. Written under the lock.
    setting: AtomicU32,
    lock: RawLock,
    inner: UnsafeCell<Inner>,
}

struct Inner {
    action: Action,
    /// Nanoseconds between two ticks; 0 for one shot.
    period: u64,
    /// The scope that counts it as set.
    scope: Option<&'static ScopeInner>,
    /// Where its entry is.
    timers: Option<&'static Timers>,
    /// Somebody has its handle.
    owned: bool,
    /// Of the unused nodes; under their lock.
    next: Option<&'static Node>,
}

/// What it does.
enum Action {
    Nothing,
    /// Sends the time to a channel that has receivers.
    Send(*const Tick),
    /// Starts a task that is ready to be started.
    Start(&'static Record),
}

// SAFETY: `inner` is touched under the lock; a channel of instants may be used by
// any thread, and a record that is to be started belongs to the node.
unsafe impl Sync for Node {}
// SAFETY: as above.
unsafe impl Send for Node {}

// A panic cannot leave a node half changed: no user code runs under its lock.
impl UnwindSafe for Node {}
impl RefUnwindSafe for Node {}

/// Unused nodes.
struct Unused {
    lock: RawLock,
    first: UnsafeCell<Option<&'static Node>>,
}

// SAFETY: the list is touched under the lock.
unsafe impl Sync for Unused {}

static UNUSED: Unused = Unused { lock: RawLock::new(), first: UnsafeCell::new(None) };

impl Unused {
    fn push(&self, node: &'static Node) {
        self.lock.with(|| {
            // SAFETY: under the lock, and nobody else has an unused node.
            unsafe { (*node.inner.get()).next = (*self.first.get()).replace(node) };
        });
    }

    fn pop(&self) -> Option<&'static Node> {
        self.lock.with(|| {
            // SAFETY: as in push().
            unsafe {
                let node = (*self.first.get()).take()?;
                *self.first.get() = (*node.inner.get()).next.take();
                Some(node)
            }
        })
    }
}

/// A node that was not set, and where it is set; what is left to do outside of its
/// lock.
#[must_use]
struct Unset {
    /// Whether it was set.
    pending: bool,
    scope: Option<&'static ScopeInner>,
}

impl Node {
    fn new() -> Node {
        Node {
            when: AtomicU64::new(0),
            setting: AtomicU32::new(0),
            lock: RawLock::new(),
            inner: UnsafeCell::new(Inner {
                action: Action::Nothing,
                period: 0,
                scope: None,
                timers: None,
                owned: false,
                next: None,
            }),
        }
    }

    /// A node that nobody uses. In no section: it may allocate.
    pub(crate) fn take() -> &'static Node {
        sched::start_default();
        UNUSED.pop().unwrap_or_else(|| {
            let slab: Box<[Node]> = (0..SLAB).map(|_| Node::new()).collect();
            let (first, others) = Box::leak(slab).split_first().expect("a slab is not empty");
            others.iter().for_each(|node| UNUSED.push(node));
            first
        })
    }

    fn with<R>(&self, f: impl FnOnce(&mut Inner) -> R) -> R {
        // SAFETY: under the lock that guards it.
        self.lock.with(|| f(unsafe { &mut *self.inner.get() }))
    }

    pub(super) fn is_set(&self) -> bool {
        self.when() != 0
    }

    /// When it fires; 0 if it is not set.
    pub(super) fn when(&self) -> u64 {
        self.when.load(Ordering::Relaxed)
    }

    /// The number of the last setting.
    pub(super) fn setting(&self) -> u32 {
        self.setting.load(Ordering::Relaxed)
    }

    /// Counts on, so that every entry there is becomes stale. Under the lock.
    fn next_setting(&self) -> u32 {
        let next = self.setting().wrapping_add(1);
        self.setting.store(next, Ordering::Relaxed);
        next
    }

    /// Not set any more. Under the lock.
    fn unset(&self, inner: &mut Inner) -> Unset {
        let pending = self.when() != 0;
        if pending {
            self.next_setting();
            self.when.store(0, Ordering::Relaxed);
            inner.timers.take().expect("a node that is set has an entry").one_stale();
        }
        Unset { pending, scope: inner.scope.take() }
    }

    /// Sets a node that is not set, to `when` and then every `period`, if that is
    /// not 0. In no section.
    fn set(&'static self, when: u64, period: u64, scope: &'static ScopeInner, action: Action) {
        let promise = Promise::new();
        let old = self.with(|inner| {
            inner.action = action;
            self.set_again(inner, when, period, scope, &promise)
        });
        old.finish();
        promise.used(when);
    }

    /// Sets it anew. Under the lock.
    fn set_again(
        &'static self,
        inner: &mut Inner,
        when: u64,
        period: u64,
        scope: &'static ScopeInner,
        promise: &Promise,
    ) -> Unset {
        let old = self.unset(inner);
        let when = when.max(1);
        inner.period = period;
        inner.scope = Some(scope);
        scope.timer_set();
        self.when.store(when, Ordering::Relaxed);
        inner.timers = Some(promise.timers);
        promise.timers.add_node(when, self, self.next_setting());
        old
    }

    /// Sends to the channel at `when`, and every `period` after that. Of a node that
    /// was just taken.
    pub(super) fn set_to_send(
        &'static self,
        to: *const Tick,
        when: u64,
        period: u64,
        scope: &'static ScopeInner,
    ) {
        self.set(when, period, scope, Action::Send(to));
    }

    /// Starts the task at `when`. Of a node that was just taken; the caller has its
    /// handle.
    pub(super) fn set_to_start(
        &'static self,
        task: &'static Record,
        when: u64,
        scope: &'static ScopeInner,
    ) {
        self.with(|inner| inner.owned = true);
        self.set(when, 0, scope, Action::Start(task));
    }

    /// Stops a timer with a channel. Whether that kept it from being received.
    pub(super) fn stop(&self) -> bool {
        let (old, drained) = self.with(|inner| (self.unset(inner), drain(inner)));
        let pending = old.pending;
        old.finish();
        pending || drained
    }

    /// Sets a timer with a channel anew. Whether it was set, or its value not yet
    /// received.
    pub(super) fn reset(&'static self, when: u64, period: u64, scope: &'static ScopeInner) -> bool {
        let promise = Promise::new();
        let (old, drained) = self.with(|inner| {
            let old = self.set_again(inner, when, period, scope, &promise);
            (old, drain(inner))
        });
        let pending = old.pending;
        old.finish();
        promise.used(when);
        pending || drained
    }

    /// Keeps a task from being started, which is the caller's then.
    pub(super) fn stop_start(&self) -> Option<&'static Record> {
        let (old, action) = self.with(|inner| {
            let old = self.unset(inner);
            let action = std::mem::replace(&mut inner.action, Action::Nothing);
            (old, action)
        });
        old.finish();
        match action {
            Action::Start(task) => Some(task),
            _ => None,
        }
    }

    /// Lets a task start at another time. `false`: it has been started, or stopped.
    ///
    /// The timer stays that of the task's scope, which nothing else keeps.
    pub(super) fn reset_start(&'static self, when: u64) -> bool {
        let promise = Promise::new();
        let old = self.with(|inner| {
            let scope = inner.scope.filter(|_| self.when() != 0)?;
            Some(self.set_again(inner, when, 0, scope, &promise))
        });
        match old {
            Some(old) => {
                old.finish();
                promise.used(when);
                true
            }
            None => {
                promise.timers.release(1);
                false
            }
        }
    }

    /// The handle of an `after_func` goes.
    pub(super) fn disown(&'static self) {
        let unused = self.with(|inner| {
            inner.owned = false;
            self.when() == 0
        });
        if unused {
            UNUSED.push(self);
        }
    }

    /// An entry is due. Its promise is kept if the node is set again.
    pub(super) fn fire(&'static self, timers: &'static Timers, meant: usize, now: u64) -> Fired {
        let fired = self.with(|inner| {
            let when = self.when();
            if when == 0 || when > now || !timers::is_meant(self.setting(), meant) {
                return None;
            }
            let mut fired = Firing { again: inner.period != 0, ..Firing::default() };
            if fired.again {
                // Ticks that are late are left out: the next one comes in the future,
                // and to the beat of the first.
                let beats = (now - when) / inner.period + 1;
                let next = when.saturating_add(inner.period.saturating_mul(beats));
                self.when.store(next, Ordering::Relaxed);
                timers.add_node(next, self, self.next_setting());
            } else {
                self.when.store(0, Ordering::Relaxed);
                inner.timers = None;
                fired.scope = inner.scope.take();
            }
            match inner.action {
                Action::Nothing => {}
                // SAFETY: as long as it is in the node it has receivers, and they
                // cannot take it out while the node is locked.
                Action::Send(to) => fired.received = unsafe { &*to }.tick(Instant::now()),
                Action::Start(task) => {
                    inner.action = Action::Nothing;
                    fired.start = Some(task);
                    fired.unused = !inner.owned;
                }
            }
            Some(fired)
        });
        match fired {
            Some(fired) => fired.finish(self, timers),
            None => Fired::Stale,
        }
    }
}

/// What is left to do when a node has fired, outside of its lock.
#[derive(Default)]
struct Firing {
    again: bool,
    received: Option<Claimed>,
    start: Option<&'static Record>,
    scope: Option<&'static ScopeInner>,
    unused: bool,
}

impl Firing {
    fn finish(self, node: &'static Node, timers: &Timers) -> Fired {
        let ready = self.received.is_some() || self.start.is_some();
        // Before what it woke or started can look, but not before that is seen to be
        // ready: an observer finds the one or the other.
        let unset = || {
            if let Some(scope) = self.scope {
                scope.timer_unset();
            }
        };
        match self.start {
            Some(task) => launch::release(task, unset),
            None => unset(),
        }
        match self.received {
            Some(Claimed::Task(task)) => enqueue::enqueue_behind(task),
            Some(other) => other.enqueue(),
            None => {}
        }
        if self.unused {
            UNUSED.push(node);
        }
        if !self.again {
            timers.release(1);
        }
        if ready { Fired::Task } else { Fired::Nobody }
    }
}

impl Unset {
    fn finish(self) {
        if let Some(scope) = self.scope {
            scope.timer_unset();
        }
    }
}

/// Takes back a value that nobody has received. With the node locked.
fn drain(inner: &Inner) -> bool {
    match inner.action {
        // SAFETY: as in fire().
        Action::Send(to) => unsafe { &*to }.take_tick(),
        _ => false,
    }
}

/// The last receiver of a timer's channel goes: nobody can hear of the timer.
pub(crate) fn abandoned(node: &'static Node) {
    node.with(|inner| {
        inner.action = Action::Nothing;
        node.unset(inner)
    })
    .finish();
    UNUSED.push(node);
}

/// Room in a heap: that of the processor that the caller holds, if it holds one.
struct Promise {
    timers: &'static Timers,
    /// Nobody holds a processor for it.
    outside: bool,
}

impl Promise {
    fn new() -> Promise {
        let here = worker::with_processor(|here| here);
        let timers = &here.unwrap_or_else(|| SCHED.processor(0)).timers;
        timers.promise();
        Promise { timers, outside: here.is_none() }
    }

    /// The entry is there.
    fn used(self, when: u64) {
        if self.outside {
            watch::was_set(when);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chan::{self, Receiver};
    use crate::task::scope;

    /// Far from now, so that nobody else fires it.
    const START: u64 = 1 << 62;
    const PERIOD: u64 = 1000;

    /// A node and its channel, and what fires it at a time of our own.
    fn ticker(period: u64) -> (&'static Node, Receiver<Instant>, impl Fn(u64) -> bool) {
        let node = Node::take();
        let (receiver, chan) = chan::of_timer(node);
        node.set_to_send(chan, START, period, scope::root());
        let timers: &'static Timers = Box::leak(Box::new(Timers::new()));
        let fire = move |now| {
            // That of the entry which is due.
            timers.promise();
            !matches!(node.fire(timers, node.setting() as usize, now), Fired::Stale)
        };
        (node, receiver, fire)
    }

    #[test]
    fn ticks_keep_the_beat_of_the_first() {
        let (node, _receiver, fire) = ticker(PERIOD);
        assert!(!fire(START - 1), "too early");
        assert!(fire(START));
        assert_eq!(node.when(), START + PERIOD);
        assert!(fire(START + PERIOD + 999), "late, but before the next one");
        assert_eq!(node.when(), START + 2 * PERIOD);
        assert!(fire(START + 7 * PERIOD), "five too late");
        assert_eq!(node.when(), START + 8 * PERIOD);
        assert!(fire(START + 10 * PERIOD + 1));
        assert_eq!(node.when(), START + 11 * PERIOD);
    }

    #[test]
    fn of_ticks_that_nobody_takes_the_first_is_kept() {
        let (_, receiver, fire) = ticker(PERIOD);
        let before = Instant::now();
        assert!(fire(START));
        let after = Instant::now();
        (1..5).for_each(|n| assert!(fire(START + n * PERIOD)));
        let at = receiver.try_recv().unwrap();
        assert!(before <= at && at <= after, "another one than the first");
        assert!(receiver.try_recv().is_err());
        assert!(fire(START + 5 * PERIOD));
        assert!(receiver.try_recv().unwrap() > after);
    }

    #[test]
    fn one_shot_is_one_shot() {
        let (node, receiver, fire) = ticker(0);
        let meant = node.setting();
        assert!(fire(START));
        assert!(!node.is_set() && !fire(START + 1));
        assert!(receiver.try_recv().is_ok());
        assert!(!node.reset(START + 5, 0, scope::root()));
        assert_ne!(node.setting(), meant);
        assert!(!fire(START + 1), "what was set before");
        assert!(node.stop());
        assert!(!fire(START + 5));
    }

    #[test]
    fn the_last_beat_is_at_the_end_of_time() {
        let (node, _receiver, fire) = ticker(u64::MAX);
        assert!(fire(START));
        assert_eq!(node.when(), u64::MAX);
    }

    #[test]
    fn nodes_are_used_again() {
        let (node, receiver, fire) = ticker(PERIOD);
        let setting = node.setting();
        drop(receiver);
        assert!(!node.is_set() && node.setting() != setting);
        assert!(!fire(START), "nobody hears of it");
    }
}
