//! Contexts: when to stop, and values for whoever works on one request (Go:
//! `context`).
//!
//! A [`Context`] is handed down from call to call. Whoever starts something derives
//! one that can be cancelled; what is started waits for it beside its work, with
//! [`select!`](crate::select) on [`Context::done`], or with the direct forms.
//!
//! ```
//! use gopark::context::{Context, ContextError};
//! use gopark::{chan, select};
//!
//! let (ctx, cancel) = Context::background().with_cancel();
//! let (numbers, rx) = chan::rendezvous();
//! let source = gopark::go(move || {
//!     for n in 0.. {
//!         select! {
//!             send(numbers, n) -> _ => {}
//!             recv(ctx.done()) => return ctx.err(),
//!         }
//!     }
//!     unreachable!()
//! });
//! assert_eq!((rx.recv(), rx.recv()), (Ok(0), Ok(1)));
//! cancel.cancel();
//! assert_eq!(source.join().unwrap(), Some(ContextError::Cancelled));
//! ```
//!
//! | Go | here |
//! |---|---|
//! | `Background`, `TODO` | [`Context::background`] |
//! | `WithCancel`, `WithCancelCause` | [`Context::with_cancel`]; [`Cancel::cancel`], [`Cancel::cancel_with`] |
//! | `WithTimeout`, `WithDeadline` | [`Context::with_timeout`], [`Context::with_deadline`] |
//! | `WithValue`, `Value` | [`Context::with_value`], [`Context::value`]: the key is the type |
//! | `WithoutCancel` | [`Context::without_cancel`] |
//! | `AfterFunc` | [`Context::after_func`] |
//! | `Done`, `Err`, `Cause`, `Deadline` | [`Context::done`], [`err`](Context::err), [`cause`](Context::cause), [`deadline`](Context::deadline) |
//! | `select` on `Done` and one operation | [`Context::recv`], [`send`](Context::send), [`sleep`](Context::sleep), [`wait`](Context::wait), [`wait_for`](Context::wait_for), [`wait_at`](Context::wait_at), [`wait_while`](Context::wait_while), [`acquire`](Context::acquire), [`join`](Context::join); none for locks, as in Go |
//! | `errgroup.WithContext` of `golang.org/x/sync` | [`Group::with_context`](crate::sync::Group::with_context) |
//! | – | [`Context::merge`]: done with the first of several |
//!
//! # The rules
//!
//! From Go:
//!
//! 1. A context is done once, for one reason, and stays so. Its descendants are
//!    done with it, for the same reason and with the same cause; its parents are
//!    not.
//! 2. When [`Cancel::cancel`] returns, every descendant is done.
//! 3. The reason is [`ContextError::Cancelled`] or
//!    [`ContextError::DeadlineExceeded`]; the cause is what the canceller gave, or
//!    else the reason.
//! 4. A deadline later than the parent's changes nothing. One that is over makes a
//!    context that is done.
//! 5. Cancelling again changes nothing.
//! 6. A function of [`after_func`](Context::after_func) runs in a task of its own,
//!    once, when the context is done, at once if it is done already; or never, if
//!    it was stopped before.
//!
//! Different here:
//!
//! 7. Dropping the [`Cancel`] cancels, so that it cannot be forgotten (Go's `vet`
//!    looks for that). [`Cancel::detach`] keeps the context.
//!
//! # Tasks and leak checks
//!
//! Cancelling happens on the task that cancels, passing a deadline in a task that a
//! [timer](crate::time::after_func) starts then. A context that is done leaves
//! neither task nor timer behind. Timer and task belong to the scope in which the
//! context was derived, and a task of `after_func` to the scope in which the
//! function was registered, whoever cancels: a leak check blames the test that made
//! them.
//!
//! # Inside
//!
//! | file | what |
//! |---|---|
//! | `node` | the tree: who is done with whom |
//! | `value` | the values |
//! | `wait`, `join` | the direct forms |
//! | `group` | tasks that stop when one of them fails |

mod group;
mod join;
#[expect(clippy::disallowed_types, reason = "contexts are used outside of sections")]
mod node;
mod value;
mod wait;

pub use join::JoinError;
pub use node::{AfterFunc, Cancel};
pub use wait::{RecvError, SendError};

use crate::chan::{self, Receiver};
use crate::task;
use node::Node;
use std::any::Any;
use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::{Duration, Instant};
use value::Values;

/// When to stop, and values that go with a request (Go: `context.Context`).
///
/// Clones are the same context. See the [module](self).
#[derive(Clone)]
pub struct Context {
    /// None: it is never done.
    node: Option<Arc<Node>>,
    values: Values,
}

