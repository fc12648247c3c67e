//! `gopark::sync::Condvar`.
//!
//! What others got wrong, and the test here:
//!
//! | learned from | what went wrong | test |
//! |---|---|---|
//! | tokio#4618, tokio#3652 | a signal went to a waiter that was giving up, and was lost | `signals_do_not_go_to_those_who_gave_up` |
//! | rust#37440 | a wait with a very distant deadline returned at once | `a_limit_beyond_the_clock_is_none` |
//! | rust std, parking_lot (by design) | one condition with two mutexes panics | `waiters_may_use_different_mutexes` |
//! | parking_lot#452 | a wait that unlocks a lock which others may be using through another guard | the type: `wait` borrows the one guard of a `Mutex` exclusively |
//! | parity-ethereum#1732 (parking_lot), freeswitch#2536 | a signal between unlock and sleep was lost | `no_signal_is_lost` |
//! | tokio#5404 | one signal for all woke those who came later | `all_means_those_who_wait_now` |
//! | POSIX cancellation | a cancelled waiter must have its mutex when its cleanup runs | `a_reaped_waiter_has_its_lock_while_it_unwinds` |

use super::{OnDrop, go_in};
use crate::chan::support::{EACH, Here, PAIRS, Random, Seed, Who};
use crate::support::until;
use gopark::inspect::WaitReason;
use gopark::sync::{Condvar, LockExt, Mutex, MutexGuard, TimeoutError};
use gopark::{Builder, JoinError, Scope};
use gopark_tests::Patience;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

#[derive(Default)]
struct Shared<T> {
    value: Mutex<T>,
    changed: Condvar,
}

fn shared<T: Default>() -> Arc<Shared<T>> {
    Arc::default()
}

#[test]
fn one_signal_wakes_the_one_who_waits_longest() {
    for (odd, even) in PAIRS {
        let here = Here::start();
        let shared = shared::<Vec<usize>>();
        let all: Vec<_> = (0..5)
            .map(|n| {
                let who = if n % 2 == 0 { even } else { odd };
                let it = shared.clone();
                let waiter = who.start(move || {
                    let mut guard = it.value.lock();
                    it.changed.wait(&mut guard);
                    guard.push(n);
                });
                here.parked(n + 1, WaitReason::CondWait);
                waiter
            })
            .collect();
        for n in 0..5 {
            shared.changed.notify_one();
            here.parked(4 - n, WaitReason::CondWait);
            let mut patience = Patience::new(Duration::from_secs(30));
            while shared.value.lock().len() == n {
                assert!(!patience.is_over(), "the signal is lost");
                std::thread::yield_now();
            }
        }
        all.into_iter().for_each(|a| a.join());
        assert_eq!(*shared.value.lock(), [0, 1, 2, 3, 4]);
    }
}

/// Each waits a second time as soon as it is woken, perhaps while others are still
/// being woken.
#[test]
fn all_means_those_who_wait_now() {
    for who in EACH {
        let here = Here::start();
        let shared = shared::<usize>();
        let all: Vec<_> = (0..20)
            .map(|_| {
                let it = shared.clone();
                who.start(move || {
                    for _ in 0..2 {
                        let mut guard = it.value.lock();
                        it.changed.wait(&mut guard);
                        *guard += 1;
                    }
                })
            })
            .collect();
        for round in 0..2 {
            here.parked(20, WaitReason::CondWait);
            assert_eq!(*shared.value.lock(), 20 * round);
            shared.changed.notify_all();
        }
        all.into_iter().for_each(|a| a.join());
        assert_eq!(*shared.value.lock(), 40);
    }
}

/// Go: "it is allowed but not required for the caller to hold the lock".
#[test]
fn a_signal_that_nobody_waits_for_is_forgotten() {
    for who in EACH {
        let here = Here::start();
        let shared = shared::<()>();
        shared.changed.notify_one();
        shared.changed.notify_all();
        let waiter = who.start({
            let shared = shared.clone();
            move || shared.changed.wait(&mut shared.value.lock())
        });
        here.parked(1, WaitReason::CondWait);
        let guard = shared.value.lock();
        shared.changed.notify_one();
        drop(guard);
        waiter.join();
    }
}

#[test]
fn the_lock_is_free_during_the_wait_and_held_after_it() {
    for (waiter, other) in PAIRS {
        let here = Here::start();
        let shared = shared::<u32>();
        let waiter = waiter.start({
            let shared = shared.clone();
            move || {
                let mut guard = shared.value.lock();
                shared.changed.wait(&mut guard);
                let holder = shared.value.holder().expect("the lock is held");
                assert!(shared.value.try_lock().is_none());
                *guard += 1;
                holder.site.line()
            }
        });
        here.parked(1, WaitReason::CondWait);
        // It is given up a moment after that.
        until("the lock is free", || shared.value.holder().is_none());
        let mut guard = shared.value.lock();
        shared.changed.notify_one();
        // It was woken and now waits for the lock, at the same call.
        here.parked(1, WaitReason::MutexLock);
        *guard = 10;
        drop(guard);
        let line = waiter.join();
        assert!(line < line!());
        let after = other.start({
            let shared = shared.clone();
            move || *shared.value.lock()
        });
        assert_eq!(after.join(), 11);
    }
}

