//! A stopper waits for its tasks under the lock that a task needs to say that it has
//! ended.

use crate::prelude::*;

struct Stopper {
    running: Mutex<u32>,
    tasks: WaitGroup,
}

impl Stopper {
    fn task(&self, stopping: &Chan<()>) {
        stopping.rx.recv().expect_err("nobody sends");
        *self.running.lock() -= 1; //~ 2 sync.Mutex.Lock
        self.tasks.done();
    }

    fn stop(&self, stopping: &Chan<()>, fixed: bool) {
        let running = self.running.lock();
        stopping.tx.close();
        if fixed {
            drop(running);
        }
        self.tasks.wait(); //~ body sync.WaitGroup.Wait
    }
}

pub(crate) fn program(fixed: bool) {
    let stopper = Arc::new(Stopper { running: Mutex::new(2), tasks: WaitGroup::new() });
    let stopping = Chan::new();
    stopper.tasks.add(2);
    for _ in 0..2 {
        let (own, stopping) = (stopper.clone(), stopping.clone());
        go(move || own.task(&stopping));
    }
    stopper.stop(&stopping, fixed);
}
