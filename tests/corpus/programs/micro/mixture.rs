//! Three tasks that wait for each other by a lock, a group and a channel, and a
//! fourth that waits for one of them to end.

use crate::prelude::*;

pub(crate) fn program(fixed: bool) {
    let (lock, group, channel) = (Arc::new(Mutex::new(())), WaitGroup::new(), Chan::new());
    group.add(1);
    let (held, waits) = (lock.clone(), group.clone());
    let holder = go(move || {
        let _held = held.lock();
        waits.wait(); //~ sync.WaitGroup.Wait
    });
    until_waits(holder.id(), WaitReason::WaitGroupWait);
    let (own, done) = (channel.clone(), group.clone());
    go(move || {
        own.rx.recv().expect("it is open"); //~ chan receive
        done.done();
    });
    let early = fixed.then(|| channel.tx.clone());
    let third = go(move || {
        if let Some(tx) = early {
            tx.send(()).expect("a task receives");
        }
        drop(lock.lock()); //~ sync.Mutex.Lock
        if !fixed {
            channel.tx.send(()).expect("a task receives");
        }
    });
    go(move || third.join()); //~ join
}
