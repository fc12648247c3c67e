//! A CPU manager reconciles under a read lock and asks for the default set, which
//! takes the read lock again; a container is added in between.

use crate::prelude::*;

struct Manager {
    sets: RwLock<Vec<u32>>,
}

impl Manager {
    fn reconcile(&self, between: impl FnOnce(), fixed: bool) -> u32 {
        let sets = self.sets.read();
        between();
        let default = sets[0];
        if fixed {
            drop(sets);
        }
        default + self.default_set()
    }

    fn default_set(&self) -> u32 {
        self.sets.read()[0] //~ body sync.RWMutex.RLock
    }

    fn add_container(&self) {
        self.sets.write().push(3); //~ sync.RWMutex.Lock
    }
}

pub(crate) fn program(fixed: bool) {
    let manager = Arc::new(Manager { sets: RwLock::new(vec![1]) });
    let other = manager.clone();
    let writer = || {
        let add = go(move || other.add_container());
        until_waits(add.id(), WaitReason::RwLockWrite);
    };
    manager.reconcile(writer, fixed);
}
