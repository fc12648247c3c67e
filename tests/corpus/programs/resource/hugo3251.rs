//! Who looks for a lock for a URL takes the lock of the table, and beside it the
//! table's read lock, which nobody gives back when the URL is known.

use crate::prelude::*;
use std::collections::HashMap;

#[derive(Default)]
struct RemoteLock {
    urls: RwLock<HashMap<&'static str, Arc<Mutex<()>>>>,
}

impl RemoteLock {
    fn url_lock(&self, url: &'static str, fixed: bool) -> Arc<Mutex<()>> {
        let urls = self.urls.read(); //~ sync.RWMutex.RLock
        if let Some(lock) = urls.get(url) {
            let lock = lock.clone();
            if !fixed {
                forget(urls);
            }
            return lock;
        }
        drop(urls);
        self.urls.write().entry(url).or_default().clone() //~ sync.RWMutex.Lock
    }
}

pub(crate) fn program(fixed: bool) {
    let remote = Arc::new(RemoteLock::default());
    remote.url_lock("a", fixed);
    let known = remote.clone();
    go(move || known.url_lock("a", fixed)).join().expect("it is known");
    for url in ["b", "c"] {
        let own = remote.clone();
        let new = go(move || *own.url_lock(url, fixed).lock());
        if !fixed && url == "b" {
            until_waits(new.id(), WaitReason::RwLockWrite);
        }
    }
}
