//! A transfer tells its watchers of each state by one signal. Two states come at
//! once: the second signal finds the first still there, is dropped, and the watcher
//! waits for the last state.

use crate::prelude::*;

struct Transfer {
    state: Mutex<u32>,
    signal: Chan<()>,
}

impl Transfer {
    fn update(&self, state: u32) {
        *self.state.lock() = state;
        let _ = self.signal.tx.try_send(());
    }

    fn watch(&self, seen: &Barrier, fixed: bool) {
        let mut last = 0;
        while last < 2 {
            self.signal.rx.recv().expect("it is open"); //~ chan receive
            last = if fixed { *self.state.lock() } else { last + 1 };
        }
        seen.wait();
    }
}

pub(crate) fn program(fixed: bool) {
    let transfer = Arc::new(Transfer { state: Mutex::new(0), signal: Chan::buffered(1) });
    let seen = Arc::new(Barrier::new(2));
    transfer.update(1);
    transfer.update(2);
    let (own, met) = (transfer.clone(), seen.clone());
    go(move || own.watch(&met, fixed));
    seen.wait(); //~ body sync.Barrier.Wait
}
