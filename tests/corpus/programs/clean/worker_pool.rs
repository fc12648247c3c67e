//! Workers share a queue, and end when it is closed and empty.

use crate::prelude::*;

pub(crate) fn program() {
    let (jobs, queue) = bounded(8);
    let (answers, results) = rendezvous();
    for _ in 0..3 {
        let (queue, answers) = (queue.clone(), answers.clone());
        go(move || queue.iter().try_for_each(|n: u32| answers.send(n * n)));
    }
    drop((queue, answers));
    go(move || (1..=10).try_for_each(|n| jobs.send(n)));
    assert_eq!(results.iter().sum::<u32>(), 385);
}
