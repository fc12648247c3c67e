//! A replica waits for the commands before its own. Its context ends first, and it
//! leaves the rest of the waiting to a task, for commands that never end.

use crate::prelude::*;

struct Replica {
    commands: Vec<Chan<()>>,
}

impl Replica {
    fn begin(self: &Arc<Self>, ctx: &Context, fixed: bool) {
        for command in &self.commands {
            select! {
                recv(command.rx) => {}
                recv(ctx.done()) => {
                    let own = self.clone();
                    go(move || own.drain(fixed));
                    return;
                }
            }
        }
    }

    fn drain(&self, fixed: bool) {
        for command in &self.commands {
            if fixed {
                let _ = command.rx.try_recv();
                continue;
            }
            let _ = command.rx.recv(); //~ chan receive
        }
    }
}

pub(crate) fn program(fixed: bool) {
    let replica = Arc::new(Replica { commands: vec![Chan::new(), Chan::new()] });
    let (ctx, cancel) = Context::background().with_cancel();
    cancel.cancel();
    replica.begin(&ctx, fixed);
}
