//! Stages, each of which ends with the one before it.

use crate::prelude::*;

fn stage(from: Receiver<u32>, f: impl Fn(u32) -> u32 + Send + 'static) -> Receiver<u32> {
    let (tx, rx) = rendezvous();
    go(move || from.iter().try_for_each(|n| tx.send(f(n))));
    rx
}

pub(crate) fn program() {
    let (tx, numbers) = rendezvous();
    go(move || (1..=5).try_for_each(|n| tx.send(n)));
    let squares = stage(stage(numbers, |n| n + 1), |n| n * n);
    assert_eq!(squares.iter().sum::<u32>(), 4 + 9 + 16 + 25 + 36);
}
