//! A client that finds its context done returns the error and keeps the read lock;
//! who closes the client needs to write.

use crate::prelude::*;

struct Client {
    closed: RwLock<bool>,
}

impl Client {
    fn acquire(&self, ctx: &Context, fixed: bool) -> Result<(), &'static str> {
        let closed = self.closed.read();
        if ctx.err().is_some() {
            if !fixed {
                forget(closed);
            }
            return Err("cancelled");
        }
        Ok(())
    }

    fn close(&self) {
        *self.closed.write() = true; //~ body sync.RWMutex.Lock
    }
}

pub(crate) fn program(fixed: bool) {
    let client = Arc::new(Client { closed: RwLock::new(false) });
    let (ctx, cancel) = Context::background().with_cancel();
    cancel.cancel();
    let user = client.clone();
    let put = go(move || user.acquire(&ctx, fixed));
    put.join().expect("it returns").expect_err("the context is done");
    client.close();
}
