//! A client that syncs its endpoints holds its lock to write, and asks for the leader,
//! by a request of the same client, which reads.

use crate::prelude::*;

struct Client {
    endpoint: RwLock<u32>,
}

impl Client {
    fn sync(&self, fixed: bool) {
        let mut endpoint = self.endpoint.write();
        *endpoint = 7;
        if fixed {
            drop(endpoint);
        }
        assert_eq!(self.leader(), 7);
    }

    fn leader(&self) -> u32 {
        self.request()
    }

    fn request(&self) -> u32 {
        *self.endpoint.read() //~ body sync.RWMutex.RLock
    }
}

pub(crate) fn program(fixed: bool) {
    let client = Client { endpoint: RwLock::new(0) };
    client.sync(fixed);
}
