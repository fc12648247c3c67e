//! What a test drops at its end starts a task in its destructor.

use crate::prelude::*;

struct Client {
    goodbye: Arc<Chan<()>>,
    fixed: bool,
}

impl Drop for Client {
    fn drop(&mut self) {
        let goodbye = self.goodbye.clone();
        go(move || goodbye.tx.send(())); //~ chan send
        if self.fixed {
            self.goodbye.rx.recv().expect("it is said");
        }
    }
}

pub(crate) fn program(fixed: bool) {
    let _client = Client { goodbye: Arc::new(Chan::new()), fixed };
}
