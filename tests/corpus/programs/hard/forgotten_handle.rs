//! The sender is forgotten: nobody has it, and the channel stays open.

use crate::prelude::*;

pub(crate) fn program(fixed: bool) {
    let (tx, rx) = rendezvous::<()>();
    go(move || rx.recv()); //~ chan receive
    if fixed {
        drop(tx);
    } else {
        forget(Box::new(tx));
    }
}
