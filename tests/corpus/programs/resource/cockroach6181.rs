//! A lookup prints the cache while it reads it: a read lock inside a read lock, with
//! another lookup waiting to write in between.

use crate::prelude::*;

struct RangeCache {
    entries: RwLock<Vec<&'static str>>,
}

impl RangeCache {
    fn print(&self) -> String {
        self.entries.read().join(" ") //~ sync.RWMutex.RLock
    }

    fn look_up(&self, between: impl FnOnce(), fixed: bool) {
        let entries = self.entries.read();
        between();
        if fixed {
            entries.join(" ");
        } else {
            self.print();
        }
        drop(entries);
        self.insert();
    }

    fn insert(&self) {
        self.entries.write().push("c"); //~ sync.RWMutex.Lock
    }
}

pub(crate) fn program(fixed: bool) {
    let cache = Arc::new(RangeCache { entries: RwLock::new(vec!["a", "b"]) });
    let (own, lookups) = (cache.clone(), WaitGroup::new());
    let others = lookups.clone();
    lookups.go(move || {
        let second = || {
            let second = others.go(move || own.insert());
            until_waits(second.id(), WaitReason::RwLockWrite);
        };
        cache.look_up(second, fixed);
    });
    lookups.wait(); //~ body sync.WaitGroup.Wait
}
