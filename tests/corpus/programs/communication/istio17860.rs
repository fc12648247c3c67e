//! An agent restarts its proxy and waits for the status of the last epoch only. The
//! earlier one has a status too, and nobody reads it.

use crate::prelude::*;

struct Agent {
    status: Chan<u32>,
}

impl Agent {
    fn run_epoch(&self, epoch: u32) {
        self.status.tx.send(epoch).expect("the agent runs"); //~ chan send
    }
}

pub(crate) fn program(fixed: bool) {
    let room = usize::from(fixed);
    let agent = Arc::new(Agent { status: Chan::buffered(room) });
    for epoch in 0..2 {
        let own = agent.clone();
        go(move || own.run_epoch(epoch));
    }
    agent.status.rx.recv().expect("an epoch ends");
}
