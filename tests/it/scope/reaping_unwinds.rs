//! Ending tasks whose unwind is not simple: they catch it, wait in a destructor, or have
//! siblings that unwind on the same thread.

use super::{go_in, reap};
use crate::child::{alone, here};
use crate::support::{Gate, Tally, for_ever, info, parked, until};
use gopark::inspect::{Status, WaitReason};
use gopark::sync::Mutex;
use gopark::{JoinError, Scope, chan};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};

#[test]
fn a_task_that_swallows_sixteen_unwinds_is_abandoned_and_can_still_wake() {
    alone(here!(), &[], || {
        let (scope, swallowed, gate) = (Scope::new("stubborn"), Tally::new(), Gate::new());
        let (held, count) = (gate.clone(), swallowed.clone());
        let task = go_in(&scope, move || {
            while let Err(_token) = catch_unwind(AssertUnwindSafe(|| held.pass())) {
                count.add();
            }
            "went on"
        });
        parked(task.id(), WaitReason::ChanReceive);
        assert_eq!(reap(&scope), (0, 1));
        assert_eq!(swallowed.count(), 16);
        let seen = parked(task.id(), WaitReason::ChanReceive);
        assert_eq!((seen.status, scope.live()), (Status::Leaked, 1));
        // It is given up, not tried again.
        assert_eq!(reap(&scope), (0, 1));
        assert_eq!((swallowed.count(), info(task.id()).unwrap().stamp), (16, seen.stamp));
        gate.open();
        assert_eq!(task.join().unwrap(), "went on");
        assert_eq!(scope.live(), 0);
    });
}

#[test]
fn fifteen_swallowed_unwinds_are_not_enough() {
    alone(here!(), &[], || {
        let (scope, swallowed) = (Scope::new("fifteen"), Tally::new());
        let count = swallowed.clone();
        let task = go_in(&scope, move || {
            while count.count() < 15 {
                let _ = catch_unwind(for_ever);
                count.add();
            }
            for_ever();
        });
        parked(task.id(), WaitReason::ChanReceiveNil);
        assert_eq!(reap(&scope), (1, 0));
        assert_eq!(swallowed.count(), 15);
        assert!(matches!(task.join(), Err(JoinError::Reaped)));
    });
}

#[test]
fn a_task_that_waits_for_a_lock_in_a_destructor_is_abandoned() {
    alone(here!(), &[], || {
        struct Locks(Arc<Mutex<u32>>);
        impl Drop for Locks {
            fn drop(&mut self) {
                *self.0.lock() += 1;
            }
        }
        let (scope, lock) = (Scope::new("waits on"), Arc::new(Mutex::new(0)));
        let locks = Locks(lock.clone());
        let guard = lock.lock();
        let task = go_in(&scope, move || {
            let _locks = locks;
            for_ever();
        });
        parked(task.id(), WaitReason::ChanReceiveNil);
        assert_eq!(reap(&scope), (0, 1));
        assert_eq!(parked(task.id(), WaitReason::MutexLock).status, Status::Leaked);
        // The lock comes late, but it comes, and the unwind goes on.
        drop(guard);
        assert!(matches!(task.join(), Err(JoinError::Reaped)));
        assert_eq!((*lock.lock(), scope.live()), (1, 0));
    });
}

/// A destructor may wait for a lock that another reaped task has.
#[test]
fn a_lock_that_another_reaped_task_has_is_waited_for() {
    alone(here!(), &[], || {
        struct Locks(Arc<Mutex<u32>>);
        impl Drop for Locks {
            fn drop(&mut self) {
                *self.0.lock() += 1;
            }
        }
        for _ in 0..20 {
            let (scope, lock) = (Scope::new("hands over"), Arc::new(Mutex::new(0)));
            let (locks, holds) = (Locks(lock.clone()), lock.clone());
            let waits = go_in(&scope, move || {
                let _locks = locks;
                for_ever();
            });
            let holder = go_in(&scope, move || {
                let _guard = holds.lock();
                for_ever();
            });
            parked(waits.id(), WaitReason::ChanReceiveNil);
            parked(holder.id(), WaitReason::ChanReceiveNil);
            assert_eq!(reap(&scope), (2, 0));
            assert!(matches!(waits.join(), Err(JoinError::Reaped)));
            assert!(matches!(holder.join(), Err(JoinError::Reaped)));
            assert_eq!(*lock.lock(), 1);
        }
    });
}

#[test]
fn calls_in_a_destructor_return_their_errors() {
    alone(here!(), &[], || {
        struct Talks(chan::Sender<u32>, chan::Receiver<u32>, mpsc::Sender<(bool, bool, bool)>);
        impl Drop for Talks {
            fn drop(&mut self) {
                let sent = self.0.send(7) == Err(chan::SendError(7));
                let got = self.1.recv() == Err(chan::RecvError);
                let joined = matches!(gopark::go(for_ever).join(), Err(JoinError::Reaped));
                self.2.send((sent, got, joined)).unwrap();
            }
        }
        let scope = Scope::new("last words");
        let (a, b) = (chan::rendezvous(), chan::rendezvous());
        let (tx, rx) = mpsc::channel();
        let talks = Talks(a.0, b.1, tx);
        drop(go_in(&scope, move || {
            let _talks = talks;
            for_ever();
        }));
        until("it is parked", || {
            gopark::inspect::Snapshot::of(&scope).tasks.iter().all(|task| task.wait.is_some())
        });
        assert_eq!(scope.reap().abandoned, 0);
        assert_eq!(rx.recv(), Ok((true, true, true)));
        drop((a.1, b.0));
    });
}

