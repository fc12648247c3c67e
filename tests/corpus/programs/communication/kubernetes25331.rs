//! A watch ends by an error and by being stopped. It has an error to tell, and the
//! one who stopped it does not listen.

use crate::prelude::*;

struct Watch {
    errors: Chan<&'static str>,
    stopped: Context,
}

impl Watch {
    fn run(&self, fixed: bool) {
        let found = "compacted";
        if fixed {
            let _ = self.stopped.send(&self.errors.tx, found);
            return;
        }
        self.errors.tx.send(found).expect("somebody watches"); //~ chan send
    }
}

pub(crate) fn program(fixed: bool) {
    let (stopped, stop) = Context::background().with_cancel();
    let watch = Watch { errors: Chan::new(), stopped };
    stop.cancel();
    go(move || watch.run(fixed));
}
