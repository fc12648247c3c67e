//! Who follows a log waits on a condition for the file to be removed; who watches the file
//! offers the follower an event before it signals.

use crate::prelude::*;

#[derive(Default)]
struct Removal {
    done: Mutex<bool>,
    removed: Condvar,
}

struct Log {
    events: Chan<()>,
    closed: Chan<()>,
    removal: Removal,
}

impl Log {
    fn follow(&self, fixed: bool) {
        if fixed {
            self.closed.tx.close();
        }
        let mut done = self.removal.done.lock();
        self.removal.removed.wait_while(&mut done, |done| !*done); //~ sync.Cond.Wait
    }

    fn watch(&self) {
        select! { //~ select
            send(self.events.tx, ()) -> _ => {}
            recv(self.closed.rx) => {}
        }
        *self.removal.done.lock() = true;
        self.removal.removed.notify_all();
    }
}

pub(crate) fn program(fixed: bool) {
    let (events, closed) = (Chan::new(), Chan::new());
    let log = Arc::new(Log { events, closed, removal: Removal::default() });
    let other = log.clone();
    go(move || log.follow(fixed));
    go(move || other.watch());
}
