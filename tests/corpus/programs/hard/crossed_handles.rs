//! Two tasks, each of which has the sender that the other one would have to drop.

use crate::prelude::*;

pub(crate) fn program(fixed: bool) {
    let (tx, rx) = rendezvous::<()>();
    let (back, answers) = rendezvous::<()>();
    go(move || {
        let _mine = back;
        rx.iter().count() //~ chan receive
    });
    go(move || {
        if fixed {
            drop(tx);
            return answers.iter().count();
        }
        let _mine = tx;
        answers.iter().count() //~ chan receive
    });
}
