//! A receive that no send meets.

use crate::prelude::*;

pub(crate) fn program(fixed: bool) {
    let channel = Arc::new(Chan::<u32>::new());
    let own = channel.clone();
    go(move || own.rx.recv()); //~ chan receive
    if fixed {
        channel.tx.send(1).expect("a task receives");
    }
}
