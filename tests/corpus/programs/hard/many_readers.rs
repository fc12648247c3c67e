//! More readers than a lock can remember, and one of them never ends.

use crate::prelude::*;

pub(crate) fn program(fixed: bool) {
    let lock = Arc::new(RwLock::new(0));
    let all = Arc::new(Barrier::new(7));
    let readers: Vec<_> = (0..6)
        .map(|n| {
            let (lock, all) = (lock.clone(), all.clone());
            go(move || {
                let guard = lock.read();
                all.wait();
                if n == 5 && !fixed {
                    forget(guard);
                }
            })
        })
        .collect();
    all.wait();
    readers.into_iter().for_each(|reader| reader.join().expect("it only reads"));
    go(move || *lock.write() += 1); //~ sync.RWMutex.Lock
}
