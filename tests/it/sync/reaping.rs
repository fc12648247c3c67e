//! Tasks that are ended while they wait for a lock or a group, or hold a lock.

use super::{OnDrop, go_in};
use crate::chan::support::Here;
use crate::support::parked;
use gopark::chan::rendezvous;
use gopark::inspect::WaitReason;
use gopark::sync::{Condvar, LockExt, Mutex, WaitGroup};
use gopark::{Builder, JoinError, JoinHandle, Scope};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

#[test]
fn those_behind_a_reaped_waiter_get_the_lock() {
    for timed in [false, true] {
        let here = Here::start();
        let scope = Scope::new("reaped waiter");
        let lock = Arc::new(Mutex::new(1));
        let guard = lock.lock();
        let first = go_in(&scope, {
            let lock = lock.clone();
            move || match timed {
                false => *lock.lock(),
                true => *lock.try_lock_for(Duration::from_secs(60)).unwrap(),
            }
        });
        here.parked(1, WaitReason::MutexLock);
        let second = gopark::go({
            let lock = lock.clone();
            move || *lock.lock()
        });
        here.parked(2, WaitReason::MutexLock);
        scope.reap();
        assert!(matches!(first.join(), Err(JoinError::Reaped)));
        drop(guard);
        assert_eq!(second.join().unwrap(), 1);
    }
}

#[test]
fn a_reaped_owner_unlocks() {
    let here = Here::start();
    let scope = Scope::new("reaped owner");
    let lock = Arc::new(Mutex::new(1));
    let (_tx, rx) = rendezvous::<()>();
    let owner = go_in(&scope, {
        let lock = lock.clone();
        move || {
            let _guard = lock.lock();
            rx.recv().is_ok()
        }
    });
    here.parked(1, WaitReason::ChanReceive);
    let waiter = gopark::go({
        let lock = lock.clone();
        move || *lock.lock()
    });
    here.parked(1, WaitReason::MutexLock);
    scope.reap();
    assert!(matches!(owner.join(), Err(JoinError::Reaped)));
    assert_eq!(waiter.join().unwrap(), 1);
    assert_eq!(lock.holder(), None);
}

#[test]
fn a_waiter_of_a_group_can_be_ended() {
    let here = Here::start();
    let scope = Scope::new("reaped group");
    let wg = WaitGroup::new();
    wg.add(1);
    let first = go_in(&scope, {
        let wg = wg.clone();
        move || wg.wait()
    });
    here.parked(1, WaitReason::WaitGroupWait);
    let second = gopark::go({
        let wg = wg.clone();
        move || wg.wait()
    });
    here.parked(2, WaitReason::WaitGroupWait);
    scope.reap();
    assert!(matches!(first.join(), Err(JoinError::Reaped)));
    wg.done();
    second.join().unwrap();
}

/// A task that waits in a group counts as done when it is ended, started or not.
#[test]
fn a_reaped_task_of_a_group_is_done() {
    let here = Here::start();
    let scope = Scope::new("reaped in a group");
    let wg = WaitGroup::new();
    let (_tx, rx) = rendezvous::<()>();
    let tasks: Vec<_> = {
        let _entered = scope.enter();
        (0..3)
            .map(|_| {
                let rx = rx.clone();
                wg.go(move || rx.recv().is_ok())
            })
            .collect()
    };
    here.parked(3, WaitReason::ChanReceive);
    scope.reap();
    wg.wait();
    for task in tasks {
        assert!(matches!(task.join(), Err(JoinError::Reaped)));
    }
}

/// Starts a task without siblings. One that parks while it unwinds needs that: its
/// siblings would look as if they were unwinding too, as the thread is.
fn go_alone<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    Builder::new().own_thread().go(f).expect("a thread is to be had")
}

/// `lock` and `wait` have no error to return, so in a destructor of a reaped task
/// they wait on, and nothing but their partner ends that.
#[test]
fn destructors_that_lock_and_wait() {
    let here = Here::start();
    let scope = Scope::new("reaped with destructors");
    let lock = Arc::new(Mutex::new(0));
    let wg = WaitGroup::new();
    wg.add(1);
    let (tx, rx) = rendezvous::<()>();
    let (report, reported) = mpsc::channel();
    let entered = scope.enter();
    let task = go_alone({
        let (lock, wg) = (lock.clone(), wg.clone());
        move || {
            let _later = OnDrop(|| {
                let timed = lock.try_lock_for(Duration::from_secs(60)).is_none();
                report.send(timed).unwrap();
                *lock.lock() += 1;
                wg.wait();
                *lock.lock() += 1;
            });
            rx.recv().is_ok()
        }
    });
    drop(entered);
    here.parked(1, WaitReason::ChanReceive);
    let guard = lock.lock();
    assert_eq!(scope.reap().abandoned, 1);
    assert_eq!(reported.recv(), Ok(true));
    here.parked(1, WaitReason::MutexLock);
    drop(guard);
    here.parked(1, WaitReason::WaitGroupWait);
    assert_eq!(*lock.lock(), 1);
    wg.done();
    assert!(matches!(task.join(), Err(JoinError::Reaped)));
    assert_eq!(*lock.lock(), 2);
    assert!(tx.is_closed());
}

/// A wait for a condition takes its lock back, from somebody who will unlock: that is
/// waited for, and given up no sooner than other waits.
#[test]
fn a_lock_that_is_held_outside_is_waited_for() {
    for unlocks in [true, false] {
        let scope = Scope::new("reaped with its lock away");
        let shared = Arc::new((Mutex::new(()), Condvar::new()));
        let inside = shared.clone();
        let task = go_in(&scope, move || inside.1.wait(&mut inside.0.lock()));
        parked(task.id(), WaitReason::CondWait);
        let mut guard = Some(shared.0.lock());
        let begun = Instant::now();
        let reaper = std::thread::spawn(move || scope.reap());
        parked(task.id(), WaitReason::MutexLock);
        if unlocks {
            guard = None;
        }
        let reaped = reaper.join().unwrap();
        drop(guard);
        if (reaped.ended, reaped.abandoned) == (1, 0) {
            assert!(unlocks);
        } else {
            // If this thread was kept waiting, it may have unlocked too late, too.
            assert!(begun.elapsed() >= Duration::from_secs(1), "{reaped:?}");
        }
        assert!(matches!(task.join(), Err(JoinError::Reaped)));
    }
}