/// Two that take turns: a signal that is lost leaves both waiting.
#[test]
pub(super) fn no_signal_is_lost() {
    const ROUNDS: u32 = 1000;
    for (one, other) in PAIRS {
        let shared = shared::<u32>();
        let player = |who: Who, parity: u32| {
            let shared = shared.clone();
            who.start(move || {
                for round in 0..ROUNDS {
                    let mut turn = shared.value.lock();
                    while *turn % 2 != parity {
                        shared.changed.wait(&mut turn);
                    }
                    *turn += 1;
                    if round % 2 == 0 {
                        drop(turn);
                    }
                    shared.changed.notify_one();
                }
            })
        };
        let all = [player(one, 0), player(other, 1)];
        all.into_iter().for_each(|a| a.join());
        assert_eq!(*shared.value.lock(), 2 * ROUNDS);
    }
}

#[test]
fn a_timed_wait_takes_as_long_as_it_was_told() {
    let limit = Duration::from_millis(20);
    for who in EACH {
        let shared = shared::<u32>();
        let waiter = who.start({
            let shared = shared.clone();
            move || {
                let mut guard = shared.value.lock();
                let start = Instant::now();
                assert_eq!(shared.changed.wait_timeout(&mut guard, limit), Err(TimeoutError));
                assert!(start.elapsed() >= limit);
                *guard += 1;
                let start = Instant::now();
                let waited = shared.changed.wait_while_timeout(&mut guard, limit, |n| *n == 1);
                assert_eq!(waited, Err(TimeoutError));
                assert!(start.elapsed() >= limit);
                shared.changed.wait_while_timeout(&mut guard, limit, |n| *n == 0)
            }
        });
        assert_eq!(waiter.join(), Ok(()));
        assert_eq!(*shared.value.lock(), 1);
        shared.changed.notify_one();
    }
}

#[test]
fn a_limit_beyond_the_clock_is_none() {
    for who in EACH {
        let here = Here::start();
        let shared = shared::<()>();
        let waiter = who.start({
            let shared = shared.clone();
            move || shared.changed.wait_timeout(&mut shared.value.lock(), Duration::MAX)
        });
        here.parked(1, WaitReason::CondWait);
        shared.changed.notify_one();
        assert_eq!(waiter.join(), Ok(()));
    }
}

#[test]
fn signals_do_not_go_to_those_who_gave_up() {
    for who in EACH {
        // One that timed out stands before one that waits on.
        let here = Here::start();
        let shared = shared::<()>();
        let timed = || {
            let it = shared.clone();
            who.start(move || {
                it.changed.wait_timeout(&mut it.value.lock(), Duration::from_millis(100))
            })
        };
        let timed = here.parked_in_time(1, WaitReason::CondWait, timed);
        let waiter = who.start({
            let it = shared.clone();
            move || it.changed.wait(&mut it.value.lock())
        });
        assert_eq!(timed.join(), Err(TimeoutError));
        here.parked(1, WaitReason::CondWait);
        shared.changed.notify_one();
        waiter.join();
    }
}

/// A signal for each thing; some waiters give up all the time. A signal that went to
/// one of those and was lost would leave a thing and somebody who waits for one.
#[test]
pub(super) fn signals_and_time_limits_at_once() {
    for seed in 1..=6 {
        let _seed = Seed(seed);
        let mut random = Random::new(seed);
        let shared = shared::<VecDeque<u32>>();
        let takers: Vec<_> = (0..4)
            .map(|n| {
                let shared = shared.clone();
                let who = EACH[random.below(2) as usize];
                let mut random = Random::new(random.below(1 << 40));
                let limit = (n % 2 == 0).then(|| Duration::from_micros(20 + random.below(80)));
                who.start(move || {
                    let mut taken = 0;
                    while taken < 100 {
                        let mut things = shared.value.lock();
                        if things.is_empty() {
                            match limit {
                                None => shared.changed.wait(&mut things),
                                Some(limit) => {
                                    let waited = shared.changed.wait_timeout(&mut things, limit);
                                    if waited.is_err() {
                                        // It has given up, so it takes nothing.
                                        continue;
                                    }
                                }
                            }
                        }
                        taken += usize::from(things.pop_front().is_some());
                    }
                })
            })
            .collect();
        let who = EACH[random.below(2) as usize];
        let maker = who.start({
            let shared = shared.clone();
            move || {
                for n in 0..400 {
                    shared.value.lock().push_back(n);
                    shared.changed.notify_one();
                    if n % 8 == 0 {
                        who.yield_now();
                    }
                }
            }
        });
        maker.join();
        takers.into_iter().for_each(|taker| taker.join());
        assert!(shared.value.lock().is_empty());
    }
}

