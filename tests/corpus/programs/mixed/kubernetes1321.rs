//! A mux distributes events under its lock. A watcher that wants to stop needs the
//! lock, and so takes no more events.

use crate::prelude::*;

struct Mux {
    watchers: Mutex<Vec<Chan<u32>>>,
}

impl Mux {
    fn distribute(&self, event: u32, fixed: bool) {
        let watchers = self.watchers.lock();
        for watcher in watchers.iter() {
            if fixed {
                let _ = watcher.tx.try_send(event);
                continue;
            }
            let _ = watcher.tx.send(event); //~ chan send
        }
    }

    fn stop(&self, watcher: &Chan<u32>) {
        let mut watchers = self.watchers.lock(); //~ body sync.Mutex.Lock
        watchers.retain(|it| !it.tx.same_channel(&watcher.tx));
        watcher.tx.close();
    }
}

pub(crate) fn program(fixed: bool) {
    let watcher = Chan::new();
    let mux = Arc::new(Mux { watchers: Mutex::new(vec![watcher.clone()]) });
    let own = mux.clone();
    let distributor = go(move || own.distribute(1, fixed));
    if !fixed {
        until_waits(distributor.id(), WaitReason::ChanSend);
    }
    mux.stop(&watcher);
}
