//! A token is handed to its keeper under the lock of the tokens. The keeper is about
//! to delete an expired one, and wants that lock.

use crate::prelude::*;

struct Tokens {
    known: Mutex<Vec<u32>>,
    added: Chan<u32>,
}

impl Tokens {
    fn assign(&self, token: u32, fixed: bool) {
        let mut known = self.known.lock();
        known.push(token);
        if fixed {
            drop(known);
        }
        let _ = self.added.tx.send(token); //~ chan send
    }

    fn keep(&self, between: impl FnOnce()) {
        self.added.rx.recv().expect("it is open");
        between();
        self.known.lock().clear(); //~ sync.Mutex.Lock
        self.added.rx.close();
    }
}

pub(crate) fn program(fixed: bool) {
    let tokens = Arc::new(Tokens { known: Mutex::default(), added: Chan::new() });
    let keeper = tokens.clone();
    go(move || {
        let user = keeper.clone();
        keeper.keep(move || {
            let second = go(move || user.assign(2, fixed));
            until_waits(second.id(), WaitReason::ChanSend);
        });
    });
    tokens.assign(1, fixed);
}
