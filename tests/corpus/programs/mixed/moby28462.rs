//! A change of a container's state is made under the container's lock, and stops the
//! monitor by a send. The monitor is on its way to the lock.

use crate::prelude::*;

struct Container {
    state: Mutex<&'static str>,
    stop: Chan<()>,
}

impl Container {
    fn monitor(&self, started: &Chan<()>, fixed: bool) {
        loop {
            started.tx.close();
            if fixed {
                return self.stop.rx.recv().expect("it is stopped");
            }
            let state = self.state.lock(); //~ sync.Mutex.Lock
            if *state == "stopped" {
                return;
            }
        }
    }

    fn state_changed(&self, started: &Chan<()>) {
        let mut state = self.state.lock();
        started.rx.recv().expect_err("nobody sends");
        self.stop.tx.send(()).expect("the monitor runs"); //~ chan send
        *state = "stopped";
    }
}

pub(crate) fn program(fixed: bool) {
    let container = Arc::new(Container { state: Mutex::new("running"), stop: Chan::new() });
    let (other, started) = (container.clone(), Chan::new());
    let inside = started.clone();
    go(move || container.monitor(&started, fixed));
    go(move || other.state_changed(&inside));
}
