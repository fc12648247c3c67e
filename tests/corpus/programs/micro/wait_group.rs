//! A wait group that is counted up once more than down.

use crate::prelude::*;

pub(crate) fn program(fixed: bool) {
    let group = WaitGroup::new();
    group.add(if fixed { 1 } else { 2 });
    let waiter = group.clone();
    go(move || waiter.wait()); //~ sync.WaitGroup.Wait
    group.done();
}
