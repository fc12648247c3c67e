//! `gopark::sync::Mutex`.

use super::{is_not, is_send, is_sync};
use crate::chan::support::{EACH, Here, PAIRS, Random, Seed};
use gopark::chan::{bounded, rendezvous};
use gopark::inspect::WaitReason;
use gopark::sync::{LockExt, Mutex, MutexGuard};
use gopark_tests::Patience;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

#[test]
pub(super) fn one_at_a_time() {
    for (odd, even) in PAIRS {
        // A plain read and write with others let in between: lost updates show.
        let lock = Arc::new(Mutex::new(0));
        let inside = Arc::new(AtomicBool::new(false));
        let all: Vec<_> = (0..6)
            .map(|i| {
                let (lock, inside) = (lock.clone(), inside.clone());
                let who = if i % 2 == 0 { even } else { odd };
                who.start(move || {
                    for _ in 0..40 {
                        let mut guard = lock.lock();
                        assert!(!inside.swap(true, Ordering::Relaxed));
                        let before = *guard;
                        who.yield_now();
                        *guard = before + 1;
                        inside.store(false, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        all.into_iter().for_each(|a| a.join());
        assert_eq!(*lock.lock(), 240);
    }
}

#[test]
fn contended_without_parking_inside() {
    for (odd, even) in PAIRS {
        let lock = Arc::new(Mutex::new(0));
        let all: Vec<_> = (0..4)
            .map(|i| {
                let lock = lock.clone();
                let who = if i % 2 == 0 { even } else { odd };
                who.start(move || (0..2000).for_each(|_| *lock.lock() += 1))
            })
            .collect();
        all.into_iter().for_each(|a| a.join());
        assert_eq!(*lock.lock(), 8000);
    }
}

#[test]
fn waiters_get_the_lock_in_the_order_they_came() {
    for (odd, even) in PAIRS {
        let here = Here::start();
        let lock = Arc::new(Mutex::new(Vec::new()));
        let guard = lock.lock();
        let all: Vec<_> = (0..8)
            .map(|i| {
                let lock = lock.clone();
                let who = if i % 2 == 0 { even } else { odd };
                let waiter = who.start(move || lock.lock().push(i));
                here.parked(i + 1, WaitReason::MutexLock);
                waiter
            })
            .collect();
        drop(guard);
        all.into_iter().for_each(|a| a.join());
        assert_eq!(*lock.lock(), (0..8).collect::<Vec<_>>());
    }
}

/// A waiter that is woken and finds the lock taken again must not lose its turn
/// to the others.
#[test]
fn a_woken_waiter_that_comes_too_late_stays_the_first() {
    for i in 0..40 {
        let here = Here::start();
        let lock = Arc::new(Mutex::new(Vec::new()));
        let mut guard = lock.lock();
        let all: Vec<_> = (0..3)
            .map(|n| {
                let lock = lock.clone();
                let waiter = EACH[i % 2].start(move || lock.lock().push(n));
                here.parked(n + 1, WaitReason::MutexLock);
                waiter
            })
            .collect();
        for _ in 0..5 {
            drop(guard);
            guard = lock.lock(); // mostly before the one that was woken
            here.parked(3 - guard.len(), WaitReason::MutexLock);
        }
        drop(guard);
        all.into_iter().for_each(|a| a.join());
        assert_eq!(*lock.lock(), [0, 1, 2]);
    }
}

/// Go's starvation mode: a waiter that was woken in vain and has waited for a
/// millisecond gets the lock from the next unlock, whoever else wants it.
#[test]
fn a_waiter_that_starves_is_handed_the_lock() {
    for who in EACH {
        let mut starved = 0;
        while starved < 3 {
            let here = Here::start();
            let lock = Arc::new(Mutex::new(0));
            let (release, released) = bounded::<()>(1);
            let guard = lock.lock();
            let waiter = who.start({
                let lock = lock.clone();
                move || {
                    let mut guard = lock.lock();
                    *guard = 1;
                    let _ = released.recv();
                }
            });
            here.parked(1, WaitReason::MutexLock);
            std::thread::sleep(Duration::from_millis(2));
            drop(guard);
            if let Some(guard) = lock.try_lock() {
                // The waiter was woken and comes too late.
                here.parked(1, WaitReason::MutexLock);
                drop(guard);
                assert!(lock.try_lock().is_none(), "the lock was not handed over");
                assert!(lock.is_locked());
                starved += 1;
            }
            drop(release);
            waiter.join();
            // The last waiter ends starvation mode.
            assert_eq!(*lock.try_lock().expect("the lock is free"), 1);
        }
    }
}

/// Newcomers queue behind one that starves, and get the lock one after the other.
#[test]
fn a_starving_lock_goes_through_the_queue() {
    for who in EACH {
        let mut starved = 0;
        while starved < 3 {
            let here = Here::start();
            let lock = Arc::new(Mutex::new(Vec::new()));
            let (release, released) = bounded::<()>(1);
            let start = |n| {
                let (lock, released) = (lock.clone(), released.clone());
                who.start(move || {
                    let mut guard = lock.lock();
                    let _ = released.recv();
                    guard.push(n);
                })
            };
            let guard = lock.lock();
            let mut all = vec![start(0)];
            here.parked(1, WaitReason::MutexLock);
            std::thread::sleep(Duration::from_millis(2));
            drop(guard);
            if let Some(guard) = lock.try_lock() {
                here.parked(1, WaitReason::MutexLock);
                drop(guard);
                // Its own by now, whether or not it runs already.
                here.parked(1, WaitReason::ChanReceive);
                for n in 1..4 {
                    all.push(start(n));
                    here.parked(n, WaitReason::MutexLock);
                }
                starved += 1;
            }
            drop(release);
            all.into_iter().for_each(|a| a.join());
            let order = std::mem::take(&mut *lock.lock());
            assert!(order.is_sorted(), "{order:?}");
        }
    }
}

/// In normal mode alone, whoever unlocks and locks at once wins nearly always.
#[test]
pub(super) fn a_hog_cannot_keep_the_lock_to_itself() {
    for (hog, other) in PAIRS {
        let lock = Arc::new(Mutex::new(0));
        let over = Arc::new(AtomicBool::new(false));
        let hog = hog.start({
            let (lock, over) = (lock.clone(), over.clone());
            move || {
                let mut patience = Patience::new(Duration::from_secs(60));
                while !over.load(Ordering::Relaxed) {
                    let _guard = lock.lock();
                    assert!(!patience.is_over(), "the other starves");
                    let start = Instant::now();
                    while start.elapsed() < Duration::from_micros(50) {
                        std::hint::spin_loop();
                    }
                }
            }
        });
        let other = other.start({
            let (lock, over) = (lock.clone(), over.clone());
            move || {
                for _ in 0..10 {
                    *lock.lock() += 1;
                }
                over.store(true, Ordering::Relaxed);
            }
        });
        other.join();
        hog.join();
        assert_eq!(*lock.lock(), 10);
    }
}

/// One that demanded the lock and gave up leaves no lock behind that nobody can take.
#[test]
fn one_that_starves_may_give_up() {
    for who in EACH {
        let here = Here::start();
        let lock = Arc::new(Mutex::new(0));
        let mut guard = Some(lock.lock());
        let waiter = || {
            let lock = lock.clone();
            who.start(move || lock.try_lock_for(Duration::from_millis(50)).is_some())
        };
        let waiter = here.parked_in_time(1, WaitReason::MutexLock, waiter);
        std::thread::sleep(Duration::from_millis(2));
        guard.take();
        guard = lock.try_lock();
        // Else the waiter was quick.
        assert!(waiter.join() || guard.is_some());
        drop(guard);
        *lock.try_lock().expect("the lock is free") += 1;
        assert_eq!(*lock.lock(), 1);
    }
}

#[test]
fn try_lock_does_not_wait() {
    for who in EACH {
        let lock = Arc::new(Mutex::new(1));
        let guard = lock.try_lock().expect("free");
        let other = who.start({
            let lock = lock.clone();
            move || lock.try_lock().is_none()
        });
        assert!(other.join());
        drop(guard);
        assert_eq!(*lock.try_lock().expect("free again"), 1);
    }
}

#[test]
fn a_timed_lock_waits_as_long_as_it_was_told() {
    for who in EACH {
        let limit = Duration::from_millis(20);
        let lock = Arc::new(Mutex::new(0));
        let guard = lock.lock();
        let waiter = who.start({
            let lock = lock.clone();
            move || {
                let start = Instant::now();
                assert!(lock.try_lock_for(limit).is_none());
                assert!(start.elapsed() >= limit);
            }
        });
        waiter.join();
        drop(guard);
        // The waiter that gave up is forgotten.
        *lock.lock() += 1;
        assert_eq!(*lock.try_lock_for(limit).unwrap(), 1);
    }
}

#[test]
fn a_timed_lock_gets_what_comes_in_time() {
    for who in EACH {
        let here = Here::start();
        let lock = Arc::new(Mutex::new(1));
        let guard = lock.lock();
        let waiters: Vec<_> = [Duration::from_secs(60), Duration::MAX]
            .into_iter()
            .map(|limit| {
                let lock = lock.clone();
                who.start(move || *lock.try_lock_for(limit).unwrap())
            })
            .collect();
        here.parked(2, WaitReason::MutexLock);
        drop(guard);
        assert!(waiters.into_iter().all(|w| w.join() == 1));
    }
}

#[test]
fn those_behind_a_waiter_that_timed_out_get_the_lock() {
    for who in EACH {
        let here = Here::start();
        let lock = Arc::new(Mutex::new(1));
        let guard = lock.lock();
        let first = || {
            let lock = lock.clone();
            who.start(move || lock.try_lock_for(Duration::from_millis(100)).is_none())
        };
        let first = here.parked_in_time(1, WaitReason::MutexLock, first);
        let second = who.start({
            let lock = lock.clone();
            move || *lock.lock()
        });
        assert!(first.join());
        here.parked(1, WaitReason::MutexLock);
        drop(guard);
        assert_eq!(second.join(), 1);
    }
}

#[test]
pub(super) fn random_operations() {
    for seed in 1..=10 {
        let _seed = Seed(seed);
        let mut random = Random::new(seed);
        let lock = Arc::new(Mutex::new(0u64));
        let all: Vec<_> = (0..2 + random.below(6))
            .map(|_| {
                let lock = lock.clone();
                let who = EACH[random.below(2) as usize];
                let mut random = Random::new(random.below(1 << 40));
                who.start(move || {
                    let mut mine = 0;
                    for _ in 0..150 {
                        let guard = match random.below(4) {
                            0 => lock.try_lock(),
                            1 => lock.try_lock_for(Duration::from_micros(random.below(40))),
                            _ => Some(lock.lock()),
                        };
                        if let Some(mut guard) = guard {
                            let before = *guard;
                            if random.below(3) == 0 {
                                who.yield_now();
                            }
                            *guard = before + 1;
                            mine += 1;
                        }
                    }
                    mine
                })
            })
            .collect();
        let sum: u64 = all.into_iter().map(|a| a.join()).sum();
        assert_eq!(*lock.lock(), sum);
    }
}

#[test]
fn it_may_be_held_across_a_park() {
    for (holder, other) in PAIRS {
        let here = Here::start();
        let lock = Arc::new(Mutex::new(0));
        let (tx, rx) = rendezvous();
        let holder = holder.start({
            let lock = lock.clone();
            move || {
                let mut guard = lock.lock();
                *guard = rx.recv().unwrap();
            }
        });
        here.parked(1, WaitReason::ChanReceive);
        let other = other.start({
            let lock = lock.clone();
            move || *lock.lock()
        });
        here.parked(1, WaitReason::MutexLock);
        tx.send(7).unwrap();
        holder.join();
        assert_eq!(other.join(), 7);
    }
}

#[test]
fn the_holder_is_known() {
    for (holder, waiter) in PAIRS {
        let lock = Arc::new(Mutex::new(0));
        assert_eq!(lock.holder(), None);
        let (release, released) = bounded::<()>(1);
        let (tell, told) = bounded(1);
        let task = holder.start({
            let lock = lock.clone();
            move || {
                let guard = lock.lock();
                tell.send((line!() - 1, lock.holder().unwrap())).unwrap();
                assert!(released.recv().is_err());
                drop(guard);
            }
        });
        let (line, seen_by_itself) = told.recv().unwrap();
        let seen = lock.holder().unwrap();
        assert_eq!(seen, seen_by_itself);
        assert_eq!((seen.site.file(), seen.site.line()), (file!(), line));
        if let crate::chan::support::Running::Task(task) = &task {
            assert_eq!(seen.task, task.id());
        }

        // Somebody who waits changes nothing; when it has the lock it is shown.
        let here = Here::start();
        let waiter = waiter.start({
            let lock = lock.clone();
            move || {
                let _guard = lock.lock();
                lock.holder().unwrap()
            }
        });
        here.parked(1, WaitReason::MutexLock);
        assert_eq!(lock.holder(), Some(seen));
        drop(release);
        let next = waiter.join();
        assert_ne!(next.task, seen.task);
        assert_ne!(next.site, seen.site);
        task.join();
        assert_eq!(lock.holder(), None);

        let _guard = lock.try_lock().unwrap();
        assert_eq!(lock.holder().unwrap().site.line(), line!() - 1);
    }
}

#[test]
fn a_panic_unlocks_and_poisons_nothing() {
    let lock = Arc::new(Mutex::new(1));
    let result = catch_unwind(AssertUnwindSafe(|| {
        let mut guard = lock.lock();
        *guard = 2;
        panic!("on purpose");
    }));
    assert!(result.is_err());
    assert_eq!(*lock.lock(), 2);
    let task = gopark::go({
        let lock = lock.clone();
        move || {
            let mut guard = lock.lock();
            *guard = 3;
            panic!("on purpose");
        }
    });
    assert!(task.join().is_err());
    assert_eq!(*lock.lock(), 3);
}

#[test]
fn the_value_comes_out() {
    let mut lock = Mutex::new(vec![1]);
    lock.get_mut().push(2);
    assert_eq!(format!("{lock:?}"), "Mutex { data: [1, 2] }");
    {
        let guard = lock.lock();
        assert_eq!(format!("{guard:?} {lock:?}"), "[1, 2] Mutex { data: <locked> }");
    }
    assert_eq!(lock.into_inner(), [1, 2]);
    assert_eq!(*Mutex::<i32>::default().lock(), 0);
    assert_eq!(Mutex::from(5).lock().to_string(), "5");
    let unsized_value: &Mutex<[i32]> = &Mutex::new([1, 2, 3]);
    unsized_value.lock().reverse();
    assert_eq!(*unsized_value.lock(), [3, 2, 1]);
}

#[test]
fn the_value_is_dropped_once() {
    let value = Arc::new(());
    let lock = Mutex::new(value.clone());
    drop(lock.lock());
    assert_eq!(Arc::strong_count(&value), 2);
    drop(lock);
    assert_eq!(Arc::strong_count(&value), 1);
}

#[test]
fn thread_safety_follows_the_value() {
    is_send::<Mutex<Cell<i32>>>();
    is_sync::<Mutex<Cell<i32>>>();
    is_sync::<MutexGuard<'static, i32>>();
    is_not!(Mutex<Rc<i32>>, Send);
    is_not!(Mutex<Rc<i32>>, Sync);
    is_not!(MutexGuard<'static, i32>, Send);
    is_not!(MutexGuard<'static, Cell<i32>>, Sync);
}
