//! Two loops serve each other: one sends an event while the other sends it a
//! callback, and both wait to be received.

use crate::prelude::*;

struct MultiRaft {
    events: Chan<u32>,
    callbacks: Chan<u32>,
}

impl MultiRaft {
    fn store(&self, fixed: bool) {
        if fixed {
            self.events.rx.recv().expect("raft has an event");
        }
        self.callbacks.tx.send(1).expect("raft is there"); //~ chan send
        if !fixed {
            self.events.rx.recv().expect("raft has an event");
        }
    }

    fn raft(&self) {
        self.events.tx.send(1).expect("the store is there"); //~ chan send
        self.callbacks.rx.recv().expect("the store calls back");
    }
}

pub(crate) fn program(fixed: bool) {
    let raft = Arc::new(MultiRaft { events: Chan::new(), callbacks: Chan::new() });
    let store = raft.clone();
    go(move || store.store(fixed));
    go(move || raft.raft());
}
