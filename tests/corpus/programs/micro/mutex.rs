//! A lock whose guard nobody drops.

use crate::prelude::*;

pub(crate) fn program(fixed: bool) {
    let lock = Arc::new(Mutex::new(0));
    let guard = lock.lock();
    if !fixed {
        forget(guard);
    } else {
        drop(guard);
    }
    go(move || *lock.lock() += 1); //~ sync.Mutex.Lock
}
