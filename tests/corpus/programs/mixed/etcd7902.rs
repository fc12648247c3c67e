//! A follower waits under the lock of the round for the leader to open the next one. The
//! leader needs the lock to get there.

use crate::prelude::*;

struct Round {
    lock: Mutex<u32>,
    next: Chan<()>,
}

impl Round {
    fn follow(&self, inside: &Chan<()>, fixed: bool) {
        let round = self.lock.lock();
        inside.tx.close();
        if fixed {
            drop(round);
        }
        self.next.rx.recv().expect_err("nobody sends"); //~ chan receive
    }

    fn lead(&self, inside: &Chan<()>) {
        inside.rx.recv().expect_err("nobody sends");
        let _round = self.lock.lock(); //~ sync.Mutex.Lock
        self.next.tx.close();
    }
}

pub(crate) fn program(fixed: bool) {
    let round = Arc::new(Round { lock: Mutex::new(0), next: Chan::new() });
    let (all, inside) = (WaitGroup::new(), Chan::new());
    let (leader, started) = (round.clone(), inside.clone());
    all.go(move || round.follow(&inside, fixed));
    all.go(move || leader.lead(&started));
    all.wait(); //~ body sync.WaitGroup.Wait
}
