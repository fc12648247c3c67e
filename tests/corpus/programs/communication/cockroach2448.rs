//! Two loops serve each other: one offers an event while the other offers it a callback,
//! and neither takes anything meanwhile but the order to stop.

use crate::prelude::*;

struct MultiRaft {
    events: Chan<u32>,
    callbacks: Chan<u32>,
    stop: Chan<()>,
}

impl MultiRaft {
    fn process_raft(&self, raft: u32, fixed: bool) {
        if fixed {
            self.events.rx.recv().expect("raft has an event");
        }
        select! { //~ select
            send(self.callbacks.tx, raft) -> _ => {}
            recv(self.stop.rx) => {}
        }
    }

    fn send_event(&self) {
        select! { //~ select
            send(self.events.tx, 1) -> _ => {}
            recv(self.stop.rx) => return,
        }
        self.callbacks.rx.recv().expect("the store calls back");
    }
}

pub(crate) fn program(fixed: bool) {
    let (events, callbacks, stop) = (Chan::new(), Chan::new(), Chan::new());
    let raft = Arc::new(MultiRaft { events, callbacks, stop });
    let store = raft.clone();
    go(move || store.process_raft(7, fixed));
    go(move || raft.send_event());
}
