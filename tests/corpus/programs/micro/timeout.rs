//! The wait for a result has a time limit, the sending of it has none.

use crate::prelude::*;

pub(crate) fn program(fixed: bool) {
    let result = Arc::new(Chan::buffered(usize::from(fixed)));
    let (own, late) = (result.clone(), Arc::new(Chan::<()>::new()));
    let start = late.clone();
    go(move || {
        start.rx.recv().expect_err("nobody sends");
        own.tx.send("done") //~ chan send
    });
    result.rx.recv_timeout(Duration::from_millis(1)).expect_err("it has not begun");
    late.tx.close();
}
