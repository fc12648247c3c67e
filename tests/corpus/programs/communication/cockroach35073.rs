//! An outbox that fails returns and leaves its row channel open: the processor before
//! it sends into it until it is full.

use crate::prelude::*;

struct RowChannel {
    rows: Chan<u32>,
}

impl RowChannel {
    fn push_all(&self, rows: u32) {
        for row in 0..rows {
            if self.rows.tx.send(row).is_err() { //~ chan send
                return;
            }
        }
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
    outbox(&channel, fixed).expect_err("nobody listens there");
    go(move || channel.push_all(5));
}
