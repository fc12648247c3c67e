//! A task waits for a context to end, which has an hour and is not cancelled.

use crate::prelude::*;

pub(crate) fn program(fixed: bool) {
    let (ctx, cancel) = Context::background().with_timeout(Duration::from_secs(3600));
    go(move || ctx.wait()); //~ select
    if fixed {
        drop(cancel);
    } else {
        forget(cancel);
    }
}
