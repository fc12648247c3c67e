//! All are blocked, for longer than a check looks before it is sure, and then a timer
//! starts the chain.

use crate::prelude::*;
use gopark::time::after_func;

pub(crate) fn program() {
    let (tx, rx) = rendezvous();
    let lock = Arc::new(Mutex::new(0));
    let own = lock.clone();
    let holder = go(move || {
        let mut guard = own.lock();
        *guard = rx.recv().expect("it is sent");
    });
    until_waits(holder.id(), WaitReason::ChanReceive);
    go(move || *lock.lock() += 1);
    forget(after_func(Duration::from_millis(60), move || tx.send(1).expect("it is wanted")));
}
