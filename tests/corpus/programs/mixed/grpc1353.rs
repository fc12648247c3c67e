//! A round robin tells its watcher of addresses under its lock, into a channel with
//! room for one. The watcher closes a connection first, which locks the round robin.

use crate::prelude::*;

struct RoundRobin {
    down: Mutex<u32>,
    addresses: Chan<bool>,
}

impl RoundRobin {
    fn watch_updates(&self, fixed: bool) {
        for _ in 0..2 {
            let held = self.down.lock();
            if fixed {
                // Only the newest counts.
                let _ = self.addresses.rx.try_recv();
            }
            self.addresses.tx.send(*held > 0).expect("it is open"); //~ chan send
        }
    }

    fn tear_down(&self) {
        *self.down.lock() += 1; //~ sync.Mutex.Lock
    }
}

pub(crate) fn program(fixed: bool) {
    let robin = Arc::new(RoundRobin { down: Mutex::new(0), addresses: Chan::buffered(1) });
    let watcher = robin.clone();
    let updates = go(move || robin.watch_updates(fixed));
    go(move || {
        if !fixed {
            until_waits(updates.id(), WaitReason::ChanSend);
        }
        watcher.tear_down();
        while watcher.addresses.rx.try_recv().is_ok() {}
    });
}
