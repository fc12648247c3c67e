//! A send that no receive meets.

use crate::prelude::*;

pub(crate) fn program(fixed: bool) {
    let channel = Arc::new(Chan::new());
    let own = channel.clone();
    go(move || own.tx.send(1)); //~ chan send
    if fixed {
        channel.rx.recv().expect("a task sends");
    }
}
