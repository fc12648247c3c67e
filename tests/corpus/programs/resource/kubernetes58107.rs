//! A worker waits for work on a condition while it holds a read lock. Who brings the
//! work wants to write first, and so does not come; other workers queue behind.

use crate::prelude::*;

#[derive(Default)]
struct Controller {
    synced: RwLock<bool>,
    queue: Mutex<Vec<u32>>,
    more: Condvar,
}

impl Controller {
    fn worker(&self, fixed: bool) {
        let synced = self.synced.read();
        if fixed {
            drop(synced);
        }
        let mut queue = self.queue.lock();
        self.more.wait_while(&mut queue, |queue| queue.is_empty()); //~ sync.Cond.Wait
        queue.pop();
    }

    fn sync(&self) {
        *self.synced.write() = true; //~ sync.RWMutex.Lock
        self.queue.lock().push(1);
        self.more.notify_all();
    }
}

pub(crate) fn program(fixed: bool) {
    let controller = Arc::new(Controller::default());
    let other = controller.clone();
    let worker = go(move || controller.worker(fixed));
    until_waits(worker.id(), WaitReason::CondWait);
    go(move || other.sync());
}
