//! A worker waits for work on a condition while it holds a read lock. Who brings the
//! work wants to write first, and so does not come; the next worker queues behind.

use crate::prelude::*;

#[derive(Default)]
struct Controller {
    synced: RwLock<bool>,
    queue: Mutex<Vec<u32>>,
    more: Condvar,
}

impl Controller {
    fn worker(&self, fixed: bool) {
        let synced = self.synced.read(); //~ sync.RWMutex.RLock
        if fixed {
            drop(synced);
        }
        let mut queue = self.queue.lock();
        self.more.wait_while(&mut queue, |queue| queue.is_empty()); //~ sync.Cond.Wait
        queue.pop();
    }

    fn sync(&self) {
        *self.synced.write() = true; //~ sync.RWMutex.Lock
        self.queue.lock().extend([1, 2]);
        self.more.notify_all();
    }
}

pub(crate) fn program(fixed: bool) {
    let controller = Arc::new(Controller::default());
    let (other, next) = (controller.clone(), controller.clone());
    let worker = go(move || controller.worker(fixed));
    until_waits(worker.id(), WaitReason::CondWait);
    let sync = go(move || other.sync());
    if !fixed {
        until_waits(sync.id(), WaitReason::RwLockWrite);
    }
    go(move || next.worker(fixed));
}
