//! Who dials waits for the word that the balancer's first addresses have been seen. Its
//! watcher ends without giving that word when there are no addresses.

use crate::prelude::*;

struct Balancer {
    addresses: Chan<u32>,
    done: Chan<()>,
}

impl Balancer {
    fn watch(&self, fixed: bool) {
        for _address in &self.addresses.rx {
            self.done.tx.close();
        }
        if fixed {
            self.done.tx.close();
        }
    }

    fn dial(self: &Arc<Self>, fixed: bool) {
        let own = self.clone();
        go(move || own.watch(fixed));
        self.done.rx.recv().expect_err("nobody sends"); //~ chan receive
    }
}

pub(crate) fn program(fixed: bool) {
    let balancer = Arc::new(Balancer { addresses: Chan::new(), done: Chan::new() });
    let own = balancer.clone();
    go(move || own.dial(fixed));
    balancer.addresses.tx.close();
}
