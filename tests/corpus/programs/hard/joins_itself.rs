//! A task that waits for its own end.

use crate::prelude::*;
use gopark::JoinHandle;

pub(crate) fn program(fixed: bool) {
    let (tx, rx) = bounded::<JoinHandle<()>>(1);
    let own = go(move || {
        let own = rx.recv().expect("the handle comes");
        if !fixed {
            own.join().expect("it ends"); //~ join
        }
    });
    tx.send(own).expect("there is room");
}
