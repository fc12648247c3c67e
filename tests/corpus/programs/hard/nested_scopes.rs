//! A scope inside of a scope, whose task never ends: both ends of scope wait for it.

use crate::prelude::*;

pub(crate) fn program(fixed: bool) {
    let (tx, rx) = rendezvous::<()>();
    go(move || {
        gopark::scope(|outer| { //~ join
            outer.go(|| {
                gopark::scope(|inner| { //~ join
                    inner.go(|| rx.recv()); //~ chan receive
                });
            });
        });
    });
    if fixed {
        drop(tx);
    } else {
        forget(tx);
    }
}
