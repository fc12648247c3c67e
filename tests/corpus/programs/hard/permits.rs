//! A permit is forgotten, and one wants all of them.

use crate::prelude::*;

pub(crate) fn program(fixed: bool) {
    let permits = Arc::new(Semaphore::new(2));
    let permit = permits.acquire(1);
    if fixed {
        drop(permit);
    } else {
        forget(permit);
    }
    go(move || drop(permits.acquire(2))); //~ sync.Semaphore.Acquire
}
