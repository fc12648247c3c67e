//! One source, several workers, one sink.

use crate::prelude::*;

pub(crate) fn program() {
    let (tx, source) = rendezvous();
    let (all, sink) = rendezvous();
    for _ in 0..4 {
        let (source, all) = (source.clone(), all.clone());
        go(move || source.iter().try_for_each(|n: u32| all.send(n + 1)));
    }
    drop((source, all));
    let feeder = go(move || (0..20).try_for_each(|n| tx.send(n)));
    assert_eq!(sink.iter().sum::<u32>(), 210);
    feeder.join().expect("it only sends").expect("a worker receives");
}
