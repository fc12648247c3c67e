//! Three tasks in a circle: the sync loop has taken a status and wants the lock, a
//! setter has the lock and a status to hand over, and a second setter is behind it.

use crate::prelude::*;

struct Manager {
    statuses: Mutex<Vec<u32>>,
    updates: Chan<u32>,
}

impl Manager {
    fn set_status(&self, status: u32, fixed: bool) {
        let mut statuses = self.statuses.lock(); //~ sync.Mutex.Lock
        statuses.push(status);
        if fixed {
            drop(statuses);
        }
        self.updates.tx.send(status).expect("the loop runs"); //~ chan send
    }

    fn sync(&self, between: impl FnOnce()) {
        let status = self.updates.rx.recv().expect("it is open");
        between();
        self.statuses.lock().retain(|it| *it != status); //~ sync.Mutex.Lock
        self.updates.rx.iter().take(2).count();
    }
}

pub(crate) fn program(fixed: bool) {
    let manager = Arc::new(Manager { statuses: Mutex::default(), updates: Chan::new() });
    let own = manager.clone();
    go(move || {
        let setters = own.clone();
        own.sync(move || {
            for (n, waits) in [(2, WaitReason::ChanSend), (3, WaitReason::MutexLock)] {
                let own = setters.clone();
                let setter = go(move || own.set_status(n, fixed));
                until_waits(setter.id(), if fixed { WaitReason::ChanSend } else { waits });
            }
        });
    });
    manager.set_status(1, fixed);
}
