//! What would count a group down is called at the end of a context that has none.

use crate::prelude::*;

pub(crate) fn program(fixed: bool) {
    let group = WaitGroup::new();
    group.add(1);
    let (ctx, cancel) = Context::background().with_cancel();
    let done = group.clone();
    let _registered = ctx.after_func(move || done.done());
    go(move || group.wait()); //~ sync.WaitGroup.Wait
    if fixed {
        cancel.cancel();
    }
    forget(cancel);
}
