//! A graceful stop that comes second returns early, and keeps the lock.

use crate::prelude::*;

struct Server {
    stopped: Mutex<bool>,
}

impl Server {
    fn graceful_stop(&self, fixed: bool) {
        let mut stopped = self.stopped.lock(); //~ body sync.Mutex.Lock
        if *stopped {
            if !fixed {
                forget(stopped);
            }
            return;
        }
        *stopped = true;
    }
}

pub(crate) fn program(fixed: bool) {
    let server = Server { stopped: Mutex::new(false) };
    for _ in 0..3 {
        server.graceful_stop(fixed);
    }
}
