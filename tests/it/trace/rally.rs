//! What is traced: two workers that wait for each other.

use gopark::chan;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A ball goes to and fro so many times between two tasks, each bound to a worker of its
/// own: neither leaves its thread before both have one.
pub(super) fn rally(rounds: usize) {
    let (there, back) = (chan::rendezvous::<usize>(), chan::rendezvous::<usize>());
    let on_court = Arc::new(AtomicUsize::new(0));
    let enter = move || {
        on_court.fetch_add(1, Ordering::SeqCst);
        while on_court.load(Ordering::SeqCst) != 2 {
            std::hint::spin_loop();
        }
    };
    let enter_too = enter.clone();
    let first = gopark::go(move || {
        enter();
        for round in 0..rounds {
            there.0.send(round).unwrap();
            assert_eq!(back.1.recv(), Ok(round));
        }
    });
    let second = gopark::go(move || {
        enter_too();
        there.1.into_iter().for_each(|ball| back.0.send(ball).unwrap());
    });
    [first, second].into_iter().for_each(|task| task.join().unwrap());
}
