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
    let (keeper, users) = (tokens.clone(), WaitGroup::new());
    users.add(1);
    let second = users.clone();
    go(move || {
        let user = keeper.clone();
        keeper.keep(move || {
            let user = go(move || {
                user.assign(2, fixed);
                second.done();
            });
            until_waits(user.id(), WaitReason::ChanSend);
        });
    });
    users.go(move || tokens.assign(1, fixed));
    users.wait(); //~ body sync.WaitGroup.Wait
}
