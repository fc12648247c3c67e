//! A connection that is closed waits for its dispatcher to end. It is the dispatcher
//! that closes it, from a callback.

use crate::prelude::*;

struct Connection {
    inbox: Chan<u32>,
    closed: Chan<()>,
    stopped: Chan<()>,
}

impl Connection {
    fn dispatch(self: &Arc<Self>, fixed: bool) {
        self.inbox.rx.recv().expect("it is open");
        let own = self.clone();
        if fixed {
            go(move || own.close());
        } else {
            own.close();
        }
        self.stopped.tx.close();
    }

    fn close(&self) {
        self.closed.tx.close();
        self.stopped.rx.recv().expect_err("nobody sends"); //~ chan receive
    }
}

pub(crate) fn program(fixed: bool) {
    let connection =
        Connection { inbox: Chan::new(), closed: Chan::new(), stopped: Chan::new() };
    let connection = Arc::new(connection);
    let own = connection.clone();
    go(move || own.dispatch(fixed));
    connection.inbox.tx.send(1).expect("it dispatches");
    connection.stopped.rx.recv().expect_err("nobody sends"); //~ body chan receive
}
