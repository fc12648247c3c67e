//! A loop over a channel that nobody closes, as the producer keeps its handle.

use crate::prelude::*;

pub(crate) fn program(fixed: bool) {
    let queue = Arc::new(Chan::buffered(4));
    for n in 0..3 {
        queue.tx.send(n).expect("there is room");
    }
    let worker = queue.clone();
    go(move || worker.rx.iter().sum::<u32>()); //~ chan receive
    if fixed {
        queue.tx.close();
    }
}
