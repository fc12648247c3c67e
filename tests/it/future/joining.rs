//! A handle that is awaited.

use super::{Bells, pending, ready};
use crate::support::{Gate, Tally, for_ever, parked, until};
use gopark::inspect::WaitReason;
use gopark::{JoinError, Scope, block_on, go, spawn_future};
use std::future::IntoFuture;
use std::task::Waker;

#[test]
fn the_result_comes() {
    let gate = Gate::new();
    let passes = gate.clone();
    let task = go(move || {
        passes.pass();
        "done".to_owned()
    });
    let waits = spawn_future(async { task.await.unwrap() });
    parked(waits.id(), WaitReason::BlockOn);
    gate.open();
    assert_eq!(waits.join().unwrap(), "done");
    assert_eq!(block_on(go(|| 1)).unwrap(), 1);
}

#[test]
fn the_errors_are_those_of_a_join() {
    let panics = go(|| panic!("seen by the one who waits"));
    assert!(matches!(block_on(panics), Err::<(), _>(JoinError::Panicked(_))));
    let exits = go(|| gopark::goexit());
    assert!(matches!(block_on(exits), Err(JoinError::Exited)));
    let scope = Scope::new("reaped");
    let task = {
        let _in = scope.enter();
        go(for_ever)
    };
    let (bells, waker) = Bells::new();
    let mut end = task.into_future();
    pending(&mut end, &waker);
    scope.reap();
    until("it rings", || bells.count() == 1);
    assert!(matches!(ready(&mut end), Err(JoinError::Reaped)));
}

#[test]
fn the_latest_waker_is_woken_once() {
    let gate = Gate::new();
    let passes = gate.clone();
    let mut end = go(move || passes.pass()).into_future();
    let (early, early_waker) = Bells::new();
    let (late, late_waker) = Bells::new();
    pending(&mut end, &early_waker);
    pending(&mut end, &late_waker);
    gate.open();
    until("it rings", || late.count() == 1);
    ready(&mut end).unwrap();
    assert_eq!((early.count(), late.count()), (0, 1));
}

#[test]
fn dropped_it_detaches_the_task() {
    let drops = Tally::new();
    for polled in [false, true] {
        let gate = Gate::new();
        let (passes, mark) = (gate.clone(), drops.mark());
        let mut end = go(move || {
            passes.pass();
            mark
        })
        .into_future();
        let (bells, waker) = Bells::new();
        if polled {
            pending(&mut end, &waker);
        }
        drop(end);
        gate.open();
        until("the result is dropped", || drops.count() == 1 + usize::from(polled));
        assert_eq!(bells.count(), 0);
    }
}

/// At any moment of the other's end.
#[test]
fn ends_and_drops_meet() {
    let drops = Tally::new();
    const TURNS: usize = 2000;
    for turn in 0..TURNS {
        let mark = drops.mark();
        let mut end = go(move || mark).into_future();
        if turn % 3 != 0 {
            let _ = super::poll(&mut end, Waker::noop()).map(drop);
        }
        if turn % 2 == 0 {
            gopark::yield_now();
        }
    }
    until("all is dropped", || drops.count() == TURNS);
}
