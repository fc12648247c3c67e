//! A stream that is closed while somebody reads it does not tell the reader, and who has
//! closed it waits for the reader no longer than it must.

use crate::prelude::*;

struct Stream {
    data: Chan<u8>,
}

impl Stream {
    fn read(&self) -> Option<u8> {
        self.data.rx.recv().ok() //~ chan receive
    }

    fn close(&self, fixed: bool) {
        if fixed {
            self.data.tx.close();
        }
    }
}

pub(crate) fn program(fixed: bool) {
    let stream = Arc::new(Stream { data: Chan::new() });
    let (own, done) = (stream.clone(), Chan::<()>::new());
    let end = done.clone();
    go(move || {
        while own.read().is_some() {}
        end.tx.close();
    });
    stream.close(fixed);
    select! {
        recv(done.rx) => {}
        after(Duration::from_millis(1)) => {}
    }
}
