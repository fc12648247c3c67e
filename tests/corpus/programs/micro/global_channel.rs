//! A task that waits on a channel of the whole program, which everybody can reach.
//! That is a leak if nobody does, and none if the one who should is only late.

use crate::prelude::*;
use std::sync::LazyLock;

static EVENTS: LazyLock<Chan<u32>> = LazyLock::new(Chan::new);

pub(crate) fn program(fixed: bool) {
    go(|| EVENTS.rx.recv()); //~ chan receive
    if fixed {
        go(|| {
            gopark::sleep(Duration::from_millis(50));
            EVENTS.tx.send(1).expect("it is open");
        });
    }
}
