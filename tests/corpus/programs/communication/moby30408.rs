//! A plugin is waited for with a condition. Its activation fails, and only a success
//! is signalled.

use crate::prelude::*;

#[derive(Default)]
struct Plugin {
    activated: Mutex<Option<Result<(), &'static str>>>,
    changed: Condvar,
}

impl Plugin {
    fn wait_active(&self) -> bool {
        let mut activated = self.activated.lock();
        self.changed.wait_while(&mut activated, |it| it.is_none()); //~ 2 sync.Cond.Wait
        activated.is_some_and(|it| it.is_ok())
    }

    fn activate(&self, fixed: bool) {
        if fixed {
            *self.activated.lock() = Some(Err("no such socket"));
            self.changed.notify_all();
        }
    }
}

pub(crate) fn program(fixed: bool) {
    let plugin = Arc::new(Plugin::default());
    for _ in 0..2 {
        let own = plugin.clone();
        go(move || own.wait_active());
    }
    plugin.activate(fixed);
}
