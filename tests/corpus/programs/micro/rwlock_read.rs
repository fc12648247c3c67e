//! A reader behind a writer that never ends.

use crate::prelude::*;

pub(crate) fn program(fixed: bool) {
    let lock = Arc::new(RwLock::new(0));
    let guard = lock.write();
    if !fixed {
        forget(guard);
    } else {
        drop(guard);
    }
    go(move || *lock.read()); //~ sync.RWMutex.RLock
}
