//! Who waits for a signal keeps a second lock, without which nobody can signal.

use crate::prelude::*;

#[derive(Default)]
struct Queue {
    outer: Mutex<u32>,
    items: Mutex<Vec<u32>>,
    more: Condvar,
}

pub(crate) fn program(fixed: bool) {
    let queue = Arc::new(Queue::default());
    let own = queue.clone();
    let taker = go(move || {
        let outer = own.outer.lock();
        if fixed {
            drop(outer);
        }
        own.more.wait_while(&mut own.items.lock(), |items| items.is_empty()); //~ sync.Cond.Wait
    });
    until_waits(taker.id(), WaitReason::CondWait);
    go(move || {
        *queue.outer.lock() += 1; //~ sync.Mutex.Lock
        queue.items.lock().push(1);
        queue.more.notify_one();
    });
}
