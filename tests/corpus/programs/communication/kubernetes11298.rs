//! A node status manager signals a condition once. Whoever comes to wait after that
//! waits for ever, and the one who waits for its end with it.

use crate::prelude::*;

#[derive(Default)]
struct Status {
    ready: Mutex<bool>,
    changed: Condvar,
}

impl Status {
    fn wait_ready(&self, fixed: bool) {
        let mut ready = self.ready.lock();
        if fixed {
            self.changed.wait_while(&mut ready, |ready| !*ready);
            return;
        }
        self.changed.wait(&mut ready); //~ sync.Cond.Wait
    }

    fn sync(&self) {
        *self.ready.lock() = true;
        self.changed.notify_one();
    }
}

pub(crate) fn program(fixed: bool) {
    let status = Arc::new(Status::default());
    let done = Chan::<()>::new();
    status.sync();
    let end = done.clone();
    go(move || {
        status.wait_ready(fixed);
        end.tx.close();
    });
    done.rx.recv().expect_err("nobody sends"); //~ body chan receive
}
