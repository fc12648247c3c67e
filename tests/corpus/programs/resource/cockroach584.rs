//! A loop leaves with its lock held when it is told to stop, and the next loop wants
//! that lock.

use crate::prelude::*;

struct Gossip {
    closed: Mutex<bool>,
}

impl Gossip {
    fn bootstrap(&self, fixed: bool) {
        loop {
            let closed = self.closed.lock();
            if *closed {
                if !fixed {
                    forget(closed);
                }
                break;
            }
        }
    }

    fn manage(&self) {
        loop {
            let closed = self.closed.lock(); //~ sync.Mutex.Lock
            if *closed {
                break;
            }
        }
    }
}

pub(crate) fn program(fixed: bool) {
    let gossip = Gossip { closed: Mutex::new(true) };
    go(move || {
        gossip.bootstrap(fixed);
        gossip.manage();
    });
}
