//! A client whose dialling was cancelled is given back as nothing, and so is not closed:
//! its task goes on to wait for the end of a context that is the client's.

use crate::prelude::*;
use gopark::context::Cancel;

struct ClientConn {
    ctx: Context,
    cancel: Cancel,
}

impl ClientConn {
    fn dial(ctx: &Context, fixed: bool) -> Option<Arc<ClientConn>> {
        let (own, cancel) = Context::background().with_cancel();
        let conn = Arc::new(ClientConn { ctx: own, cancel });
        let address = conn.clone();
        go(move || address.reset_transport());
        if ctx.err().is_none() {
            return Some(conn);
        }
        if fixed {
            conn.cancel.cancel();
        }
        None
    }

    fn reset_transport(&self) {
        let (address, _cancel) = self.ctx.with_cancel();
        address.done().recv().expect_err("nobody sends"); //~ chan receive
    }
}

pub(crate) fn program(fixed: bool) {
    let (ctx, cancel) = Context::background().with_cancel();
    cancel.cancel();
    assert!(ClientConn::dial(&ctx, fixed).is_none());
}
