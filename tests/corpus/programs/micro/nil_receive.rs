//! A receive from a channel that was never made.

use crate::prelude::*;

pub(crate) fn program(fixed: bool) {
    let (tx, made) = rendezvous::<()>();
    let channel = if fixed { made } else { never() };
    go(move || channel.recv()); //~ chan receive (nil chan)
    drop(tx);
}
