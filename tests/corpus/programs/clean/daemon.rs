//! A task that is meant to stay.

use crate::prelude::*;

pub(crate) fn program() {
    let (tx, rx) = rendezvous::<()>();
    forget(tx);
    Builder::new().daemon().go(move || rx.recv()).expect("it starts");
}
