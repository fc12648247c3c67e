//! The processing of a queue waits for the store to quiesce, which it does when the queue
//! has been processed.

use crate::prelude::*;

struct Store {
    quiescing: Chan<()>,
}

impl Store {
    fn process_queue(&self) {
        self.quiescing.rx.recv().expect_err("nobody sends"); //~ body chan receive
    }
}

pub(crate) fn program(fixed: bool) {
    let store = Store { quiescing: Chan::new() };
    if fixed {
        store.quiescing.tx.close();
    }
    for _ in 0..2 {
        store.process_queue();
    }
    store.quiescing.tx.close();
}
