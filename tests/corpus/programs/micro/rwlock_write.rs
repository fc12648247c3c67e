//! A writer behind a reader that never ends.

use crate::prelude::*;

pub(crate) fn program(fixed: bool) {
    let lock = Arc::new(RwLock::new(0));
    let guard = lock.read();
    if !fixed {
        forget(guard);
    } else {
        drop(guard);
    }
    go(move || *lock.write() += 1); //~ sync.RWMutex.Lock
}
