//! A wait group is counted down once too often, which panics in a task that nobody joins.

use crate::prelude::*;

pub(crate) fn program(fixed: bool) {
    let group = WaitGroup::new();
    group.add(if fixed { 2 } else { 1 });
    go(move || { //~ panicked
        group.done();
        group.done();
    });
}
