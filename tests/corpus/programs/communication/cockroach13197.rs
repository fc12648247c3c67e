//! A transaction starts a task that waits for its context, and the one who has begun
//! it neither commits nor rolls back.

use crate::prelude::*;
use gopark::context::Cancel;

struct Tx {
    ctx: Context,
    cancel: Cancel,
}

impl Tx {
    fn begin() -> Arc<Tx> {
        let (ctx, cancel) = Context::background().with_cancel();
        let tx = Arc::new(Tx { ctx, cancel });
        let own = tx.clone();
        go(move || own.await_done());
        tx
    }

    fn await_done(&self) {
        self.ctx.done().recv().expect_err("nobody sends"); //~ chan receive
    }

    fn rollback(&self) {
        self.cancel.cancel();
    }
}

pub(crate) fn program(fixed: bool) {
    let tx = Tx::begin();
    if fixed {
        tx.rollback();
    }
}
