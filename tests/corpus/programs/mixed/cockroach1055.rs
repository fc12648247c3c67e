//! A stopper waits under its lock for the tasks that have begun to end. One does not before
//! it is told to stop, and the next one wants the lock to begin.

use crate::prelude::*;

struct Stopper {
    draining: Mutex<bool>,
    tasks: WaitGroup,
    stop: Chan<()>,
}

impl Stopper {
    fn start_task(&self) {
        let _draining = self.draining.lock(); //~ sync.Mutex.Lock
        self.tasks.add(1);
    }

    fn work(&self, begun: &Chan<()>) {
        self.start_task();
        begun.tx.close();
        self.stop.rx.recv().expect_err("nobody sends"); //~ chan receive
        self.tasks.done();
    }

    fn quiesce(&self, fixed: bool) {
        let mut draining = self.draining.lock();
        *draining = true;
        if fixed {
            self.stop.tx.close();
            drop(draining);
        }
        self.tasks.wait(); //~ sync.WaitGroup.Wait
        self.stop.tx.close();
    }
}

pub(crate) fn program(fixed: bool) {
    let (draining, tasks) = (Mutex::new(false), WaitGroup::new());
    let stopper = Arc::new(Stopper { draining, tasks, stop: Chan::new() });
    let worker = |begun: Chan<()>| {
        let own = stopper.clone();
        go(move || own.work(&begun));
    };
    let begun = Chan::new();
    worker(begun.clone());
    begun.rx.recv().expect_err("nobody sends");
    let own = stopper.clone();
    let quiesce = go(move || own.quiesce(fixed));
    if !fixed {
        until_waits(quiesce.id(), WaitReason::WaitGroupWait);
    }
    worker(Chan::new());
    quiesce.join().expect("all have ended"); //~ body join
}
