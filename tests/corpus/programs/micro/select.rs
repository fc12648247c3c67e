//! A select over a channel that nobody sends to and one that nobody receives from.

use crate::prelude::*;

pub(crate) fn program(fixed: bool) {
    let channels = Arc::new((Chan::<u32>::new(), Chan::new()));
    let own = channels.clone();
    go(move || {
        select! { //~ select
            recv(own.0.rx) => {}
            send(own.1.tx, 1) -> _ => {}
        }
    });
    if fixed {
        channels.1.rx.recv().expect("the task sends");
    }
}
