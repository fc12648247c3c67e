//! Tasks that wait for a context's end, which comes by itself.

use crate::prelude::*;

pub(crate) fn program() {
    let (ctx, cancel) = Context::background().with_timeout(Duration::from_millis(60));
    let child = ctx.with_cancel();
    go(move || ctx.wait());
    go(move || child.0.done().recv());
    cancel.detach();
    forget(child.1);
}
