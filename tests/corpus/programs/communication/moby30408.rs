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
        self.changed.wait_while(&mut activated, |it| it.is_none()); //~ sync.Cond.Wait
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
    let (own, done) = (plugin.clone(), Chan::<()>::new());
    let end = done.clone();
    go(move || {
        own.wait_active();
        end.tx.close();
    });
    plugin.activate(fixed);
    done.rx.recv().expect_err("nobody sends"); //~ body chan receive
}
