//! A global wait group with one more to come, who does not.

use crate::prelude::*;
use std::sync::LazyLock;

static PENDING: LazyLock<WaitGroup> = LazyLock::new(WaitGroup::new);

pub(crate) fn program(fixed: bool) {
    PENDING.add(1);
    go(|| PENDING.wait()); //~ sync.WaitGroup.Wait
    if fixed {
        PENDING.done();
    }
}
