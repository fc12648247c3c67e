//! A lessor renews a lease under its lock; the checkpoint that this makes comes back
//! to the lessor, which locks.

use crate::prelude::*;

struct Lessor {
    remaining: Mutex<u64>,
}

impl Lessor {
    fn renew(&self, fixed: bool) {
        let remaining = self.remaining.lock();
        let now = *remaining;
        if fixed {
            drop(remaining);
            return self.checkpoint(now);
        }
        self.checkpoint(now);
        drop(remaining);
    }

    fn checkpoint(&self, ttl: u64) {
        *self.remaining.lock() = ttl; //~ body sync.Mutex.Lock
    }
}

pub(crate) fn program(fixed: bool) {
    let lessor = Lessor { remaining: Mutex::new(10) };
    lessor.renew(fixed);
}
