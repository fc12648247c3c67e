//! `gopark::sync::Semaphore`.
//!
//! What others got wrong, and the test here:
//!
//! | learned from | what went wrong | test |
//! |---|---|---|
//! | embassy#6964, golang x/sync | a cancelled first waiter kept those behind it waiting | `those_behind_one_that_gives_up_are_served` |
//! | tokio#4618 | permits went to a waiter that was giving up, and were lost | `random_operations` |
//! | golang x/sync | a request for more than there is held up the others | `what_can_never_be_had_holds_up_nobody` |

use super::go_in;
use crate::chan::support::{EACH, Here, PAIRS, Random, Running, Seed};
use crate::support::parked;
use gopark::context::{Context, ContextError};
use gopark::inspect::WaitReason;
use gopark::sync::{Semaphore, TimeoutError};
use gopark::{JoinError, Scope};
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[test]
pub(super) fn no_more_than_there_are() {
    for (odd, even) in PAIRS {
        let semaphore = Arc::new(Semaphore::new(5));
        let inside = Arc::new(AtomicUsize::new(0));
        let all: Vec<_> = (0..8)
            .map(|i| {
                let (semaphore, inside) = (semaphore.clone(), inside.clone());
                let who = if i % 2 == 0 { even } else { odd };
                who.start(move || {
                    for n in 0..40 {
                        let count = 1 + (n + i) % 3;
                        let permit = semaphore.acquire(count);
                        assert!(inside.fetch_add(count, Ordering::Relaxed) + count <= 5);
                        who.yield_now();
                        inside.fetch_sub(permit.count(), Ordering::Relaxed);
                    }
                })
            })
            .collect();
        all.into_iter().for_each(|a| a.join());
        assert_eq!(semaphore.available(), 5);
    }
}

#[test]
fn waiters_are_served_in_order_however_much_they_want() {
    for (odd, even) in PAIRS {
        let here = Here::start();
        let semaphore = Arc::new(Semaphore::new(3));
        let order = Arc::new(gopark::sync::Mutex::new(Vec::new()));
        let all_of_them = semaphore.acquire(3);
        let wants = [1, 3, 1, 2];
        let all: Vec<_> = wants
            .into_iter()
            .enumerate()
            .map(|(n, count)| {
                let (semaphore, order) = (semaphore.clone(), order.clone());
                let who = if n % 2 == 0 { even } else { odd };
                let waiter = who.start(move || {
                    let _permit = semaphore.acquire(count);
                    order.lock().push(count);
                    who.yield_now();
                });
                here.parked(n + 1, WaitReason::SemaphoreAcquire);
                waiter
            })
            .collect();
        drop(all_of_them);
        all.into_iter().for_each(|a| a.join());
        let order = order.lock();
        assert_eq!(order[..2], [1, 3], "{order:?}");
    }
}

#[test]
fn nobody_overtakes_a_waiter() {
    for who in EACH {
        let here = Here::start();
        let semaphore = Arc::new(Semaphore::new(3));
        let one = semaphore.acquire(1);
        let waiter = who.start({
            let semaphore = semaphore.clone();
            move || semaphore.acquire(3).count()
        });
        here.parked(1, WaitReason::SemaphoreAcquire);
        assert_eq!(semaphore.available(), 2);
        assert!(semaphore.try_acquire(1).is_none());
        assert!(semaphore.acquire_timeout(1, Duration::from_millis(5)).is_err());
        drop(one);
        assert_eq!(waiter.join(), 3);
        assert!(semaphore.try_acquire(3).is_some());
    }
}

#[test]
fn a_timed_wait_takes_as_long_as_it_was_told() {
    let limit = Duration::from_millis(20);
    for who in EACH {
        let semaphore = Arc::new(Semaphore::new(1));
        let permit = semaphore.acquire(1);
        let waiter = who.start({
            let semaphore = semaphore.clone();
            move || {
                let start = Instant::now();
                let waited = semaphore.acquire_timeout(1, limit).err();
                assert!(start.elapsed() >= limit);
                waited
            }
        });
        assert_eq!(waiter.join(), Some(TimeoutError));
        drop(permit);
        assert_eq!(semaphore.acquire_timeout(1, Duration::MAX).unwrap().count(), 1);
        assert_eq!(semaphore.available(), 1);
    }
}

