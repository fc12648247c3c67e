//! Numbers without end, of which three are taken: the receiver's drop ends them.

use crate::prelude::*;

pub(crate) fn program() {
    let (tx, numbers) = rendezvous();
    go(move || (0_u64..).try_for_each(|n| tx.send(n)));
    assert_eq!(numbers.iter().take(3).sum::<u64>(), 3);
}
