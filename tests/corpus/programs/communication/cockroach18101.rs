//! A cancelled restore stops the task that imports. The tasks that split and scatter
//! send to it, and do not look at the context.

use crate::prelude::*;

struct Restore {
    ready: Chan<u32>,
    ctx: Context,
}

impl Restore {
    fn split_and_scatter(&self, n: u32, fixed: bool) {
        if fixed {
            let _ = self.ctx.send(&self.ready.tx, n);
            return;
        }
        self.ready.tx.send(n).expect("it is imported"); //~ 2 chan send
    }

    fn import(&self) {
        while self.ctx.recv(&self.ready.rx).is_ok() {}
    }
}

pub(crate) fn program(fixed: bool) {
    let (ctx, cancel) = Context::background().with_cancel();
    let restore = Arc::new(Restore { ready: Chan::new(), ctx });
    cancel.cancel();
    let import = restore.clone();
    go(move || import.import()).join().expect("the context is done");
    for n in 0..2 {
        let restore = restore.clone();
        go(move || restore.split_and_scatter(n, fixed));
    }
}
