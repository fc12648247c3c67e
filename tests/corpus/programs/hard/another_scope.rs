//! The sender is with a task of another test, which is alive, and does not send.

use crate::prelude::*;
use gopark::Scope;

pub(crate) fn program(fixed: bool) {
    let (tx, rx) = rendezvous::<()>();
    go(move || rx.recv()); //~ chan receive
    let other = Scope::new("another test");
    let _inside = other.enter();
    let stop = Chan::<()>::new();
    let stopped = stop.clone();
    go(move || {
        let _mine = tx;
        stopped.rx.recv()
    });
    if fixed {
        stop.tx.close();
    }
    forget((other.clone(), stop));
}
