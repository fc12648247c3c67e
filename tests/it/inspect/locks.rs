//! Who waits for which lock, and who has it.

use crate::child::{alone, here};
use crate::support::{Gate, info, parked, until};
use gopark::inspect::{Census, LockInfo, WaitReason};
use gopark::sync::{Condvar, LockExt, Mutex, Once, RwLock};
use gopark::{JoinHandle, Scope, TaskId};
use std::sync::Arc;
use std::time::Duration;

/// The lock that the parked task waits for.
#[track_caller]
fn lock_of(id: TaskId, reason: WaitReason) -> Option<LockInfo> {
    parked(id, reason).wait.expect("it is parked").lock
}

#[test]
fn a_mutex_and_its_owner() {
    let (lock, gate) = (Arc::new(Mutex::new(())), Gate::new());
    let owner = gopark::go({
        let (lock, gate) = (lock.clone(), gate.clone());
        move || {
            let _guard = lock.lock();
            gate.pass();
        }
    });
    assert_eq!(lock_of(owner.id(), WaitReason::ChanReceive), None);
    let holder = lock.holder().expect("it is locked");
    let waiters: Vec<_> = (0..2)
        .map(|n| {
            let lock = lock.clone();
            gopark::go(move || match n {
                0 => drop(lock.lock()),
                _ => drop(lock.try_lock_for(Duration::from_secs(3600))),
            })
        })
        .collect();
    let seen: Vec<_> = waiters
        .iter()
        .map(|waiter| lock_of(waiter.id(), WaitReason::MutexLock).expect("it waits for a lock"))
        .collect();
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0].holder, Some(holder));
    assert_eq!(holder.task, owner.id());
    let other = Mutex::new(());
    let _guard = other.lock();
    gate.open();
    for waiter in waiters {
        let id = waiter.id();
        waiter.join().unwrap();
        assert!(info(id).is_none_or(|info| info.wait.is_none()));
    }
    owner.join().unwrap();
}

#[test]
fn readers_writers_and_those_who_wait_for_them() {
    let lock = Arc::new(RwLock::new(()));
    let start = |writes: bool| {
        let lock = lock.clone();
        gopark::go(move || if writes { drop(lock.write()) } else { drop(lock.read()) })
    };
    let guard = lock.read();
    let writer = start(true);
    // Readers are not counted by name.
    let first = lock_of(writer.id(), WaitReason::RwLockWrite).expect("it waits for a lock");
    assert_eq!(first.holder, None);
    // Others wait for the writer that waits.
    let (second, reader) = (start(true), start(false));
    let seen = [
        lock_of(second.id(), WaitReason::RwLockWrite).expect("it waits for a lock"),
        lock_of(reader.id(), WaitReason::RwLockRead).expect("it waits for a lock"),
    ];
    for lock in seen {
        assert_eq!(lock.address, first.address);
        assert_eq!(lock.holder.expect("the writer is known").task, writer.id());
    }
    drop(guard);
    [writer, second, reader].into_iter().for_each(|task| task.join().unwrap());
}

#[test]
fn what_is_done_once_and_who_does_it() {
    let (once, gate) = (Arc::new(Once::new()), Gate::new());
    let doer = gopark::go({
        let (once, gate) = (once.clone(), gate.clone());
        move || once.call_once(|| gate.pass())
    });
    parked(doer.id(), WaitReason::ChanReceive);
    let waiter = gopark::go({
        let once = once.clone();
        move || once.call_once(|| ())
    });
    let lock = lock_of(waiter.id(), WaitReason::OnceDo).expect("it waits for the doer");
    assert_eq!(lock.holder.map(|holder| holder.task), Some(doer.id()));
    gate.open();
    [doer, waiter].into_iter().for_each(|task| task.join().unwrap());
}

