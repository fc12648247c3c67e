//! `gopark::sync::WaitGroup`.

use crate::chan::support::{EACH, Here, PAIRS, Random, Seed, Who};
use gopark::JoinError;
use gopark::chan::bounded;
use gopark::inspect::WaitReason;
use gopark::sync::WaitGroup;
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn nothing_to_wait_for() {
    for who in EACH {
        who.start(|| WaitGroup::new().wait()).join();
    }
}

#[test]
fn wait_ends_when_all_is_done() {
    for (worker, waiter) in PAIRS {
        let here = Here::start();
        let wg = WaitGroup::new();
        let count = Arc::new(AtomicUsize::new(0));
        let (start, started) = bounded::<()>(1);
        wg.add(5);
        for _ in 0..5 {
            let (wg, count, started) = (wg.clone(), count.clone(), started.clone());
            worker.start(move || {
                let _ = started.recv();
                count.fetch_add(1, Ordering::Relaxed);
                wg.done();
            });
        }
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                let (wg, count) = (wg.clone(), count.clone());
                waiter.start(move || {
                    wg.wait();
                    count.load(Ordering::Relaxed)
                })
            })
            .collect();
        here.parked(3, WaitReason::WaitGroupWait);
        drop(start);
        assert!(waiters.into_iter().all(|w| w.join() == 5));
        wg.wait();
    }
}

#[test]
fn it_counts() {
    let wg = WaitGroup::new();
    assert_eq!(format!("{wg:?}"), "WaitGroup { count: 0 }");
    let clone = wg.clone();
    wg.add(3);
    clone.add(2);
    wg.add(0);
    assert_eq!(format!("{wg:?}"), "WaitGroup { count: 5 }");
    wg.done();
    assert_eq!(format!("{wg:?}"), "WaitGroup { count: 4 }");
}

#[test]
fn rounds() {
    for who in EACH {
        let wg = WaitGroup::new();
        for _ in 0..100 {
            wg.add(2);
            for _ in 0..2 {
                let wg = wg.clone();
                who.start(move || wg.done());
            }
            wg.wait();
        }
    }
}

/// The counter goes up again before the waiters run: those of the first round
/// return, those of the second do not.
#[test]
fn a_waiter_returns_if_the_counter_was_zero_for_a_moment() {
    for who in EACH {
        let here = Here::start();
        let wg = WaitGroup::new();
        wg.add(1);
        let first = who.start({
            let wg = wg.clone();
            move || wg.wait()
        });
        here.parked(1, WaitReason::WaitGroupWait);
        wg.done();
        wg.add(1);
        first.join();
        let second = who.start({
            let wg = wg.clone();
            move || wg.wait()
        });
        here.parked(1, WaitReason::WaitGroupWait);
        wg.done();
        second.join();
    }
}

/// Waking many waiters takes a while. Those who come meanwhile, for the next round,
/// are not woken with them.
#[test]
fn the_end_of_a_round_wakes_nobody_of_the_next() {
    for who in [Who::Task, Who::Thread, Who::Thread, Who::Thread] {
        let here = Here::start();
        let wg = WaitGroup::new();
        wg.add(1);
        let waiters: Vec<_> = (0..200)
            .map(|_| {
                let wg = wg.clone();
                gopark::go(move || wg.wait())
            })
            .collect();
        here.parked(200, WaitReason::WaitGroupWait);
        let next = who.start({
            let wg = wg.clone();
            move || {
                while format!("{wg:?}") != "WaitGroup { count: 0 }" {
                    std::hint::spin_loop();
                }
                wg.add(1);
                wg.wait();
            }
        });
        let last = std::thread::spawn({
            let wg = wg.clone();
            move || wg.done()
        });
        last.join().unwrap();
        waiters.into_iter().for_each(|w| w.join().unwrap());
        here.parked(1, WaitReason::WaitGroupWait);
        wg.done();
        next.join();
    }
}

#[test]
fn go_counts_a_task() {
    let here = Here::start();
    let wg = WaitGroup::new();
    let (release, released) = bounded::<()>(1);
    let tasks: Vec<_> = (0..4)
        .map(|i| {
            let released = released.clone();
            wg.go(move || {
                let _ = released.recv();
                i * 10
            })
        })
        .collect();
    here.parked(4, WaitReason::ChanReceive);
    assert_eq!(format!("{wg:?}"), "WaitGroup { count: 4 }");
    drop(release);
    wg.wait();
    let results: Vec<_> = tasks.into_iter().map(|t| t.join().unwrap()).collect();
    assert_eq!(results, [0, 10, 20, 30]);
}

#[test]
fn a_task_that_panics_is_done_too() {
    let wg = WaitGroup::new();
    let task = wg.go(|| panic!("on purpose"));
    wg.wait();
    match task.join() {
        Err(JoinError::Panicked(payload)) => {
            assert_eq!(payload.downcast_ref(), Some(&"on purpose"));
        }
        _ => panic!("the panic is lost"),
    }
}

#[test]
#[should_panic(expected = "sync.WaitGroup: counter below zero")]
fn more_done_than_added() {
    let wg = WaitGroup::new();
    wg.add(1);
    wg.done();
    wg.done();
}

#[test]
fn a_refused_call_changes_nothing() {
    let wg = WaitGroup::new();
    assert!(catch_unwind(|| wg.done()).is_err());
    wg.add(1);
    let result = catch_unwind(AssertUnwindSafe(|| wg.add(usize::MAX)));
    let message = *result.unwrap_err().downcast::<&str>().unwrap();
    assert!(message.contains("above its limit"), "{message}");
    assert_eq!(format!("{wg:?}"), "WaitGroup { count: 1 }");
    wg.done();
    wg.wait();
}

#[test]
fn thread_safety() {
    fn check<T: Send + Sync + UnwindSafe + RefUnwindSafe>() {}
    check::<WaitGroup>();
}

/// Adds, dones and waits in random order; every wait must end, and find that
/// what was counted before it began is done.
#[test]
pub(super) fn random_operations() {
    for seed in 1..=10 {
        let _seed = Seed(seed);
        let mut random = Random::new(seed);
        let wg = WaitGroup::new();
        let open = Arc::new(AtomicUsize::new(0));
        let mut running = Vec::new();
        for _ in 0..20 {
            let who = EACH[random.below(2) as usize];
            let count = 1 + random.below(4) as usize;
            wg.add(count);
            open.fetch_add(count, Ordering::Relaxed);
            for _ in 0..count {
                let (wg, open) = (wg.clone(), open.clone());
                let yields = random.below(4);
                running.push(who.start(move || {
                    (0..yields).for_each(|_| who.yield_now());
                    open.fetch_sub(1, Ordering::Relaxed);
                    wg.done();
                }));
            }
            let who = EACH[random.below(2) as usize];
            let wg = wg.clone();
            running.push(who.start(move || wg.wait()));
        }
        wg.wait();
        assert_eq!(open.load(Ordering::Relaxed), 0);
        running.into_iter().for_each(|r| r.join());
    }
}
