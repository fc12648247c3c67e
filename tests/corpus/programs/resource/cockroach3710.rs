//! Who holds a read lock calls a function that takes it again. Between the two a
//! writer has come, which waits for the first and keeps the second out.

use crate::prelude::*;

struct Store {
    ranges: RwLock<Vec<u64>>,
}

impl Store {
    fn force_check(&self, between: impl FnOnce(), fixed: bool) -> bool {
        let ranges = self.ranges.read();
        between();
        let first = ranges.first().copied();
        if fixed {
            drop(ranges);
            return self.needs_truncation(first);
        }
        self.needs_truncation(first)
    }

    fn needs_truncation(&self, first: Option<u64>) -> bool {
        self.ranges.read().first().copied() != first //~ sync.RWMutex.RLock
    }

    fn process_raft(&self) {
        self.ranges.write().push(2); //~ sync.RWMutex.Lock
    }
}

pub(crate) fn program(fixed: bool) {
    let store = Arc::new(Store { ranges: RwLock::new(vec![1]) });
    go(move || {
        let other = store.clone();
        let writer = || {
            let raft = go(move || other.process_raft());
            until_waits(raft.id(), WaitReason::RwLockWrite);
        };
        store.force_check(writer, fixed);
    });
}
