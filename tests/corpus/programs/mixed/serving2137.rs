//! A breaker lets one request in at a time. Two requests have each a lock that the
//! test holds; the test lets the first go on and waits to hear of it, but the second
//! has come in first, and waits for its lock.

use crate::prelude::*;

struct Breaker {
    active: Chan<()>,
}

impl Breaker {
    fn request(&self, lock: &Mutex<()>, accepted: &Sender<()>) {
        self.active.tx.send(()).expect("it is open"); //~ chan send
        drop(lock.lock()); //~ sync.Mutex.Lock
        self.active.rx.recv().expect("it is in");
        accepted.send(()).expect("the test waits");
    }
}

pub(crate) fn program(fixed: bool) {
    let breaker = Arc::new(Breaker { active: Chan::buffered(1) });
    let locks = [Arc::new(Mutex::new(())), Arc::new(Mutex::new(()))];
    let held = locks.each_ref().map(|lock| lock.lock());
    let (accepted, answers) = bounded(2);
    for (n, waits) in [(1, WaitReason::MutexLock), (0, WaitReason::ChanSend)] {
        let (own, lock, accepted) = (breaker.clone(), locks[n].clone(), accepted.clone());
        let request = go(move || own.request(&lock, &accepted));
        until_waits(request.id(), waits);
    }
    let [first, second] = held;
    drop(first);
    if fixed {
        drop(second);
        assert_eq!(answers.iter().take(2).count(), 2);
        return;
    }
    answers.recv().expect("it is accepted"); //~ body chan receive
    drop(second);
}
