//! A listener pops notifications under its lock and waits for one there; who adds one
//! needs the lock.

use crate::prelude::*;

struct Listener {
    pending: Mutex<Vec<u32>>,
    next: Chan<u32>,
}

impl Listener {
    fn pop(&self, inside: &Chan<()>, fixed: bool) {
        let pending = self.pending.lock();
        inside.tx.close();
        if fixed {
            drop(pending);
        }
        self.next.rx.recv().expect("one is added"); //~ chan receive
    }

    fn add(&self, n: u32) {
        self.pending.lock().push(n); //~ sync.Mutex.Lock
        self.next.tx.send(n).expect("somebody pops");
    }
}

pub(crate) fn program(fixed: bool) {
    let listener = Arc::new(Listener { pending: Mutex::default(), next: Chan::new() });
    let (other, inside) = (listener.clone(), Chan::new());
    let started = inside.clone();
    go(move || listener.pop(&inside, fixed));
    started.rx.recv().expect_err("nobody sends");
    go(move || other.add(1));
}
