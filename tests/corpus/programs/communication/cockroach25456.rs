//! A consistency check waits for its result or for the store to drain. The store
//! drains when the check is over.

use crate::prelude::*;

struct Store {
    drain: Chan<()>,
    checksum: Chan<u64>,
}

impl Store {
    fn check_consistency(&self) -> Option<u64> {
        select! { //~ body select
            recv(self.checksum.rx) -> sum => sum.ok(),
            recv(self.drain.rx) => None,
        }
    }
}

pub(crate) fn program(fixed: bool) {
    let store = Store { drain: Chan::new(), checksum: Chan::new() };
    if fixed {
        store.drain.tx.close();
    }
    store.check_consistency();
    store.drain.tx.close();
}
