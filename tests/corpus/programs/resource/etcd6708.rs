//! A client that picks its endpoint does so under its read lock, and the selection
//! takes the lock to write what it has found.

use crate::prelude::*;

struct Client {
    endpoint: RwLock<Option<u32>>,
}

impl Client {
    fn endpoint(&self, fixed: bool) -> u32 {
        let endpoint = self.endpoint.read();
        if let Some(endpoint) = *endpoint {
            return endpoint;
        }
        if fixed {
            drop(endpoint);
        }
        self.choose()
    }

    fn choose(&self) -> u32 {
        *self.endpoint.write().insert(7) //~ body sync.RWMutex.Lock
    }
}

pub(crate) fn program(fixed: bool) {
    let client = Client { endpoint: RwLock::new(None) };
    assert_eq!(client.endpoint(fixed), 7);
}
