//! The tree of contexts that can be done.
//!
//! ```text
//!   Context, Cancel ──▶ child ──▶ parent ──▶ …      strong: who is used keeps
//!                         ▲          │              those above it
//!                         └──────────┘              weak: a parent keeps nobody
//! ```
//!
//! A node is ended under its lock, once; in the same section its children and
//! functions are taken out, and nobody registers with a node that has ended. So each
//! of them is told, by the parent that ended or by the registration.
//!
//! Nothing happens under the lock that could switch tasks or run user code: the
//! channel is closed, functions are started, and everything is dropped behind it.

use super::{Cause, ContextError};
use crate::chan::{self, Receiver, Sender};
use crate::sys::section;
use crate::task::affinity::Affinity;
use crate::task::scope::Scope;
use crate::task::{self, spawn};
use crate::time;
use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::mem;
use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Instant;

/// A function that waits for the end, and whose it is.
type Function = (Box<dyn FnOnce(&Scope, Site) + Send>, Scope, Site);
type Site = &'static Location<'static>;

/// Why and by what a node ended.
#[derive(Clone)]
pub(super) struct End {
    pub(super) reason: ContextError,
    pub(super) cause: Option<Cause>,
}

pub(super) struct Node {
    /// Its number among its parents' children.
    id: u64,
    /// In the order in which they were merged; one for most.
    parents: Vec<Arc<Node>>,
    /// The earliest of its own and its parents'.
    deadline: Option<Instant>,
    done: Receiver<()>,
    end: OnceLock<End>,
    state: Mutex<State>,
    affinity: Affinity,
}

struct State {
    /// Closes `done` when it is dropped.
    open: Option<Sender<()>>,
    /// Ends the node at its own deadline.
    timer: Option<time::AfterFunc>,
    children: HashMap<u64, Weak<Node>>,
    functions: HashMap<u64, Function>,
    registered: u64,
}

static IDS: AtomicU64 = AtomicU64::new(0);

impl Node {
    /// A child of these; ended already if one of them is, or the time is over.
    #[track_caller]
    pub(super) fn new(parents: Vec<Arc<Node>>, deadline: Option<Instant>) -> Arc<Node> {
        let inherited = parents.iter().filter_map(|parent| parent.deadline).min();
        let own = deadline.filter(|own| inherited.is_none_or(|it| *own < it));
        let (open, done) = chan::of_context();
        let node = Arc::new(Node {
            id: IDS.fetch_add(1, Ordering::Relaxed),
            parents,
            deadline: own.or(inherited),
            done,
            end: OnceLock::new(),
            state: Mutex::new(State {
                open: Some(open),
                timer: None,
                children: HashMap::new(),
                functions: HashMap::new(),
                registered: 0,
            }),
            affinity: Affinity::new(),
        });
        node.touch();
        for parent in &node.parents {
            if let Some(end) = parent.register(&node) {
                node.end(end);
                return node;
            }
        }
        if let Some(deadline) = own {
            node.set_timer(deadline);
        }
        node
    }

