//! A worker publishes an event that nobody takes, and the stop waits for the worker.

use crate::prelude::*;

struct Feed {
    events: Chan<u32>,
    workers: WaitGroup,
    stopping: Context,
}

impl Feed {
    fn work(&self, fixed: bool) {
        if fixed {
            let _ = self.stopping.send(&self.events.tx, 1);
        } else {
            self.events.tx.send(1).expect("somebody subscribes"); //~ chan send
        }
        self.workers.done();
    }
}

pub(crate) fn program(fixed: bool) {
    let (stopping, stop) = Context::background().with_cancel();
    let feed = Arc::new(Feed { events: Chan::new(), workers: WaitGroup::new(), stopping });
    feed.workers.add(1);
    let own = feed.clone();
    go(move || own.work(fixed));
    stop.cancel();
    feed.workers.wait(); //~ body sync.WaitGroup.Wait
}
