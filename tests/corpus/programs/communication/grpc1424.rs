//! A balancer's watcher ends with its first error, and does not wait for the
//! connections that it has asked to report on its channel.

use crate::prelude::*;

struct Balancer {
    addresses: Chan<Result<u32, &'static str>>,
    done: Chan<u32>,
}

impl Balancer {
    fn watch(self: &Arc<Self>, fixed: bool) {
        let mut asked = 0;
        while let Ok(Ok(address)) = self.addresses.rx.recv() {
            let own = self.clone();
            go(move || own.done.tx.send(address).expect("the watcher reads")); //~ 2 chan send
            asked += 1;
        }
        if fixed {
            self.done.rx.iter().take(asked).count();
        }
    }
}

pub(crate) fn program(fixed: bool) {
    let balancer = Arc::new(Balancer { addresses: Chan::new(), done: Chan::new() });
    let watcher = balancer.clone();
    let watcher = go(move || watcher.watch(fixed));
    for address in [Ok(1), Ok(2), Err("gone")] {
        balancer.addresses.tx.send(address).expect("it watches");
    }
    watcher.join().expect("it got an error");
}
