//! A task alone with its lock, which it locks twice.

use crate::prelude::*;

pub(crate) fn program(fixed: bool) {
    go(move || {
        let lock = Mutex::new(0);
        let mut first = lock.lock();
        *first += 1;
        if fixed {
            drop(first);
        }
        *lock.lock() += 1; //~ sync.Mutex.Lock
    });
}
