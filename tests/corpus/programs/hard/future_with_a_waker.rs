//! A future that is pending, and somebody has what could wake it, for ever.

use crate::prelude::*;
use std::future::poll_fn;
use std::task::Poll;

pub(crate) fn program(fixed: bool) {
    go(move || {
        gopark::future::block_on(poll_fn(|cx| { //~ block_on
            if fixed {
                return Poll::Ready(());
            }
            forget(cx.waker().clone());
            Poll::Pending
        }));
    });
}
