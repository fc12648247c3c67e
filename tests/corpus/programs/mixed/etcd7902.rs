//! A follower reports to the leader under the lock of the round. The leader takes
//! that lock to end the round, before it reads.

use crate::prelude::*;

struct Round {
    lock: Mutex<u32>,
    reports: Chan<u32>,
}

impl Round {
    fn follow(&self, n: u32, inside: &Chan<()>, fixed: bool) {
        let mut round = self.lock.lock();
        *round += 1;
        inside.tx.close();
        if fixed {
            drop(round);
        }
        self.reports.tx.send(n).expect("the leader reads"); //~ chan send
    }

    fn lead(&self, inside: &Chan<()>) {
        inside.rx.recv().expect_err("nobody sends");
        *self.lock.lock() += 1; //~ sync.Mutex.Lock
        self.reports.rx.recv().expect("a follower reports");
    }
}

pub(crate) fn program(fixed: bool) {
    let round = Arc::new(Round { lock: Mutex::new(0), reports: Chan::new() });
    let inside = Chan::new();
    let (leader, started) = (round.clone(), inside.clone());
    go(move || round.follow(1, &inside, fixed));
    go(move || leader.lead(&started));
}
