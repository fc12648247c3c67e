//! The sender of heartbeats takes the lock of what it coalesces and then each
//! replica's raft lock; a replica that reports under its raft lock takes them in the
//! other order.

use crate::prelude::*;

struct Store {
    coalesced: Mutex<Vec<u32>>,
    raft: Mutex<u32>,
    both: Barrier,
}

impl Store {
    fn send_heartbeats(&self, fixed: bool) {
        let beats = std::mem::take(&mut *self.coalesced.lock());
        if fixed {
            return self.report_unreachable(&beats);
        }
        let mut coalesced = self.coalesced.lock();
        self.both.wait();
        self.report_unreachable(&beats);
        coalesced.clear();
    }

    fn report_unreachable(&self, beats: &[u32]) {
        *self.raft.lock() += beats.len() as u32; //~ sync.Mutex.Lock
    }

    fn tick(&self, fixed: bool) {
        let raft = self.raft.lock();
        if !fixed {
            self.both.wait();
        }
        self.coalesced.lock().push(*raft); //~ sync.Mutex.Lock
    }
}

pub(crate) fn program(fixed: bool) {
    let store = Arc::new(Store {
        coalesced: Mutex::new(vec![7]),
        raft: Mutex::new(1),
        both: Barrier::new(2),
    });
    let other = store.clone();
    go(move || store.send_heartbeats(fixed));
    go(move || other.tick(fixed));
}
