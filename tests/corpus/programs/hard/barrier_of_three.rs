//! A barrier for three, to which two come.

use crate::prelude::*;

pub(crate) fn program(fixed: bool) {
    let barrier = Arc::new(Barrier::new(3));
    for _ in 0..if fixed { 3 } else { 2 } {
        let barrier = barrier.clone();
        go(move || barrier.wait()); //~ 2 sync.Barrier.Wait
    }
}
