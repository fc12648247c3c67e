//! A test prints the cache while it reads it: a read lock inside a read lock, with
//! the eviction waiting to write in between.

use crate::prelude::*;

struct RangeCache {
    entries: RwLock<Vec<&'static str>>,
}

impl RangeCache {
    fn print(&self) -> String {
        self.entries.read().join(" ") //~ body sync.RWMutex.RLock
    }

    fn evict(&self) {
        self.entries.write().clear(); //~ sync.RWMutex.Lock
    }
}

pub(crate) fn program(fixed: bool) {
    let cache = Arc::new(RangeCache { entries: RwLock::new(vec!["a", "b"]) });
    let lookup = cache.entries.read();
    let other = cache.clone();
    let eviction = go(move || other.evict());
    until_waits(eviction.id(), WaitReason::RwLockWrite);
    if fixed {
        drop(lookup);
        cache.print();
        return;
    }
    cache.print();
    drop(lookup);
}
