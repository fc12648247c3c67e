//! A select between a channel that never was and one that nobody has a sender of.

use crate::prelude::*;

pub(crate) fn program(fixed: bool) {
    let (tx, live) = rendezvous::<()>();
    let dead = never::<()>();
    go(move || {
        select! { //~ select
            recv(dead) => {}
            recv(live) => {}
        }
    });
    if fixed {
        drop(tx);
    } else {
        forget(tx);
    }
}
