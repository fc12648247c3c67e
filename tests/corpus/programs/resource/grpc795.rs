//! A graceful stop that comes second returns early, and keeps the lock. Who serves waits
//! for it, and so does the third stop.

use crate::prelude::*;

struct Server {
    stopped: Mutex<bool>,
}

impl Server {
    fn graceful_stop(&self, fixed: bool) {
        let mut stopped = self.stopped.lock();
        if *stopped {
            if !fixed {
                forget(stopped);
            }
            return;
        }
        *stopped = true;
    }

    fn serve(&self) -> bool {
        !*self.stopped.lock() //~ sync.Mutex.Lock
    }
}

pub(crate) fn program(fixed: bool) {
    let server = Arc::new(Server { stopped: Mutex::new(false) });
    for _ in 0..2 {
        server.graceful_stop(fixed);
    }
    let own = server.clone();
    let serves = go(move || own.serve());
    if !fixed {
        until_waits(serves.id(), WaitReason::MutexLock);
    }
    assert!(*server.stopped.lock()); //~ body sync.Mutex.Lock
}
