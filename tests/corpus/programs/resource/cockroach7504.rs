//! Two locks in two orders: the acquisition of a lease takes the lease's state and
//! then the name cache, an expiry takes them the other way round.

use crate::prelude::*;

struct Leases {
    state: Mutex<Vec<u32>>,
    names: Mutex<Vec<&'static str>>,
    both: Barrier,
}

impl Leases {
    fn acquire(&self, fixed: bool) {
        let mut state = self.state.lock();
        state.push(1);
        if !fixed {
            self.both.wait();
        }
        self.names.lock().push("a table"); //~ sync.Mutex.Lock
    }

    fn expire(&self, fixed: bool) {
        if fixed {
            self.state.lock().pop();
            self.names.lock().pop();
            return;
        }
        let mut names = self.names.lock();
        self.both.wait();
        names.pop();
        self.state.lock().pop(); //~ sync.Mutex.Lock
    }
}

pub(crate) fn program(fixed: bool) {
    let leases = Arc::new(Leases {
        state: Mutex::default(),
        names: Mutex::default(),
        both: Barrier::new(2),
    });
    let other = leases.clone();
    go(move || leases.acquire(fixed));
    go(move || other.expire(fixed));
}
