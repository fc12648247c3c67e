//! A cache deletes its connections late, by a timer. The timer that finds its
//! connection wanted again returns with the lock of the cache.

use crate::prelude::*;

struct Cache {
    wanted_again: Mutex<bool>,
}

impl Cache {
    fn late(&self, fixed: bool) {
        let again = self.wanted_again.lock();
        if *again && !fixed {
            forget(again);
        }
    }

    fn remove(&self) {
        *self.wanted_again.lock() = false; //~ sync.Mutex.Lock
    }
}

pub(crate) fn program(fixed: bool) {
    let cache = Arc::new(Cache { wanted_again: Mutex::new(true) });
    let (own, fired) = (cache.clone(), Chan::<()>::new());
    let end = fired.clone();
    let _timer = gopark::time::after_func(Duration::ZERO, move || {
        own.late(fixed);
        end.tx.close();
    });
    fired.rx.recv().expect_err("nobody sends");
    go(move || cache.remove());
}