#[test]
fn waiters_may_use_different_mutexes() {
    for who in EACH {
        let here = Here::start();
        let locks = Arc::new((Mutex::new(1), Mutex::new("two"), Condvar::new()));
        let one = who.start({
            let locks = locks.clone();
            move || {
                let mut guard = locks.0.lock();
                locks.2.wait(&mut guard);
                *guard
            }
        });
        let other = who.start({
            let locks = locks.clone();
            move || {
                let mut guard = locks.1.lock();
                locks.2.wait(&mut guard);
                *guard
            }
        });
        here.parked(2, WaitReason::CondWait);
        until("they are free", || locks.0.try_lock().is_some() && locks.1.try_lock().is_some());
        locks.2.notify_all();
        assert_eq!((one.join(), other.join()), (1, "two"));
    }
}

#[test]
fn a_reaped_waiter_has_its_lock_while_it_unwinds() {
    let here = Here::start();
    let scope = Scope::new("reaped waiter");
    let shared = shared::<u32>();
    let (tell, told) = mpsc::channel();
    let waiter = go_in(&scope, {
        let shared = shared.clone();
        move || {
            let mut guard = shared.value.lock();
            let _seen = OnDrop(|| {
                tell.send(shared.value.holder().map(|holder| holder.task)).unwrap();
            });
            shared.changed.wait(&mut guard);
        }
    });
    let id = waiter.id();
    here.parked(1, WaitReason::CondWait);
    // Somebody has the lock when the reaper comes, so the waiter waits for it.
    let guard = shared.value.lock();
    let reaper = std::thread::spawn(move || scope.reap());
    here.parked(1, WaitReason::MutexLock);
    drop(guard);
    reaper.join().unwrap();
    assert_eq!(told.recv().unwrap(), Some(id));
    assert!(matches!(waiter.join(), Err(JoinError::Reaped)));
    assert_eq!(shared.value.holder(), None);
    *shared.value.try_lock().expect("the lock is free") += 1;
}

#[test]
fn those_behind_a_reaped_waiter_are_woken() {
    let here = Here::start();
    let scope = Scope::new("reaped first");
    let shared = shared::<()>();
    let first = go_in(&scope, {
        let shared = shared.clone();
        move || shared.changed.wait(&mut shared.value.lock())
    });
    here.parked(1, WaitReason::CondWait);
    let second = gopark::go({
        let shared = shared.clone();
        move || shared.changed.wait(&mut shared.value.lock())
    });
    here.parked(2, WaitReason::CondWait);
    scope.reap();
    assert!(matches!(first.join(), Err(JoinError::Reaped)));
    shared.changed.notify_one();
    second.join().unwrap();
}

/// It has no error to return, so in a destructor of a reaped task it waits on.
#[test]
fn a_wait_in_a_destructor() {
    let here = Here::start();
    let scope = Scope::new("reaped with destructors");
    let shared = shared::<u32>();
    let task = {
        let _in = scope.enter();
        let shared = shared.clone();
        Builder::new()
            .own_thread()
            .go(move || {
                let _later = OnDrop(|| {
                    let mut guard = shared.value.lock();
                    let limit = Duration::from_secs(60);
                    assert!(shared.changed.wait_timeout(&mut guard, limit).is_err());
                    *guard += 1;
                    shared.changed.wait(&mut guard);
                    *guard += 1;
                });
                crate::support::for_ever();
            })
            .expect("a thread is to be had")
    };
    crate::support::parked(task.id(), WaitReason::ChanReceiveNil);
    assert_eq!(scope.reap().abandoned, 1);
    here.parked(1, WaitReason::CondWait);
    assert_eq!(*shared.value.lock(), 1);
    shared.changed.notify_one();
    assert!(matches!(task.join(), Err(JoinError::Reaped)));
    assert_eq!(*shared.value.lock(), 2);
}

/// The park is refused before the lock is given up: the guard is what it was.
#[test]
fn in_no_park_it_panics_and_keeps_the_lock() {
    let shared = shared::<u32>();
    let task = gopark::go({
        let shared = shared.clone();
        move || {
            let mut guard = shared.value.lock();
            let refused = catch_unwind(AssertUnwindSafe(|| {
                gopark::no_park(|| shared.changed.wait(&mut guard));
            }));
            assert!(refused.is_err());
            assert!(shared.value.holder().is_some(), "the guard is there");
            *guard = 1;
            drop(guard);
            assert!(shared.value.holder().is_none());
        }
    });
    task.join().unwrap();
    assert_eq!(*shared.value.lock(), 1);
    shared.changed.notify_one();
}

/// It is asked under the lock: once, and after every signal.
#[test]
fn the_condition_may_be_a_closure() {
    for who in EACH {
        let shared = shared::<u32>();
        let calls = Arc::new(AtomicUsize::new(0));
        let waiter = who.start({
            let (shared, calls) = (shared.clone(), calls.clone());
            move || {
                let mut guard = shared.value.lock();
                shared.changed.wait_while(&mut guard, |n| {
                    calls.fetch_add(1, Ordering::Relaxed);
                    *n < 3
                });
                assert!(MutexGuard::mutex(&guard).is_locked());
                *guard
            }
        });
        for _ in 0..3 {
            *shared.value.lock() += 1;
            shared.changed.notify_all();
        }
        assert_eq!(waiter.join(), 3);
        assert!((1..=4).contains(&calls.load(Ordering::Relaxed)));
    }
}
