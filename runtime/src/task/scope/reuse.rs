//! When a scope is used again, under a new id.
//!
//! Records point to their scopes, so these are never freed (C2 in `scope.rs`). The last
//! handle retires one, and whoever opens a scope takes a retired one that is vacant: no
//! handle is left, nothing in it is alive, and nothing can come back. What makes that true
//! is argued at [`is_vacant`](ScopeInner::is_vacant), on the orderings of `count.rs` and
//! the handles' own, and modelled in `models/reusing.rs`.

use super::{ALL, Scope, ScopeInner, guard};
use crate::notice::Notice;
use crate::sched;
use crate::shards::Shards;
use crate::task::adopt;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

static NEXT_ID: AtomicU64 = AtomicU64::new(1);
/// Scopes without handles; some may still have live tasks.
pub(super) static RETIRED: Mutex<VecDeque<&'static ScopeInner>> = Mutex::new(VecDeque::new());

impl ScopeInner {
    pub(super) fn alloc(id: u64, name: String) -> &'static ScopeInner {
        let scope: &'static ScopeInner = Box::leak(Box::new(ScopeInner {
            id: AtomicU64::new(id),
            name: Mutex::new(name),
            shards: Shards::new(sched::processors::expected()),
            handles: AtomicUsize::new(0),
            retired: AtomicBool::new(false),
            of_test: AtomicBool::new(false),
            keeps_stacks: AtomicBool::new(false),
            notice: Notice::new(),
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

    pub(super) fn open(name: String) -> &'static ScopeInner {
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let Some(scope) = ScopeInner::reuse() else {
            return ScopeInner::alloc(id, name);
        };
        scope.id.store(id, Ordering::Relaxed);
        // Nothing belongs to it, so nobody counts (C2).
        scope.shards.reset();
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
                && !(adopt::names_tests() && scope.has_panics())
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