    /// In the scope of whoever calls it, which counts the timer as its own.
    #[track_caller]
    fn set_timer(self: &Arc<Node>, deadline: Instant) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return self.pass_deadline();
        }
        let node = Arc::downgrade(self);
        let timer = time::after_func(left, move || {
            if let Some(node) = node.upgrade() {
                node.pass_deadline();
            }
        });
        let mut state = self.lock();
        if self.end.get().is_none() {
            state.timer = Some(timer);
        } else {
            drop(state);
            stop(timer);
        }
    }

    /// Whoever uses a node depends on the others that do.
    fn touch(&self) {
        self.affinity.touch_by(task::current().record());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        section::check_outside();
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the child; `Some` if it is too late for that.
    fn register(&self, child: &Arc<Node>) -> Option<End> {
        self.touch();
        let mut state = self.lock();
        // Set under this lock.
        if let Some(end) = self.end.get() {
            return Some(end.clone());
        }
        state.children.insert(child.id, Arc::downgrade(child));
        None
    }

    pub(super) fn done(&self) -> &Receiver<()> {
        self.touch();
        &self.done
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The end, if it has come; without a look at the clock.
    pub(super) fn known_end(&self) -> Option<&End> {
        self.end.get()
    }

    /// The end, if it has come: also if the deadline has passed, its own or that of
    /// one above, and the timer is late.
    pub(super) fn ended(self: &Arc<Node>) -> Option<&End> {
        if self.end.get().is_none() && self.deadline.is_some_and(|it| it <= Instant::now()) {
            self.pass_deadline();
        }
        self.end.get()
    }

    fn pass_deadline(self: &Arc<Node>) {
        self.end(End { reason: ContextError::DeadlineExceeded, cause: None });
    }

    /// Ends the node and all below it. When this returns they have ended.
    pub(super) fn end(self: &Arc<Node>, end: End) {
        // A list, as the tree may be deeper than a stack.
        let mut nodes = vec![Arc::clone(self)];
        while let Some(node) = nodes.pop() {
            let mut state = node.lock();
            if node.end.set(end.clone()).is_err() {
                continue;
            }
            let open = state.open.take();
            let timer = state.timer.take();
            let children = mem::take(&mut state.children);
            let functions = mem::take(&mut state.functions);
            drop(state);
            node.touch();
            drop(open);
            if let Some(timer) = timer {
                stop(timer);
            }
            nodes.extend(children.into_values().filter_map(|child| child.upgrade()));
            for function in functions.into_values() {
                start(function);
            }
            node.leave_parents();
        }
    }

    fn leave_parents(&self) {
        for parent in &self.parents {
            let child = parent.lock().children.remove(&self.id);
            drop(child);
        }
    }
}

/// Does not give way: destructors come here.
fn stop(timer: time::AfterFunc) {
    task::no_park(|| timer.stop());
}

fn start((start, scope, site): Function) {
    start(&scope, site);
}

impl Node {
    /// Nobody uses it any more. Its own drop may come later, without parents.
    fn abandon(&mut self) {
        if self.end.get().is_none() {
            let timer = self.lock().timer.take();
            if let Some(timer) = timer {
                stop(timer);
            }
            self.leave_parents();
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.abandon();
        // One after the other: the line may be longer than a stack is deep.
        let mut parents = mem::take(&mut self.parents);
        while let Some(parent) = parents.pop() {
            if let Some(mut last) = Arc::into_inner(parent) {
                last.abandon();
                parents.append(&mut last.parents);
            }
        }
    }
}

/// Cancels a context, also by being dropped (Go: `CancelFunc`,
/// `CancelCauseFunc`).
///
/// ```
/// use gopark::context::Context;
///
/// let (ctx, cancel) = Context::background().with_cancel();
/// {
///     let _cancel = cancel; // at the end of the block, also by a `?` or a panic
///     assert!(ctx.err().is_none());
/// }
/// assert!(ctx.err().is_some());
/// ```
#[must_use = "a context is cancelled when its handle is dropped"]
pub struct Cancel {
    node: Arc<Node>,
    detached: bool,
}

impl Cancel {
    pub(super) fn new(node: Arc<Node>) -> Cancel {
        Cancel { node, detached: false }
    }

    /// Cancels the context and all below it, if they are not done already. They are
    /// done when this returns.
    ///
    /// ```
    /// use gopark::context::{Context, ContextError};
    ///
    /// let (ctx, cancel) = Context::background().with_cancel();
    /// cancel.cancel();
    /// assert_eq!(ctx.err(), Some(ContextError::Cancelled));
    /// ```
    pub fn cancel(&self) {
        task::pass_by();
        self.node.end(End { reason: ContextError::Cancelled, cause: None });
    }

    /// The same, with a cause, which [`Context::cause`](super::Context::cause) tells.
    ///
    /// ```
    /// use gopark::context::{Context, ContextError};
    ///
    /// let (ctx, cancel) = Context::background().with_cancel();
    /// cancel.cancel_with(std::io::Error::other("out of paper"));
    /// assert_eq!(ctx.err(), Some(ContextError::Cancelled));
    /// assert!(ctx.cause().unwrap().is::<std::io::Error>());
    /// ```
    pub fn cancel_with(&self, cause: impl Into<Box<dyn Error + Send + Sync>>) {
        task::pass_by();
        let cause = Some(Cause::from(cause.into()));
        self.node.end(End { reason: ContextError::Cancelled, cause });
    }

    /// Gives the handle up without cancelling: the context is done with its
    /// parents, or at its deadline.
    ///
    /// ```
    /// use gopark::context::Context;
    ///
    /// let (parent, cancel_all) = Context::background().with_cancel();
    /// let (child, cancel) = parent.with_cancel();
    /// cancel.detach();
    /// assert!(child.err().is_none());
    /// cancel_all.cancel();
    /// assert!(child.err().is_some());
    /// ```
    pub fn detach(mut self) {
        self.detached = true;
    }
}

impl Drop for Cancel {
    fn drop(&mut self) {
        if !self.detached {
            self.node.end(End { reason: ContextError::Cancelled, cause: None });
        }
    }
}

/// A function that waits for the end of a context; made by
/// [`Context::after_func`](super::Context::after_func). Dropping it changes nothing.
pub struct AfterFunc {
    registered: Option<(Weak<Node>, u64)>,
}

impl AfterFunc {
    pub(super) fn new<F>(node: Option<&Arc<Node>>, f: F, site: Site) -> AfterFunc
    where
        F: FnOnce() + Send + 'static,
    {
        let Some(node) = node else { return AfterFunc { registered: None } };
        node.touch();
        // Not the function itself in a box: what is started shows as what it is.
        let begin = |scope: &_, site| spawn::go_in(scope, site, f);
        let function: Function = (Box::new(begin), Scope::current(), site);
        let mut state = node.lock();
        if node.end.get().is_some() {
            drop(state);
            start(function);
            return AfterFunc { registered: None };
        }
        state.registered += 1;
        let key = state.registered;
        state.functions.insert(key, function);
        drop(state);
        AfterFunc { registered: Some((Arc::downgrade(node), key)) }
    }

    /// Sees to it that the function is not called. False if it was started
    /// already, or stopped.
    ///
    /// ```
    /// use gopark::context::Context;
    ///
    /// let (ctx, cancel) = Context::background().with_cancel();
    /// let never = ctx.after_func(|| unreachable!());
    /// assert!(never.stop());
    /// assert!(!never.stop());
    /// drop(cancel);
    /// ```
    pub fn stop(&self) -> bool {
        task::pass_by();
        let Some((node, key)) = &self.registered else { return false };
        let Some(node) = node.upgrade() else { return false };
        // Dropped behind the lock: it is the user's.
        let function = node.lock().functions.remove(key);
        function.is_some()
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancel").field("done", &self.node.end.get().is_some()).finish()
    }
}

impl fmt::Debug for AfterFunc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AfterFunc").finish_non_exhaustive()
    }
}
