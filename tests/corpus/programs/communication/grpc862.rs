//! A client that never got a connection is not closed either, because there is
//! nothing to close: its task goes on to wait for the next address.

use crate::prelude::*;
use gopark::context::Cancel;

struct ClientConn {
    ctx: Context,
    cancel: Cancel,
    addresses: Chan<u32>,
}

impl ClientConn {
    fn dial(fixed: bool) -> Option<Arc<ClientConn>> {
        let (ctx, cancel) = Context::background().with_cancel();
        let conn = Arc::new(ClientConn { ctx, cancel, addresses: Chan::new() });
        let own = conn.clone();
        go(move || own.reset_transport());
        let connected = false;
        if !connected && fixed {
            conn.cancel.cancel();
        }
        connected.then_some(conn)
    }

    fn reset_transport(&self) {
        loop {
            select! { //~ select
                recv(self.ctx.done()) => return,
                recv(self.addresses.rx) -> address => assert!(address.is_ok()),
            }
        }
    }
}

pub(crate) fn program(fixed: bool) {
    assert!(ClientConn::dial(fixed).is_none());
}
