//! A mapping that changes tells its subscribers under its lock, and the first thing a
//! subscriber asks is the mapping's address, under its read lock.

use crate::prelude::*;

struct Mapping {
    address: RwLock<u32>,
}

impl Mapping {
    fn clear_addresses(&self, fixed: bool) {
        let mut address = self.address.write();
        *address = 0;
        if fixed {
            drop(address);
        }
        self.notify();
    }

    fn notify(&self) -> u32 {
        *self.address.read() //~ body sync.RWMutex.RLock
    }
}

pub(crate) fn program(fixed: bool) {
    let mapping = Mapping { address: RwLock::new(1) };
    mapping.clear_addresses(fixed);
}
