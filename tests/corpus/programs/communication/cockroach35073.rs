//! An outbox that cannot connect returns and leaves its row channel open and full: who
//! pushes already waits for ever, and so does who pushes next.

use crate::prelude::*;

struct RowChannel {
    rows: Chan<u32>,
}

impl RowChannel {
    fn push(&self, row: u32) -> bool {
        self.rows.tx.send(row).is_ok() //~ chan send
    }
}

fn outbox(input: &RowChannel, fixed: bool) -> Result<(), &'static str> {
    let connected: Result<(), &str> = Err("no such node");
    if connected.is_err() && fixed {
        input.rows.rx.close();
    }
    connected
}

pub(crate) fn program(fixed: bool) {
    let channel = Arc::new(RowChannel { rows: Chan::buffered(2) });
    assert!(channel.push(0) && channel.push(1));
    let own = channel.clone();
    let pusher = go(move || own.push(2));
    until_waits(pusher.id(), WaitReason::ChanSend);
    outbox(&channel, fixed).expect_err("nobody listens there");
    let _ = channel.rows.tx.send(3); //~ body chan send
}
