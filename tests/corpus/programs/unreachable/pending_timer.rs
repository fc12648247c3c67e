//! A select that a timer will end, to begin again.

use crate::prelude::*;

pub(crate) fn program(fixed: bool) {
    let stop = Arc::new(Chan::<()>::new());
    if fixed {
        stop.tx.close();
    }
    // The task has both ends.
    go(move || {
        loop {
            select! { //~ select
                recv(stop.rx) => return,
                after(Duration::from_secs(60)) => {}
            }
        }
    });
}
