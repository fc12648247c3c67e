//! The broadcasts of watches are stopped under their lock, and the stop waits for the
//! end of a task that wants to update them, under the same lock.

use crate::prelude::*;

struct Broadcasts {
    watches: Mutex<u32>,
    updates: Chan<()>,
    done: Chan<()>,
}

impl Broadcasts {
    fn run(&self) {
        while self.updates.rx.recv().is_ok() {
            *self.watches.lock() += 1; //~ sync.Mutex.Lock
        }
        self.done.tx.close();
    }

    fn stop(&self, fixed: bool) {
        let watches = self.watches.lock();
        self.updates.tx.send(()).expect("it runs");
        self.updates.tx.close();
        if fixed {
            drop(watches);
        }
        self.done.rx.recv().expect_err("nobody sends"); //~ body chan receive
    }
}

pub(crate) fn program(fixed: bool) {
    let all = Broadcasts { watches: Mutex::new(0), updates: Chan::new(), done: Chan::new() };
    let all = Arc::new(all);
    let own = all.clone();
    go(move || own.run());
    all.stop(fixed);
}
