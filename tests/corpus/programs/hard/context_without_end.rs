//! A task waits for a context to end that never does.

use crate::prelude::*;

pub(crate) fn program(fixed: bool) {
    let ctx = match fixed {
        true => Context::background().with_cancel().0,
        false => Context::background(),
    };
    go(move || ctx.done().recv()); //~ chan receive (nil chan)
}