/// Waits for a lock when it is dropped.
struct Waits(Arc<Mutex<()>>);

impl Drop for Waits {
    fn drop(&mut self) {
        drop(self.0.lock());
    }
}

/// A task that has parked in the middle of its unwind, on the only worker.
fn unwinding(lock: &Arc<Mutex<()>>) -> gopark::JoinHandle<()> {
    let waits = Waits(lock.clone());
    let unwinding = gopark::go(move || {
        let _waits = waits;
        panic!("slowly");
    });
    parked(unwinding.id(), WaitReason::MutexLock);
    unwinding
}

/// `std::thread::panicking` speaks of the thread, and here of a sibling.
#[test]
fn a_siblings_unwind_does_not_keep_a_task_from_ending() {
    alone(here!(), &[("GOPARK_MAXPROCS", "1")], || {
        let (scope, went_on) = (Scope::new("sibling"), Tally::new());
        let count = went_on.clone();
        let task = go_in(&scope, move || {
            while count.add() < 1000 {
                for_ever();
            }
        });
        parked(task.id(), WaitReason::ChanReceiveNil);
        let lock = Arc::new(Mutex::new(()));
        let guard = lock.lock();
        let unwinding = unwinding(&lock);
        assert_eq!(reap(&scope), (1, 0));
        assert_eq!(went_on.count(), 1, "it went on behind its receive");
        assert!(matches!(task.join(), Err(JoinError::Reaped)));
        drop(guard);
        assert!(unwinding.join().is_err());
    });
}

/// The task parks when its thread panics already, so nobody can tell whether it
/// is unwinding itself. It ends or is given up, but it does not go round and
/// round, and the worker runs others.
#[test]
fn a_task_that_parks_beside_a_siblings_unwind_does_not_spin() {
    alone(here!(), &[("GOPARK_MAXPROCS", "1")], || {
        let lock = Arc::new(Mutex::new(()));
        let guard = lock.lock();
        let unwinding = unwinding(&lock);
        let scope = Scope::new("sibling");
        let task = go_in(&scope, || -> () {
            loop {
                for_ever();
            }
        });
        parked(task.id(), WaitReason::ChanReceiveNil);
        let (ended, abandoned) = reap(&scope);
        assert_eq!(ended + abandoned, 1);
        assert_eq!(gopark::go(|| 7).join().unwrap(), 7);
        drop(guard);
        assert!(unwinding.join().is_err());
    });
}

/// Both unwind on one thread, the second one for a panic of its own, and wait
/// in a destructor. A second unwind there would end the process.
#[test]
fn a_task_that_panics_beside_a_siblings_unwind_is_not_unwound_twice() {
    struct Receives(Tally);
    impl Drop for Receives {
        fn drop(&mut self) {
            for_ever();
            self.0.add();
        }
    }
    alone(here!(), &[("GOPARK_MAXPROCS", "1")], || {
        let lock = Arc::new(Mutex::new(()));
        let guard = lock.lock();
        let unwinding = unwinding(&lock);
        let (scope, went_on) = (Scope::new("sibling"), Tally::new());
        let receives = Receives(went_on.clone());
        let task = go_in(&scope, move || {
            let _receives = receives;
            panic!("its own");
        });
        parked(task.id(), WaitReason::ChanReceiveNil);
        assert_eq!(reap(&scope), (1, 0));
        assert_eq!(went_on.count(), 1, "the receive in the destructor had an error to return");
        assert_eq!(task.join().unwrap_err().to_string(), "the task panicked: its own");
        drop(guard);
        assert!(unwinding.join().is_err());
    });
}

/// It catches whatever comes, beside a sibling whose unwind has parked. Sixteen
/// attempts are made all the same, and not a million.
#[test]
fn a_stubborn_task_beside_a_siblings_unwind_is_given_up() {
    alone(here!(), &[("GOPARK_MAXPROCS", "1")], || {
        let (scope, swallowed) = (Scope::new("stubborn"), Tally::new());
        let (tx, rx) = chan::rendezvous::<()>();
        let count = swallowed.clone();
        let task = go_in(&scope, move || {
            while !rx.is_closed() {
                let _ = catch_unwind(AssertUnwindSafe(|| rx.recv()));
                count.add();
            }
        });
        parked(task.id(), WaitReason::ChanReceive);
        let lock = Arc::new(Mutex::new(()));
        let guard = lock.lock();
        let unwinding = unwinding(&lock);
        assert_eq!(reap(&scope), (0, 1));
        // And one more, which finds that it is enough.
        assert!(swallowed.count() <= 17, "{} attempts", swallowed.count());
        assert_eq!(gopark::go(|| 7).join().unwrap(), 7, "the worker runs others");
        tx.close();
        task.join().unwrap();
        drop(guard);
        assert!(unwinding.join().is_err());
    });
}
