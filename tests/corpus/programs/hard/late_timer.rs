//! The sender is with a function that a timer will call, in an hour.

use crate::prelude::*;
use gopark::time::after_func;

pub(crate) fn program(fixed: bool) {
    let (tx, rx) = rendezvous();
    go(move || rx.recv()); //~ chan receive
    let after = if fixed { Duration::from_millis(5) } else { Duration::from_secs(3600) };
    forget(after_func(after, move || tx.send(()).expect("a task receives")));
}
