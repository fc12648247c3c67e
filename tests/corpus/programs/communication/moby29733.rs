//! Plugins are waited for until they are active. One that fails is taken from the
//! list, and who waits for it is not told.

use crate::prelude::*;

#[derive(Default)]
struct Plugin {
    state: Mutex<Option<bool>>,
    changed: Condvar,
}

impl Plugin {
    fn get(&self) -> bool {
        let mut state = self.state.lock();
        while state.is_none() {
            self.changed.wait(&mut state); //~ sync.Cond.Wait
        }
        *state == Some(true)
    }

    fn activate(&self, tell: bool) {
        *self.state.lock() = Some(false);
        if tell {
            self.changed.notify_all();
        }
    }
}

pub(crate) fn program(fixed: bool) {
    let plugin = Arc::new(Plugin::default());
    let own = plugin.clone();
    let waiter = go(move || own.get());
    until_waits(waiter.id(), WaitReason::CondWait);
    plugin.activate(fixed);
}
