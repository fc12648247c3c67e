//! A value must be stopped when it is no longer needed, and is only dropped.

use crate::prelude::*;

struct Worker {
    queue: Arc<Chan<u32>>,
}

impl Worker {
    fn start() -> Worker {
        let queue = Arc::new(Chan::buffered(1));
        let own = queue.clone();
        go(move || own.rx.iter().count()); //~ chan receive
        Worker { queue }
    }

    fn stop(&self) {
        self.queue.tx.close();
    }
}

pub(crate) fn program(fixed: bool) {
    let worker = Worker::start();
    worker.queue.tx.send(1).expect("there is room");
    if fixed {
        worker.stop();
    }
}
