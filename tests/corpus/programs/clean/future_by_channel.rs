//! A result that is asked for later, or never: there is room for it.

use crate::prelude::*;

fn start(n: u32) -> Receiver<u32> {
    let (tx, rx) = bounded(1);
    go(move || tx.send(n * 2));
    rx
}

pub(crate) fn program() {
    let (wanted, _unwanted) = (start(1), start(2));
    assert_eq!(wanted.recv(), Ok(2));
}