#[test]
fn those_behind_one_that_gives_up_are_served() {
    for who in EACH {
        for reaped in [false, true] {
            let here = Here::start();
            let scope = Scope::new("gives up");
            let semaphore = Arc::new(Semaphore::new(3));
            let two = semaphore.acquire(2);
            let limit = if reaped { Duration::MAX } else { Duration::from_millis(100) };
            let first = || {
                let semaphore = semaphore.clone();
                let acquire = move || semaphore.acquire_timeout(2, limit).is_err();
                Running::Task(go_in(&scope, acquire))
            };
            let first = here.parked_in_time(1, WaitReason::SemaphoreAcquire, first);
            let Running::Task(first) = first else { unreachable!("made above") };
            let behind = who.start({
                let semaphore = semaphore.clone();
                move || semaphore.acquire(1).count()
            });
            if reaped {
                here.parked(2, WaitReason::SemaphoreAcquire);
                scope.reap();
                assert!(matches!(first.join(), Err(JoinError::Reaped)));
            } else {
                assert!(first.join().unwrap());
            }
            assert_eq!(behind.join(), 1);
            drop(two);
            assert!(semaphore.try_acquire(3).is_some());
        }
    }
}

#[test]
fn what_can_never_be_had_holds_up_nobody() {
    let here = Here::start();
    let semaphore = Arc::new(Semaphore::new(2));
    let result = catch_unwind(|| drop(semaphore.acquire(3)));
    let message = *result.unwrap_err().downcast::<String>().unwrap();
    assert_eq!(message, "sync.Semaphore: acquire(3), but there are 2 in all");
    assert!(semaphore.try_acquire(3).is_none());
    let limit = Duration::from_millis(20);
    let start = Instant::now();
    let doomed = gopark::go({
        let semaphore = semaphore.clone();
        move || semaphore.acquire_timeout(3, limit).is_err()
    });
    let permit = semaphore.acquire(2);
    assert!(doomed.join().unwrap() && start.elapsed() >= limit);
    drop(permit);
    here.parked(0, WaitReason::SemaphoreAcquire);
    assert_eq!(semaphore.available(), 2);
}

#[test]
fn permits_can_be_forgotten_and_released() {
    for who in EACH {
        let here = Here::start();
        let semaphore = Arc::new(Semaphore::new(2));
        semaphore.acquire(2).forget();
        let waiter = who.start({
            let semaphore = semaphore.clone();
            move || semaphore.acquire(2).forget()
        });
        here.parked(1, WaitReason::SemaphoreAcquire);
        semaphore.release(1);
        here.parked(1, WaitReason::SemaphoreAcquire);
        semaphore.release(1);
        waiter.join();
        semaphore.release(2);
        for more in [1, usize::MAX] {
            let result = catch_unwind(|| semaphore.release(more));
            assert!(result.is_err(), "released more than held");
        }
        assert_eq!(semaphore.available(), 2);
    }
}

/// The same while somebody waits.
#[test]
fn more_cannot_be_released_than_held() {
    let here = Here::start();
    let semaphore = Arc::new(Semaphore::new(2));
    let one = semaphore.acquire(1);
    let waiter = gopark::go({
        let semaphore = semaphore.clone();
        move || semaphore.acquire(2).count()
    });
    here.parked(1, WaitReason::SemaphoreAcquire);
    assert!(catch_unwind(|| semaphore.release(2)).is_err());
    assert_eq!(semaphore.available(), 1);
    here.parked(1, WaitReason::SemaphoreAcquire);
    drop(one);
    assert_eq!(waiter.join().unwrap(), 2);
}

#[test]
fn a_reaped_owner_gives_its_permits_back() {
    let here = Here::start();
    let scope = Scope::new("reaped owner");
    let semaphore = Arc::new(Semaphore::new(2));
    let owner = go_in(&scope, {
        let semaphore = semaphore.clone();
        move || {
            let _permit = semaphore.acquire(2);
            crate::support::for_ever();
        }
    });
    crate::support::parked(owner.id(), WaitReason::ChanReceiveNil);
    let waiter = gopark::go({
        let semaphore = semaphore.clone();
        move || semaphore.acquire(1).count()
    });
    here.parked(1, WaitReason::SemaphoreAcquire);
    scope.reap();
    assert_eq!(waiter.join().unwrap(), 1);
    assert_eq!(format!("{semaphore:?}"), "Semaphore { available: 2, size: 2 }");
}

