//! The channel is on the stack of a task that runs and runs, and never sends. All
//! that a collector could find is reachable.

use crate::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) fn program(fixed: bool) {
    let over = Arc::new(AtomicBool::new(fixed));
    go(move || { //~ running
        let channel = Chan::<()>::new();
        let own = channel.rx.clone();
        go(move || own.recv()); //~ chan receive
        while !over.load(Ordering::Relaxed) {
            yield_now();
        }
        drop(channel);
    });
}
