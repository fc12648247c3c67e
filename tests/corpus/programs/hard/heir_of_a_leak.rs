//! A leaked task, when it is ended, starts another one in its destructor.

use crate::prelude::*;

struct Heir(Receiver<()>);

impl Drop for Heir {
    fn drop(&mut self) {
        let inherited = self.0.clone();
        go(move || inherited.recv());
    }
}

pub(crate) fn program(fixed: bool) {
    let (tx, rx) = rendezvous::<()>();
    let heir = Heir(rx.clone());
    go(move || {
        let _heir = heir;
        rx.recv() //~ chan receive
    });
    if fixed {
        drop(tx);
    } else {
        forget(tx);
    }
}
