//! At most two at a time.

use crate::prelude::*;

pub(crate) fn program() {
    let (permits, group) = (Arc::new(Semaphore::new(2)), WaitGroup::new());
    for _ in 0..6 {
        let permits = permits.clone();
        group.go(move || {
            let _permit = permits.acquire(1);
            yield_now();
        });
    }
    group.wait();
    assert_eq!(permits.available(), 2);
}
