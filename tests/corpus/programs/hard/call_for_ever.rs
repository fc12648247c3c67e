//! A task makes a blocking call that does not return.

use crate::prelude::*;
use std::sync::mpsc;

pub(crate) fn program(fixed: bool) {
    let (tx, rx) = mpsc::channel::<()>();
    go(move || gopark::blocking(|| rx.recv())); //~ running
    if !fixed {
        forget(tx);
    }
}
