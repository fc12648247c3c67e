//! A task waits for a channel while it makes a value of std's, and another one for the
//! value, in a call that the runtime does not know. The first has a thread of its own: a
//! sibling that waited for std's value would keep the thread that is to make it.

use crate::prelude::*;
use std::sync::OnceLock;

pub(crate) fn program(fixed: bool) {
    let value = Arc::new(OnceLock::new());
    let (tx, rx) = rendezvous::<u32>();
    let own = value.clone();
    let make = move || {
        own.get_or_init(|| rx.recv().unwrap_or(1)); //~ chan receive
    };
    let maker = Builder::new().own_thread().go(make).expect("a thread");
    until_waits(maker.id(), WaitReason::ChanReceive);
    go(move || gopark::blocking(|| *value.get_or_init(|| 2))); //~ running
    if fixed {
        drop(tx);
    } else {
        forget(tx);
    }
}
