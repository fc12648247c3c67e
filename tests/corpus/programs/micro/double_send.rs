//! An error is sent, and then, for want of a return, the value that there is not.

use crate::prelude::*;

pub(crate) fn program(fixed: bool) {
    let results = Arc::new(Chan::new());
    let own = results.clone();
    go(move || {
        let found: Result<u32, &str> = Err("not found");
        if found.is_err() {
            own.tx.send(found).expect("the caller waits");
            if fixed {
                return;
            }
        }
        own.tx.send(Ok(0)).expect("the caller waits"); //~ chan send
    });
    results.rx.recv().expect("it is open").expect_err("there is none");
}