/// Why a context is done.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ContextError {
    /// Somebody cancelled it, or one above it (Go: `context.Canceled`).
    Cancelled,
    /// Its time is over (Go: `context.DeadlineExceeded`).
    DeadlineExceeded,
}

impl fmt::Display for ContextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cancelled => "context cancelled",
            Self::DeadlineExceeded => "context deadline exceeded",
        })
    }
}

impl Error for ContextError {}

/// What a canceller gave as the cause.
pub type Cause = Arc<dyn Error + Send + Sync>;

static NEVER: Receiver<()> = chan::never();

impl Context {
    /// The root of all others: never done, without a deadline and without values
    /// (Go: `context.Background`).
    ///
    /// ```
    /// use gopark::context::Context;
    ///
    /// assert_eq!(Context::background().err(), None);
    /// ```
    pub const fn background() -> Context {
        Context { node: None, values: Values::new() }
    }

    /// A context that is done when it is cancelled, or this one is done.
    ///
    /// ```
    /// use gopark::context::{Context, ContextError};
    ///
    /// let (parent, cancel) = Context::background().with_cancel();
    /// let (child, _cancel_child) = parent.with_cancel();
    /// cancel.cancel();
    /// assert_eq!(child.err(), Some(ContextError::Cancelled));
    /// ```
    #[track_caller]
    pub fn with_cancel(&self) -> (Context, Cancel) {
        self.derive(None)
    }

    /// A context that is also done when so much time has passed (Go:
    /// `context.WithTimeout`).
    ///
    /// ```
    /// use gopark::context::{Context, ContextError};
    /// use std::time::Duration;
    ///
    /// let (ctx, _cancel) = Context::background().with_timeout(Duration::from_millis(5));
    /// assert_eq!(ctx.wait(), ContextError::DeadlineExceeded);
    /// ```
    #[track_caller]
    pub fn with_timeout(&self, timeout: Duration) -> (Context, Cancel) {
        // Beyond the clock's range: no limit.
        self.derive(Instant::now().checked_add(timeout))
    }

    /// A context that is also done at a certain time (Go: `context.WithDeadline`).
    ///
    /// ```
    /// use gopark::context::{Context, ContextError};
    /// use std::time::Instant;
    ///
    /// let (ctx, _cancel) = Context::background().with_deadline(Instant::now());
    /// assert_eq!(ctx.err(), Some(ContextError::DeadlineExceeded));
    /// ```
    #[track_caller]
    pub fn with_deadline(&self, deadline: Instant) -> (Context, Cancel) {
        self.derive(Some(deadline))
    }

    #[track_caller]
    fn derive(&self, deadline: Option<Instant>) -> (Context, Cancel) {
        task::pass_by();
        let node = Node::new(self.node.iter().cloned().collect(), deadline);
        (Context { node: Some(node.clone()), values: self.values.clone() }, Cancel::new(node))
    }

