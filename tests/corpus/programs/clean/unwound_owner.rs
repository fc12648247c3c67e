//! Who has a lock and a group's count panics, is joined, and gives both back.

use crate::prelude::*;

pub(crate) fn program() {
    let (lock, group) = (Arc::new(Mutex::new(0)), WaitGroup::new());
    let own = lock.clone();
    let owner = group.go(move || {
        let _guard = own.lock();
        std::panic::resume_unwind(Box::new("as it should"));
    });
    group.wait();
    owner.join().expect_err("it panics");
    go(move || *lock.lock() += 1);
}
