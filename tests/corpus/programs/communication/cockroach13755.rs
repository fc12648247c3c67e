//! Rows that are read to the end and not closed: a task of theirs waits for the
//! close.

use crate::prelude::*;

struct Rows {
    left: Mutex<Vec<u32>>,
    closed: Chan<()>,
}

impl Rows {
    fn query() -> Arc<Rows> {
        let rows = Arc::new(Rows { left: Mutex::new(vec![1, 2]), closed: Chan::new() });
        let own = rows.clone();
        go(move || own.await_close());
        rows
    }

    fn await_close(&self) {
        self.closed.rx.recv().expect_err("nobody sends"); //~ chan receive
        self.left.lock().clear();
    }

    fn next(&self) -> Option<u32> {
        self.left.lock().pop()
    }
}

pub(crate) fn program(fixed: bool) {
    let rows = Rows::query();
    while rows.next().is_some() {}
    if fixed {
        rows.closed.tx.close();
    }
}
