//! The sender is in a variable of the thread that runs the test, which goes on to live.

use crate::prelude::*;
use std::cell::RefCell;

thread_local! {
    static LOG: RefCell<Option<Sender<&'static str>>> = const { RefCell::new(None) };
}

pub(crate) fn program(fixed: bool) {
    let (tx, lines) = bounded(4);
    LOG.set(Some(tx));
    go(move || lines.iter().count()); //~ chan receive
    LOG.with_borrow(|log| log.as_ref().map(|log| log.send("hello")));
    if fixed {
        LOG.take();
    }
}