    /// A context that is done when one of the parents is, for that one's reason,
    /// or when it is cancelled. Of values of the same type it has that of the first
    /// parent that has one.
    ///
    /// ```
    /// use gopark::context::Context;
    ///
    /// let (request, cancel) = Context::background().with_cancel();
    /// let (server, _stop) = Context::background().with_cancel();
    /// let (both, _cancel_both) = Context::merge([&request, &server]);
    /// assert_eq!(both.err(), None);
    /// drop(cancel);
    /// assert!(both.err().is_some());
    /// ```
    #[track_caller]
    pub fn merge<'a>(parents: impl IntoIterator<Item = &'a Context>) -> (Context, Cancel) {
        task::pass_by();
        let (mut nodes, mut values) = (Vec::new(), Vec::new());
        for parent in parents {
            nodes.extend(parent.node.clone());
            values.push(parent.values.clone());
        }
        let node = Node::new(nodes, None);
        (Context { node: Some(node.clone()), values: Values::of_all(values) }, Cancel::new(node))
    }

    /// A context with one more value; its key is its type (Go:
    /// `context.WithValue`). Give it a type of your own, so that nobody else's is
    /// in the way.
    ///
    /// ```
    /// use gopark::context::Context;
    ///
    /// #[derive(Debug, PartialEq)]
    /// struct User(&'static str);
    ///
    /// let ctx = Context::background().with_value(User("gopher"));
    /// assert_eq!(ctx.value(), Some(&User("gopher")));
    /// assert_eq!(ctx.value::<u64>(), None);
    /// ```
    #[must_use]
    pub fn with_value<T: Any + Send + Sync>(&self, value: T) -> Context {
        Context { node: self.node.clone(), values: self.values.with(value) }
    }

    /// The value of that type: the last one that was given on the way here (Go:
    /// `ctx.Value`).
    ///
    /// ```
    /// use gopark::context::Context;
    ///
    /// let outer = Context::background().with_value(1_u32);
    /// let inner = outer.with_value(2_u32);
    /// assert_eq!((outer.value(), inner.value()), (Some(&1_u32), Some(&2_u32)));
    /// ```
    pub fn value<T: Any + Send + Sync>(&self) -> Option<&T> {
        self.values.get()
    }

    /// A context with the same values that is never done: for what must be finished
    /// although the request is over.
    ///
    /// ```
    /// use gopark::context::Context;
    ///
    /// let (ctx, cancel) = Context::background().with_value("trace 7").with_cancel();
    /// let rest = ctx.without_cancel();
    /// drop(cancel);
    /// assert_eq!((rest.err(), rest.value()), (None, Some(&"trace 7")));
    /// ```
    #[must_use]
    pub fn without_cancel(&self) -> Context {
        Context { node: None, values: self.values.clone() }
    }

    /// A channel that is closed when the context is done; nobody sends into it.
    /// For a context that cannot be done it is [never ready](chan::never).
    ///
    /// It is the context's: a clone of it that outlives the context, its
    /// descendants and a [detached](Cancel::detach) handle is closed with them.
    ///
    /// ```
    /// use gopark::context::Context;
    /// use gopark::select;
    ///
    /// let (ctx, cancel) = Context::background().with_cancel();
    /// let waiting = gopark::go(move || select! {
    ///     recv(ctx.done()) => "done",
    /// });
    /// drop(cancel);
    /// assert_eq!(waiting.join().unwrap(), "done");
    /// ```
    pub fn done(&self) -> &Receiver<()> {
        match &self.node {
            Some(node) => node.done(),
            None => &NEVER,
        }
    }

    /// Why it is done; `None` if it is not.
    ///
    /// ```
    /// use gopark::context::{Context, ContextError};
    ///
    /// let (ctx, cancel) = Context::background().with_cancel();
    /// assert_eq!(ctx.err(), None);
    /// drop(cancel);
    /// assert_eq!(ctx.err(), Some(ContextError::Cancelled));
    /// ```
    pub fn err(&self) -> Option<ContextError> {
        Some(self.node.as_ref()?.ended()?.reason)
    }

    /// What its canceller gave as the cause; without one, what [`err`](Context::err)
    /// says (Go: `context.Cause`).
    ///
    /// ```
    /// use gopark::context::Context;
    ///
    /// let (ctx, cancel) = Context::background().with_cancel();
    /// cancel.cancel_with("the disk is full");
    /// assert_eq!(ctx.cause().unwrap().to_string(), "the disk is full");
    /// ```
    pub fn cause(&self) -> Option<Cause> {
        let ended = self.node.as_ref()?.ended()?;
        Some(ended.cause.clone().unwrap_or_else(|| Arc::new(ended.reason)))
    }

    /// When it is done at the latest.
    ///
    /// ```
    /// use gopark::context::Context;
    /// use std::time::Duration;
    ///
    /// let (ctx, _cancel) = Context::background().with_timeout(Duration::from_secs(1));
    /// let (child, _cancel) = ctx.with_timeout(Duration::from_secs(60));
    /// assert_eq!(child.deadline(), ctx.deadline());
    /// assert_eq!(Context::background().deadline(), None);
    /// ```
    pub fn deadline(&self) -> Option<Instant> {
        self.node.as_ref()?.deadline()
    }

    /// Starts a task for `f` when the context is done; at once if it is done
    /// already (Go: `context.AfterFunc`).
    ///
    /// The task belongs to the scope of whoever calls this. Dropping the handle
    /// changes nothing. For a context that cannot be done `f` is dropped.
    ///
    /// # Panics
    /// As [`go`](crate::go), here or in the call that cancels the context.
    ///
    /// ```
    /// use gopark::chan;
    /// use gopark::context::Context;
    ///
    /// let (ctx, cancel) = Context::background().with_cancel();
    /// let (tx, rx) = chan::bounded(1);
    /// ctx.after_func(move || tx.send("cleaned up").unwrap());
    /// drop(cancel);
    /// assert_eq!(rx.recv(), Ok("cleaned up"));
    /// ```
    #[track_caller]
    pub fn after_func<F>(&self, f: F) -> AfterFunc
    where
        F: FnOnce() + Send + 'static,
    {
        AfterFunc::new(self.node.as_ref(), f, Location::caller())
    }
}

impl Default for Context {
    /// [`Context::background`].
    fn default() -> Context {
        Context::background()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("err", &self.node.as_ref().and_then(|node| node.known_end()).map(|e| e.reason))
            .field("deadline", &self.deadline())
            .finish_non_exhaustive()
    }
}
