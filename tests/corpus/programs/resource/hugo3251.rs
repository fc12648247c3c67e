//! Each URL has a lock, and the table of them has one. Who wants a URL's lock waits for it
//! under the table's; who has it needs the table to give it back.

use crate::prelude::*;
use std::collections::HashMap;

#[derive(Default)]
struct RemoteLock {
    urls: RwLock<HashMap<&'static str, Arc<Mutex<()>>>>,
}

impl RemoteLock {
    fn fetch(&self, between: impl FnOnce(), fixed: bool) {
        let mut urls = self.urls.write();
        let url = urls.entry("a").or_default().clone();
        let table = (!fixed).then_some(urls);
        let locked = url.lock(); //~ sync.Mutex.Lock
        drop(table);
        between();
        let known = self.urls.read().len(); //~ sync.RWMutex.RLock
        assert_eq!(known, 1);
        drop(locked);
    }
}

pub(crate) fn program(fixed: bool) {
    let (remote, all) = (Arc::new(RemoteLock::default()), WaitGroup::new());
    let (other, group) = (remote.clone(), all.clone());
    all.go(move || {
        let second = || {
            let second = group.go(move || other.fetch(|| (), fixed));
            until_waits(second.id(), WaitReason::MutexLock);
        };
        remote.fetch(second, fixed);
    });
    all.wait(); //~ body sync.WaitGroup.Wait
}
