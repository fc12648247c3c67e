//! A controller notifies of a change under its lock, and whoever is notified looks at
//! the controller, under its lock, before taking the next.

use crate::prelude::*;

struct Controller {
    configs: Mutex<Vec<u32>>,
    changes: Chan<u32>,
}

impl Controller {
    fn update(&self, config: u32, fixed: bool) {
        let mut configs = self.configs.lock();
        configs.push(config);
        if fixed {
            drop(configs);
        }
        self.changes.tx.send(config).expect("somebody listens"); //~ chan send
    }

    fn listen(&self, first: &Chan<()>, fixed: bool) {
        if !fixed {
            first.rx.recv().expect_err("nobody sends");
        }
        for _ in 0..2 {
            if !fixed {
                self.configs.lock().sort_unstable(); //~ sync.Mutex.Lock
            }
            self.changes.rx.recv().expect("it is open");
        }
    }
}

pub(crate) fn program(fixed: bool) {
    let controller = Arc::new(Controller { configs: Mutex::default(), changes: Chan::new() });
    let (listener, first) = (controller.clone(), Chan::new());
    let started = first.clone();
    go(move || listener.listen(&started, fixed));
    let updates = go(move || {
        controller.update(1, fixed);
        controller.update(2, fixed);
    });
    if !fixed {
        until_waits(updates.id(), WaitReason::ChanSend);
        first.tx.close();
    }
}
