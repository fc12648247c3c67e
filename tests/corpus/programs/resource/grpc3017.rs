//! A cache deletes its connections late, by a timer. The timer that finds its
//! connection wanted again returns with the lock of the cache.

use crate::prelude::*;

struct Cache {
    wanted_again: Mutex<bool>,
}

impl Cache {
    fn late(&self, fixed: bool) {
        let again = self.wanted_again.lock(); //~ sync.Mutex.Lock
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
    let late = |ended: Chan<()>| {
        let own = cache.clone();
        forget(gopark::time::after_func(Duration::ZERO, move || {
            own.late(fixed);
            ended.tx.close();
        }));
    };
    let first = Chan::<()>::new();
    late(first.clone());
    first.rx.recv().expect_err("nobody sends");
    late(Chan::new());
    let (own, done) = (cache.clone(), Chan::<()>::new());
    let end = done.clone();
    go(move || {
        own.remove();
        end.tx.close();
    });
    done.rx.recv().expect_err("nobody sends"); //~ body chan receive
}
