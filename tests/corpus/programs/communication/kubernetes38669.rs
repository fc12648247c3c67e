//! A cache watcher sends its first events from a task of its own, into a channel that
//! has no reader yet and then none at all.

use crate::prelude::*;

struct Watcher {
    input: Chan<u32>,
    result: Chan<u32>,
    done: Context,
}

impl Watcher {
    fn process(&self, initial: &[u32], fixed: bool) {
        for event in initial.iter().copied().chain(self.input.rx.try_iter()) {
            if fixed {
                if self.done.send(&self.result.tx, event).is_err() {
                    return;
                }
                continue;
            }
            self.result.tx.send(event).expect("somebody watches"); //~ chan send
        }
    }
}

pub(crate) fn program(fixed: bool) {
    let (done, stop) = Context::background().with_cancel();
    let watcher = Watcher { input: Chan::buffered(4), result: Chan::new(), done };
    go(move || watcher.process(&[1, 2, 3], fixed));
    stop.cancel();
}
