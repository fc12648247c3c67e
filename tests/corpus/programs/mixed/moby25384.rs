//! Plugins are restored by a task each. The wait for all of them stands inside of the
//! loop that starts them.

use crate::prelude::*;

fn restore(plugins: usize, fixed: bool) {
    let group = WaitGroup::new();
    group.add(plugins);
    for _ in 0..plugins {
        let done = group.clone();
        go(move || done.done());
        if !fixed {
            group.wait(); //~ body sync.WaitGroup.Wait
        }
    }
    group.wait();
}

pub(crate) fn program(fixed: bool) {
    restore(2, fixed);
}
