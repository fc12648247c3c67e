//! A global lock for readers and writers, held for reading by a task that has ended.

use crate::prelude::*;

static LOCK: RwLock<u32> = RwLock::new(0);

pub(crate) fn program(fixed: bool) {
    go(move || {
        let guard = LOCK.read();
        if !fixed {
            forget(guard);
        }
    })
    .join()
    .expect("it only locks");
    go(|| *LOCK.write() += 1); //~ sync.RWMutex.Lock
}
