//! A send to a channel that was never made.

use crate::prelude::*;

pub(crate) fn program(fixed: bool) {
    let (made, rx) = rendezvous();
    let channel = if fixed { made } else { never_sender() };
    go(move || channel.send(1)); //~ chan send (nil chan)
    drop(rx);
}
