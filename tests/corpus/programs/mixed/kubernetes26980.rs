//! A listener pops notifications under its lock and waits there to be stopped. Who adds
//! one needs the lock, and who stops it waits for that one.

use crate::prelude::*;

struct Listener {
    pending: Mutex<Vec<u32>>,
    stop: Chan<()>,
}

impl Listener {
    fn pop(&self, inside: &Chan<()>, fixed: bool) {
        let pending = self.pending.lock();
        inside.tx.close();
        if fixed {
            drop(pending);
        }
        self.stop.rx.recv().expect_err("nobody sends"); //~ chan receive
    }

    fn add(&self, n: u32) {
        self.pending.lock().push(n); //~ sync.Mutex.Lock
    }
}

pub(crate) fn program(fixed: bool) {
    let listener = Arc::new(Listener { pending: Mutex::default(), stop: Chan::new() });
    let (own, other, inside) = (listener.clone(), listener.clone(), Chan::<()>::new());
    let (started, added) = (inside.clone(), Chan::<()>::new());
    go(move || own.pop(&inside, fixed));
    started.rx.recv().expect_err("nobody sends");
    let end = added.clone();
    go(move || {
        other.add(1);
        end.tx.close();
    });
    added.rx.recv().expect_err("nobody sends"); //~ body chan receive
    listener.stop.tx.close();
}
