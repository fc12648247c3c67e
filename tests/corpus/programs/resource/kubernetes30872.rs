//! A federation's cluster informer takes the lock of the target stores and then its
//! own; an update that goes on through a callback takes its own, and in the callback
//! the stores'.

use crate::prelude::*;

struct Federation {
    clusters: Mutex<Vec<u32>>,
    stores: Mutex<Vec<u32>>,
    both: Barrier,
}

impl Federation {
    fn start(&self, fixed: bool) {
        let outer = fixed.then(|| self.clusters.lock());
        let mut stores = self.stores.lock();
        if outer.is_some() {
            return;
        }
        self.both.wait();
        stores.extend(self.clusters.lock().iter()); //~ sync.Mutex.Lock
    }

    fn on_cluster_change(&self, fixed: bool) {
        let mut clusters = self.clusters.lock();
        clusters.push(1);
        if !fixed {
            self.both.wait();
        }
        self.delivered(&clusters);
    }

    fn delivered(&self, clusters: &[u32]) {
        self.stores.lock().extend(clusters); //~ sync.Mutex.Lock
    }
}

pub(crate) fn program(fixed: bool) {
    let federation = Arc::new(Federation {
        clusters: Mutex::default(),
        stores: Mutex::default(),
        both: Barrier::new(2),
    });
    let other = federation.clone();
    go(move || federation.start(fixed));
    go(move || other.on_cluster_change(fixed));
}
