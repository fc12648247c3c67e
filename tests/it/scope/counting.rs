//! `live` and `born` while everybody spawns.

use super::go_in;
use crate::support::{Gate, Tally, spin_until, until};
use gopark::{JoinHandle, Scope};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn counts_are_exact_when_nothing_moves() {
    let scope = Scope::new("counted");
    let gate = Gate::new();
    // Born on several processors, and by threads that hold none.
    let spawners: Vec<_> = (0..8)
        .map(|n| {
            let (inside, gate) = (scope.clone(), gate.clone());
            let spawn = move || {
                let held = || gate.clone();
                let start = |held: Gate| go_in(&inside, move || held.pass());
                (0..250).map(|_| start(held())).collect::<Vec<JoinHandle<()>>>()
            };
            std::thread::spawn(move || match n % 2 {
                0 => spawn(),
                _ => gopark::go(spawn).join().unwrap(),
            })
        })
        .collect();
    let tasks: Vec<_> = spawners.into_iter().flat_map(|s| s.join().unwrap()).collect();
    assert_eq!((scope.live(), scope.born()), (2000, 2000));
    gate.open();
    tasks.into_iter().for_each(|task| task.join().unwrap());
    assert_eq!((scope.live(), scope.born()), (0, 2000));
}

#[test]
fn others_do_not_count() {
    let scope = Scope::new("alone");
    let gate = Gate::new();
    let held = gate.clone();
    let other = gopark::go(move || held.pass());
    assert_eq!((scope.live(), scope.born()), (0, 0));
    gate.open();
    other.join().unwrap();
    assert_eq!((scope.live(), scope.born()), (0, 0));
}

#[test]
fn a_joined_task_is_not_alive() {
    let scope = Scope::new("joined");
    for n in 1..=5000 {
        go_in(&scope, || ()).join().unwrap();
        assert_eq!((scope.live(), scope.born()), (0, n));
    }
}

/// A chain of tasks, each of which makes the next and ends: at every moment at
/// least one is alive, so nobody may see none.
#[test]
fn zero_is_never_seen_while_a_task_lives() {
    fn link(left: u32, over: Arc<AtomicBool>) {
        if left == 0 {
            over.store(true, Ordering::SeqCst);
        } else {
            drop(gopark::go(move || link(left - 1, over)));
        }
    }
    for _ in 0..20 {
        let (scope, over) = (Scope::new("chain"), Arc::new(AtomicBool::new(false)));
        let last = over.clone();
        drop(go_in(&scope, move || link(2000, last)));
        spin_until("the chain is over", || scope.live() == 0);
        assert!(over.load(Ordering::SeqCst), "a link was alive and not counted");
        assert_eq!(scope.born(), 2001);
    }
}

#[test]
fn bursts_from_everywhere_add_up() {
    let (scope, ran) = (Scope::new("bursts"), Tally::new());
    let bursts: Vec<_> = (0..6)
        .map(|_| {
            let (inside, ran) = (scope.clone(), ran.clone());
            std::thread::spawn(move || {
                for _ in 0..2000 {
                    let ran = ran.clone();
                    drop(go_in(&inside, move || drop(gopark::go(move || ran.add()))));
                }
            })
        })
        .collect();
    bursts.into_iter().for_each(|burst| burst.join().unwrap());
    until("all have ended", || scope.live() == 0);
    assert_eq!((scope.born(), ran.count()), (24_000, 12_000));
}
