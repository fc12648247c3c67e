//! A global lock that its owner, a task which has ended, has never released.

use crate::prelude::*;

static LOCK: Mutex<u32> = Mutex::new(0);

pub(crate) fn program(fixed: bool) {
    go(move || {
        let guard = LOCK.lock();
        if !fixed {
            forget(guard);
        }
    })
    .join()
    .expect("it only locks");
    go(|| *LOCK.lock() += 1); //~ sync.Mutex.Lock
}
