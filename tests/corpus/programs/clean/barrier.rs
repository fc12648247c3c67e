//! Rounds that all begin together.

use crate::prelude::*;

pub(crate) fn program() {
    let barrier = Arc::new(Barrier::new(3));
    for _ in 0..2 {
        let barrier = barrier.clone();
        go(move || (0..3).filter(|_| barrier.wait().is_leader()).count());
    }
    for _ in 0..3 {
        barrier.wait();
    }
}