/// A condition is no lock: nobody knows who will signal. Its mutex is one.
#[test]
fn a_condition_and_then_its_mutex() {
    let shared = Arc::new((Mutex::new(()), Condvar::new()));
    let waiter = gopark::go({
        let shared = shared.clone();
        move || shared.1.wait(&mut shared.0.lock())
    });
    assert_eq!(lock_of(waiter.id(), WaitReason::CondWait), None);
    let guard = shared.0.lock();
    shared.1.notify_one();
    let lock = lock_of(waiter.id(), WaitReason::MutexLock).expect("it waits for the mutex");
    assert_eq!(lock.holder, shared.0.holder());
    drop(guard);
    waiter.join().unwrap();
}

/// Two that wait for each other: what a verifier needs to prove it.
#[test]
fn a_census_shows_a_cycle_of_owners() {
    alone(here!(), &[], || {
        let scope = Scope::new("a cycle");
        let locks = Arc::new((Mutex::new(()), Mutex::new(())));
        let gate = Gate::new();
        let start = |first: bool| -> JoinHandle<()> {
            let (_in, locks, gate) = (scope.enter(), locks.clone(), gate.clone());
            gopark::go(move || {
                let (one, other) = if first { (&locks.0, &locks.1) } else { (&locks.1, &locks.0) };
                let _one = one.lock();
                gate.pass();
                let _other = other.lock();
            })
        };
        let tasks = [start(true), start(false)];
        for task in &tasks {
            parked(task.id(), WaitReason::ChanReceive);
        }
        gate.open();
        for task in &tasks {
            parked(task.id(), WaitReason::MutexLock);
        }
        let (before, after) = (Census::take(&scope), Census::take(&scope));
        assert!(before.all_blocked() && before.same(&after), "{before:?}\n{after:?}");
        let waits_for = |id| {
            let member = before.members.iter().find(|member| member.id == id).expect("a member");
            member.lock.and_then(|lock| lock.holder).expect("a lock and its owner").task
        };
        assert_eq!(waits_for(tasks[0].id()), tasks[1].id());
        assert_eq!(waits_for(tasks[1].id()), tasks[0].id());
        scope.reap();
        until("both are gone", || scope.live() == 0);
    });
}

/// Readers that belong to a scope are known, the first four of them.
#[test]
fn readers_by_name() {
    let scope = Scope::new("readers");
    let _in = scope.enter();
    let lock = Arc::new(RwLock::new(()));
    let gate = Gate::new();
    let readers: Vec<_> = (0..5)
        .map(|_| {
            let (lock, gate) = (lock.clone(), gate.clone());
            let task = gopark::go(move || {
                let _guard = lock.read();
                gate.pass();
            });
            parked(task.id(), WaitReason::ChanReceive);
            task
        })
        .collect();
    let writer = gopark::go({
        let lock = lock.clone();
        move || drop(lock.write())
    });
    let seen = lock_of(writer.id(), WaitReason::RwLockWrite).expect("it waits for a lock");
    let known: Vec<_> = seen.holders().map(|holder| holder.task).collect();
    let first: Vec<_> = readers.iter().take(4).map(JoinHandle::id).collect();
    assert_eq!((seen.holder, known), (None, first));
    let sites: Vec<_> = seen.holders().map(|holder| holder.site.file()).collect();
    assert_eq!(sites, [file!(); 4]);
    // The census says so of all who wait for locks, whosever they are.
    let census = Census::take(&Scope::new("another"));
    let wait = census.locks.iter().find(|wait| wait.id == writer.id()).expect("the writer");
    assert_eq!((wait.reason, wait.lock), (WaitReason::RwLockWrite, seen));
    gate.open();
    readers.into_iter().chain([writer]).for_each(|task| task.join().unwrap());

    // They have gone, and so have those who only tried.
    drop(lock.try_read().expect("it is free"));
    let guard = lock.read();
    let writer = gopark::go({
        let lock = lock.clone();
        move || drop(lock.write())
    });
    let seen = lock_of(writer.id(), WaitReason::RwLockWrite).expect("it waits for a lock");
    let line = line!() - 6;
    let known: Vec<_> = seen.holders().map(|holder| holder.site.line()).collect();
    assert_eq!(known, [line]);
    drop(guard);
    writer.join().unwrap();
}
