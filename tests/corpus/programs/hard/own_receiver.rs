//! A task sends into a full channel that only it would read.

use crate::prelude::*;

pub(crate) fn program(fixed: bool) {
    let (tx, rx) = bounded(1);
    go(move || {
        tx.send(1).expect("it is open");
        if fixed {
            rx.recv().expect("it was sent");
        }
        tx.send(2).expect("it is open"); //~ chan send
        drop(rx);
    });
}