#[test]
fn nothing_is_always_to_be_had() {
    let semaphore = Semaphore::new(0);
    assert_eq!(semaphore.acquire(0).count(), 0);
    assert!(semaphore.try_acquire(1).is_none());
}

#[test]
pub(super) fn random_operations() {
    for seed in 1..=10 {
        let _seed = Seed(seed);
        let mut random = Random::new(seed);
        let size = 1 + random.below(5);
        let semaphore = Arc::new(Semaphore::new(size as usize));
        let taken = Arc::new(AtomicUsize::new(0));
        let all: Vec<_> = (0..2 + random.below(6))
            .map(|_| {
                let (semaphore, taken) = (semaphore.clone(), taken.clone());
                let who = EACH[random.below(2) as usize];
                let mut random = Random::new(random.below(1 << 40));
                who.start(move || {
                    for _ in 0..150 {
                        let count = random.below(size + 1) as usize;
                        let permit = match random.below(4) {
                            0 => semaphore.try_acquire(count),
                            1 => {
                                let limit = Duration::from_micros(random.below(40));
                                semaphore.acquire_timeout(count, limit).ok()
                            }
                            _ => Some(semaphore.acquire(count)),
                        };
                        if let Some(permit) = permit {
                            let now = taken.fetch_add(count, Ordering::Relaxed) + count;
                            assert!(now <= size as usize, "{now} of {size}");
                            if random.below(3) == 0 {
                                who.yield_now();
                            }
                            taken.fetch_sub(count, Ordering::Relaxed);
                            drop(permit);
                        }
                    }
                })
            })
            .collect();
        all.into_iter().for_each(|a| a.join());
        assert_eq!(semaphore.available(), size as usize);
    }
}

/// The first wants much and gives up: those behind it are served, although nothing is
/// given back meanwhile.
#[test]
fn those_behind_one_whose_context_ends_are_served() {
    for reaped in [false, true] {
        let semaphore = Arc::new(Semaphore::new(2));
        let permit = semaphore.acquire(1);
        let (context, cancel) = Context::background().with_cancel();
        let scope = Scope::new("waits for permits");
        let first = {
            let semaphore = semaphore.clone();
            go_in(&scope, move || context.acquire(&semaphore, 2).map(|permit| permit.count()))
        };
        parked(first.id(), WaitReason::Select);
        let second = {
            let semaphore = semaphore.clone();
            gopark::go(move || semaphore.acquire(1).count())
        };
        parked(second.id(), WaitReason::SemaphoreAcquire);
        if reaped {
            assert_eq!(scope.reap().abandoned, 0);
        } else {
            cancel.cancel();
            assert_eq!(first.join().unwrap(), Err(ContextError::Cancelled));
        }
        assert_eq!(second.join().unwrap(), 1);
        drop(permit);
        assert_eq!(semaphore.available(), 2);
    }
}

#[test]
fn permits_come_to_one_that_waits_with_a_context() {
    let semaphore = Arc::new(Semaphore::new(3));
    let permit = semaphore.acquire(2);
    let (context, cancel) = Context::background().with_cancel();
    let (inside, of_task) = (semaphore.clone(), context.clone());
    let task = gopark::go(move || of_task.acquire(&inside, 3).map(|permit| permit.count()));
    parked(task.id(), WaitReason::Select);
    assert!(semaphore.try_acquire(1).is_none(), "nobody overtakes it");
    drop(permit);
    assert_eq!(task.join().unwrap(), Ok(3));
    assert_eq!(semaphore.available(), 3);
    // What can never be had waits for the end of the context.
    let (inside, of_task) = (semaphore.clone(), context.clone());
    let task = gopark::go(move || of_task.acquire(&inside, 4).map(|permit| permit.count()));
    parked(task.id(), WaitReason::Select);
    assert!(semaphore.try_acquire(3).is_some(), "it holds up nobody");
    cancel.cancel();
    assert_eq!(task.join().unwrap(), Err(ContextError::Cancelled));
    assert_eq!(context.acquire(&semaphore, 1).err(), Some(ContextError::Cancelled));
}
