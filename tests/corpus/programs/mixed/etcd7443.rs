//! A balancer that learns of a new address sends it under its lock, to a watcher that
//! is tearing a connection down, and that asks the balancer, for its lock.

use crate::prelude::*;

struct Balancer {
    pinned: Mutex<Option<u32>>,
    notify: Chan<u32>,
}

impl Balancer {
    fn up(&self, address: u32, fixed: bool) {
        let mut pinned = self.pinned.lock();
        *pinned = Some(address);
        if fixed {
            drop(pinned);
        }
        self.notify.tx.send(address).expect("it watches"); //~ chan send
    }

    fn down(&self) {
        *self.pinned.lock() = None; //~ sync.Mutex.Lock
    }
}

pub(crate) fn program(fixed: bool) {
    let balancer = Arc::new(Balancer { pinned: Mutex::new(None), notify: Chan::new() });
    let watcher = balancer.clone();
    let up = go(move || balancer.up(1, fixed));
    go(move || {
        until_waits(up.id(), WaitReason::ChanSend);
        watcher.down();
        watcher.notify.rx.recv().expect("an address");
    });
}
