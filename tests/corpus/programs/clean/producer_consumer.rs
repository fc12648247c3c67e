//! Producers that close together, by the last handle, and one consumer.

use crate::prelude::*;

pub(crate) fn program() {
    let (tx, rx) = bounded(2);
    for n in 0..3_u32 {
        let tx = tx.clone();
        go(move || (0..4).try_for_each(|m| tx.send(n * 4 + m)));
    }
    drop(tx);
    let consumer = go(move || rx.iter().count());
    assert_eq!(consumer.join().expect("it only counts"), 12);
}
