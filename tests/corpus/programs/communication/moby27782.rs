//! Who follows a log waits on a condition for the file to be rotated; who rotates
//! waits for the follower to take an event before it signals.

use crate::prelude::*;

#[derive(Default)]
struct Rotation {
    done: Mutex<bool>,
    rotated: Condvar,
}

struct Log {
    events: Chan<()>,
    rotation: Rotation,
}

impl Log {
    fn follow(&self, fixed: bool) {
        if fixed {
            self.events.rx.recv().expect("it is open");
        }
        let mut done = self.rotation.done.lock();
        self.rotation.rotated.wait_while(&mut done, |done| !*done); //~ sync.Cond.Wait
    }

    fn rotate(&self) {
        self.events.tx.send(()).expect("somebody follows"); //~ chan send
        *self.rotation.done.lock() = true;
        self.rotation.rotated.notify_all();
    }
}

pub(crate) fn program(fixed: bool) {
    let log = Arc::new(Log { events: Chan::new(), rotation: Rotation::default() });
    let other = log.clone();
    go(move || log.follow(fixed));
    go(move || other.rotate());
}
