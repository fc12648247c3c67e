//! Reaping at the same moment as everything else.

use super::go_in;
use crate::child::{alone, here};
use crate::support::{Tally, for_ever, until};
use gopark::sync::Mutex;
use gopark::{JoinError, Scope, chan};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Parents that join children that just end, while all of them are reaped.
#[test]
fn a_join_that_is_reaped_while_the_child_ends() {
    alone(here!(), &[("GOPARK_MAXPROCS", "2")], || {
        for round in 0..3000 {
            let (scope, drops) = (Scope::new("families"), Tally::new());
            for n in 0..4 {
                let (outer, inner) = (drops.mark(), drops.mark());
                drop(go_in(&scope, move || {
                    let _outer = outer;
                    let child = gopark::go(move || {
                        let _inner = inner;
                        for _ in 0..(n * 37 + round) % 300 {
                            std::hint::spin_loop();
                        }
                    });
                    child.join().map_err(|error| error.to_string())
                }));
            }
            for _ in 0..round % 500 {
                std::hint::spin_loop();
            }
            assert_eq!(scope.reap().abandoned, 0, "in round {round}");
            assert_eq!(scope.live(), 0, "in round {round}");
            until("all is dropped", || drops.count() == 8);
        }
    });
}

/// Tasks of another scope are born into records whose tasks were just reaped.
#[test]
fn a_neighbour_with_a_used_record_is_spared() {
    alone(here!(), &[("GOPARK_MAXPROCS", "2")], || {
        let stop = Arc::new(AtomicBool::new(false));
        let (spared, over) = (Scope::new("spared"), stop.clone());
        // Short lives, one after the other, each with a park in it.
        let neighbour = go_in(&spared, move || {
            let mut lives = 0;
            while !over.load(Ordering::SeqCst) {
                let (tx, rx) = chan::rendezvous();
                let life = gopark::go(move || rx.recv());
                gopark::yield_now();
                tx.send(lives).unwrap();
                match life.join() {
                    Ok(got) => assert_eq!(got, Ok(lives)),
                    Err(error) => panic!("life {lives} of another scope: {error}"),
                }
                lives += 1;
            }
            lives
        });
        for _ in 0..3000 {
            let scope = Scope::new("reaped");
            for _ in 0..20 {
                drop(go_in(&scope, || drop(gopark::go(gopark::yield_now))));
            }
            assert_eq!(scope.reap().abandoned, 0);
        }
        stop.store(true, Ordering::SeqCst);
        assert!(neighbour.join().unwrap() > 0);
    });
}

/// Everything that can end a park at once: partner, timer, reaper.
#[test]
fn a_park_is_ended_by_one_of_three() {
    alone(here!(), &[], || {
        for round in 0..500_u64 {
            let (scope, drops) = (Scope::new("three"), Tally::new());
            let (tx, rx) = chan::rendezvous();
            let receivers: Vec<_> = (0..8)
                .map(|n| {
                    let (rx, mark) = (rx.clone(), drops.mark());
                    let limit = Duration::from_micros((n * 29 + round) % 200);
                    go_in(&scope, move || {
                        let _mark = mark;
                        rx.recv_timeout(limit)
                    })
                })
                .collect();
            drop(rx);
            let sender =
                std::thread::spawn(move || (0..8).take_while(|n| tx.send(*n).is_ok()).count());
            let reaped = scope.reap();
            assert_eq!((reaped.abandoned, scope.live(), drops.count()), (0, 0, 8));
            let mut got = 0;
            for receiver in receivers {
                match receiver.join() {
                    Ok(Ok(_)) => got += 1,
                    Ok(Err(_)) | Err(JoinError::Reaped) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            let sent = sender.join().unwrap();
            assert_eq!(sent, got, "every value that was sent came to somebody");
        }
    });
}

/// Several reapers of one scope.
#[test]
fn two_may_reap_at_once() {
    alone(here!(), &[], || {
        for _ in 0..100 {
            let (scope, drops) = (Scope::new("twice"), Tally::new());
            for _ in 0..20 {
                let mark = drops.mark();
                drop(go_in(&scope, move || {
                    let _mark = mark;
                    for_ever();
                }));
            }
            let second = std::thread::spawn({
                let scope = scope.clone();
                move || scope.reap().abandoned
            });
            assert_eq!(scope.reap().abandoned, 0);
            assert_eq!(scope.live(), 0);
            assert_eq!(second.join().unwrap(), 0);
            assert_eq!(drops.count(), 20);
        }
    });
}

/// Timers that start tasks in the scope while it is reaped, and just after.
#[test]
fn a_task_that_a_timer_starts_is_not_abandoned() {
    alone(here!(), &[("GOPARK_MAXPROCS", "2")], || {
        for round in 0..4000_u64 {
            let scope = Scope::new("timers");
            let entered = scope.enter();
            for n in 0..8 {
                let soon = Duration::from_micros((round % 50) + n);
                drop(gopark::time::after_func(soon, || ()));
            }
            drop(entered);
            let end = Instant::now() + Duration::from_micros(round % 50);
            while Instant::now() < end {
                std::hint::spin_loop();
            }
            assert_eq!(scope.reap().abandoned, 0, "in round {round}");
            until("the last of them has ended", || scope.live() == 0);
        }
    });
}

/// Counts its drop in a value behind a lock.
struct Locks(Arc<Mutex<usize>>);

impl Drop for Locks {
    fn drop(&mut self) {
        *self.0.lock() += 1;
    }
}

/// What a task was to use is dropped as by an unwind, also if the task has not begun:
/// a call in a destructor does what it says, and is not where the task ends.
#[test]
fn destructors_of_those_that_never_started_run_to_their_end() {
    alone(here!(), &[("GOPARK_MAXPROCS", "2")], || {
        for round in 0..100 {
            let (scope, count) = (Scope::new("not begun"), Arc::new(Mutex::new(0)));
            for _ in 0..20 {
                let held = Locks(count.clone());
                drop(go_in(&scope, move || {
                    let _held = held;
                    for_ever();
                }));
            }
            assert_eq!(scope.reap().abandoned, 0);
            assert_eq!(*count.lock(), 20, "in round {round}");
        }
    });
}
