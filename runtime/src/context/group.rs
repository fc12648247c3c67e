//! A [`Group`] whose first failure cancels a context.

use super::Context;
use crate::sync::{Group, GroupEnd};
use std::fmt::Display;

impl<T: Send + 'static, E: Display + Send + 'static> Group<T, E> {
    /// A group, and a context for its tasks (Go: `errgroup.WithContext`).
    ///
    /// The context is cancelled by the first task that fails, before that task ends,
    /// or else when a [`wait`](Group::wait) has found all tasks ended; and with the
    /// parent. Its [cause](Context::cause) is then what the error says: the error
    /// itself comes out of `wait`. A panic, [`goexit`](crate::goexit) and the end by a
    /// leak check are failures too. If nobody waits, it is cancelled when the last of
    /// the tasks and handles of the group has gone.
    ///
    /// ```
    /// use gopark::chan;
    /// use gopark::context::Context;
    /// use gopark::sync::Group;
    ///
    /// let (group, ctx) = Group::<(), String>::with_context(&Context::background());
    /// let (_quiet, news) = chan::rendezvous::<()>();
    /// for n in 0..4 {
    ///     let (ctx, news) = (ctx.clone(), news.clone());
    ///     group.go(move || ctx.recv(&news).map_err(|why| format!("{n}: {why}")));
    /// }
    /// group.go(|| Err("no such host".to_owned()));
    /// assert_eq!(group.wait(), Err("no such host".to_owned()));
    /// assert_eq!(ctx.cause().unwrap().to_string(), "no such host");
    /// ```
    #[track_caller]
    pub fn with_context(parent: &Context) -> (Self, Context) {
        let (context, cancel) = parent.with_cancel();
        let group = Self::new().on_end(move |end| match end {
            GroupEnd::Failed(error) => cancel.cancel_with(error.to_string()),
            GroupEnd::Panicked => cancel.cancel_with("a task of the group has panicked"),
            GroupEnd::Done => cancel.cancel(),
        });
        (group, context)
    }
}
