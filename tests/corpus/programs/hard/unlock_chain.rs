//! One wants a lock, and has the only sender of what the lock's owner waits for.

use crate::prelude::*;

pub(crate) fn program(fixed: bool) {
    let lock = Arc::new(Mutex::new(0));
    let (tx, rx) = rendezvous();
    let own = lock.clone();
    let owner = go(move || {
        let mut guard = own.lock();
        *guard = rx.recv().unwrap_or(1); //~ chan receive
    });
    until_waits(owner.id(), WaitReason::ChanReceive);
    go(move || {
        if fixed {
            tx.send(1).expect("the owner receives");
        }
        *lock.lock() += 1; //~ sync.Mutex.Lock
        let _ = tx.send(2);
    });
}
