//! A federation's informer asks under its lock whether its queue has been seen, and a
//! queue that is worked on under its own lock adds a cluster to the informer. Who stops
//! the informer comes too late.

use crate::prelude::*;

struct Federation {
    informer: Mutex<Vec<u32>>,
    queue: Mutex<Vec<u32>>,
    both: Barrier,
}

impl Federation {
    fn is_synced(&self, fixed: bool) -> bool {
        let informer = self.informer.lock();
        if fixed {
            drop(informer);
        } else {
            self.both.wait();
        }
        self.queue.lock().is_empty() //~ sync.Mutex.Lock
    }

    fn pop(&self, fixed: bool) {
        let queue = self.queue.lock();
        if !fixed {
            self.both.wait();
        }
        self.informer.lock().extend(queue.iter()); //~ sync.Mutex.Lock
    }

    fn stop(&self) {
        self.informer.lock().clear(); //~ sync.Mutex.Lock
    }
}

pub(crate) fn program(fixed: bool) {
    let (informer, queue) = (Mutex::default(), Mutex::default());
    let federation = Arc::new(Federation { informer, queue, both: Barrier::new(2) });
    let (controller, third) = (federation.clone(), federation.clone());
    let reconcile = go(move || federation.is_synced(fixed));
    go(move || controller.pop(fixed));
    if !fixed {
        until_waits(reconcile.id(), WaitReason::MutexLock);
    }
    let stop = go(move || third.stop());
    if !fixed {
        until_waits(stop.id(), WaitReason::MutexLock);
    }
}
