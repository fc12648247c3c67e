//! A condition that becomes true without a signal.

use crate::prelude::*;

pub(crate) fn program(fixed: bool) {
    let pair = Arc::new((Mutex::new(false), Condvar::new()));
    let own = pair.clone();
    let waiter = go(move || {
        let mut ready = own.0.lock();
        own.1.wait_while(&mut ready, |ready| !*ready); //~ sync.Cond.Wait
    });
    until_waits(waiter.id(), WaitReason::CondWait);
    *pair.0.lock() = true;
    if fixed {
        pair.1.notify_one();
    }
}
