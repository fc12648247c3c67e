//! The double look: what a leak check decides on.

use crate::child::{alone, here};
use crate::support::{Gate, ONE_COOPERATIVE, parked, until};
use gopark::inspect::{Census, WaitReason, mark_harness_thread};
use gopark::sync::{Barrier, Condvar, Group, Once, RwLock, Semaphore};
use gopark::{Builder, JoinHandle, Scope, chan};
use std::time::Duration;

fn held(scope: &Scope, gate: &Gate) -> JoinHandle<()> {
    let (_in, held) = (scope.enter(), gate.clone());
    let task = gopark::go(move || held.pass());
    parked(task.id(), WaitReason::ChanReceive);
    task
}

#[test]
fn two_of_a_set_at_rest_are_the_same() {
    alone(here!(), &[], || {
        let (scope, gate) = (Scope::new("at rest"), Gate::new());
        let tasks: Vec<_> = (0..10).map(|_| held(&scope, &gate)).collect();
        let (first, second) = (Census::take(&scope), Census::take(&scope));
        assert!(first.all_blocked() && second.all_blocked());
        assert!(first.same(&second), "{first:?}\n{second:?}");
        assert_eq!((first.members.len(), first.born, first.outside), (10, 10, 0));
        let ids: Vec<_> = tasks.iter().map(JoinHandle::id).collect();
        assert!(first.members.iter().map(|member| member.id).eq(ids));
        gate.open();
        tasks.into_iter().for_each(|task| task.join().unwrap());
        let last = Census::take(&scope);
        assert!(last.members.is_empty() && !first.same(&last));
        assert!(last.all_blocked(), "nobody is not blocked");
    });
}

#[test]
fn whatever_happens_in_between_shows() {
    alone(here!(), &[], || {
        let (scope, gate) = (Scope::new("moving"), Gate::new());
        let (tx, rx) = chan::rendezvous();
        let echo = {
            let _in = scope.enter();
            gopark::go(move || rx.iter().count())
        };
        parked(echo.id(), WaitReason::ChanReceive);
        // It went and came back to the same place.
        let before = Census::take(&scope);
        tx.send(()).unwrap();
        until("it is parked again", || {
            let stamp = parked(echo.id(), WaitReason::ChanReceive).stamp;
            before.members[0].stamp != stamp
        });
        let after = Census::take(&scope);
        assert!(before.all_blocked() && after.all_blocked());
        assert!(!before.same(&after), "a park ended and another began");
        // Somebody was born and died.
        let before = Census::take(&scope);
        {
            let _in = scope.enter();
            gopark::go(|| ()).join().unwrap();
        }
        assert!(!before.same(&Census::take(&scope)), "a birth");
        // Somebody was born and lives.
        let before = Census::take(&scope);
        let late = held(&scope, &gate);
        assert!(!before.same(&Census::take(&scope)), "a member more");
        drop(tx);
        gate.open();
        late.join().unwrap();
        assert_eq!(echo.join().unwrap(), 1);
    });
}

#[test]
fn members_are_told_apart_by_what_they_do() {
    alone(here!(), ONE_COOPERATIVE, || {
        let (scope, gate) = (Scope::new("kinds"), Gate::new());
        let blocked = held(&scope, &gate);
        let _in = scope.enter();
        let sleeper = gopark::go(|| gopark::sleep(Duration::from_secs(3600)));
        parked(sleeper.id(), WaitReason::Sleep);
        let (_keep, rx) = chan::rendezvous::<u8>();
        let limited = gopark::go(move || rx.recv_timeout(Duration::from_secs(3600)));
        parked(limited.id(), WaitReason::ChanReceive);
        let inside = scope.clone();
        let take = move || {
            let fresh = gopark::go(|| ());
            (fresh.id(), Census::take(&inside))
        };
        // It keeps the processor, after its slice too.
        let running = gopark::go(|| gopark::no_park(take));
        let id = running.id();
        let (fresh, census) = running.join().unwrap();
        let kind = |id| {
            let member = census.members.iter().find(|member| member.id == id).expect("a member");
            (member.blocked, member.runnable)
        };
        assert_eq!(kind(blocked.id()), (true, false));
        assert_eq!(kind(sleeper.id()), (false, false));
        assert_eq!(kind(limited.id()), (false, false), "its timer will end the wait");
        assert_eq!(kind(fresh), (false, true));
        assert_eq!(kind(id), (false, false), "it runs");
        assert!(!census.all_blocked());
        gate.open();
        blocked.join().unwrap();
        scope.reap();
    });
}

#[test]
fn daemons_are_no_members() {
    let (scope, gate) = (Scope::new("daemons"), Gate::new());
    let daemon = {
        let (_in, held) = (scope.enter(), gate.clone());
        Builder::new().daemon().go(move || held.pass()).unwrap()
    };
    parked(daemon.id(), WaitReason::ChanReceive);
    assert!(Census::take(&scope).members.is_empty());
    gate.open();
    daemon.join().unwrap();
}

/// Who belongs to no open scope may wake anybody, unless it is blocked itself.
#[test]
fn outsiders_without_a_scope_count_while_they_are_not_blocked() {
    alone(here!(), &[], || {
        let (scope, gate) = (Scope::new("inside"), Gate::new());
        let member = held(&scope, &gate);
        let root = Scope::current();
        let outside = |scope: &Scope| Census::take(scope).outside;
        assert_eq!(outside(&scope), 0, "the caller does not count");
        let blocked = held(&root, &gate);
        assert_eq!(outside(&scope), 0, "it waits for others itself");
        let sleeper = gopark::go(|| gopark::sleep(Duration::from_secs(3600)));
        parked(sleeper.id(), WaitReason::Sleep);
        assert_eq!(outside(&scope), 1);
        // A task that survived its test.
        let survivor = {
            let closed = Scope::new("closed");
            let _in = closed.enter();
            gopark::go(|| gopark::sleep(Duration::from_secs(3600)))
        };
        parked(survivor.id(), WaitReason::Sleep);
        assert_eq!(outside(&scope), 2);
        // A test that runs beside this one.
        let beside = Scope::new("beside");
        let other = {
            let _in = beside.enter();
            gopark::go(|| gopark::sleep(Duration::from_secs(3600)))
        };
        parked(other.id(), WaitReason::Sleep);
        assert_eq!(outside(&scope), 2, "nothing is shared with it");
        assert_eq!(outside(&beside), 2, "the member of the first one is apart");
        gate.open();
        blocked.join().unwrap();
        member.join().unwrap();
    });
}

#[test]
fn adopted_threads_count_while_they_are_not_blocked() {
    alone(here!(), &[], || {
        let scope = Scope::new("inside");
        let (go, stop) = (chan::bounded::<()>(1), std::sync::mpsc::channel::<()>());
        let (ready, is_ready) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            drop(Scope::current());
            ready.send(()).unwrap();
            let _ = stop.1.recv();
            go.1.recv().unwrap();
        });
        is_ready.recv().unwrap();
        assert_eq!(Census::take(&scope).outside, 1, "it might do anything");
        drop(stop.0);
        until("the thread is blocked in a channel", || Census::take(&scope).outside == 0);
        let before = Census::take(&scope);
        go.0.send(()).unwrap();
        thread.join().unwrap();
        assert_eq!(Census::take(&scope).outside, 0);
        assert!(!before.same(&Census::take(&scope)), "somebody outside has moved");
    });
}

#[test]
fn threads_of_a_harness_do_not_count() {
    alone(here!(), &[], || {
        let scope = Scope::new("inside");
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            mark_harness_thread();
            ready.send(()).unwrap();
            let _ = stopped.recv();
        });
        is_ready.recv().unwrap();
        assert_eq!(Census::take(&scope).outside, 0);
        drop(stop);
        thread.join().unwrap();
    });
}

/// Scopes that use the same channel may wake each other, also by a third one.
#[test]
fn scopes_that_share_a_primitive_count_for_each_other() {
    alone(here!(), &[], || {
        let scopes: Vec<_> = ["a", "b", "c", "d"].into_iter().map(Scope::new).collect();
        let outside = |n: usize| Census::take(&scopes[n]).outside;
        for scope in &scopes {
            let _in = scope.enter();
            let task = gopark::go(|| gopark::sleep(Duration::from_secs(3600)));
            parked(task.id(), WaitReason::Sleep);
        }
        assert_eq!([0, 1, 2, 3].map(outside), [0, 0, 0, 0]);
        let touch = |n: usize, tx: &chan::Sender<u8>| {
            let (_in, tx) = (scopes[n].enter(), tx.clone());
            gopark::go(move || tx.try_send(1).is_ok()).join().unwrap()
        };
        let (ab, _ab) = chan::bounded(8);
        assert!(touch(0, &ab));
        assert_eq!([0, 1, 2, 3].map(outside), [0, 0, 0, 0], "only one has used it");
        assert!(touch(1, &ab));
        assert_eq!([0, 1, 2, 3].map(outside), [1, 1, 0, 0]);
        let (bc, _bc) = chan::bounded(8);
        assert!(touch(1, &bc) && touch(2, &bc));
        assert_eq!([0, 1, 2, 3].map(outside), [2, 2, 2, 0], "by a third one");
    });
}

/// A task that selects can be woken through any of its channels.
#[test]
fn a_select_is_near_to_whoever_uses_one_of_its_channels() {
    alone(here!(), &[], || {
        let scopes: Vec<_> = ["selects", "first", "second", "timed"].map(Scope::new).into();
        let outside = || Census::take(&scopes[0]).outside;
        let in_scope = |n: usize| scopes[n].enter();
        let (to_a, a) = chan::rendezvous::<u8>();
        let (_to_b, b) = chan::rendezvous::<u8>();
        let selects = {
            let (_in, a, b) = (in_scope(0), a.clone(), b.clone());
            gopark::go(move || {
                gopark::select! { recv(a) -> _ => {}, recv(b) -> _ => {} }
                gopark::select! { recv(a) -> _ => {}, after(Duration::MAX) => {} }
            })
        };
        parked(selects.id(), WaitReason::Select);
        for scope in &scopes[1..3] {
            let _in = scope.enter();
            let task = gopark::go(|| gopark::sleep(Duration::from_secs(3600)));
            parked(task.id(), WaitReason::Sleep);
        }
        let census = Census::take(&scopes[0]);
        assert!(census.all_blocked(), "nobody uses its channels");
        assert_eq!(census.outside, 0);
        for (n, touch) in [(1, &a), (2, &b)] {
            let (_in, touch) = (in_scope(n), touch.clone());
            // What a scope uses by a select that chooses something else, too.
            let (ready, is_ready) = chan::bounded(1);
            ready.send(()).unwrap();
            gopark::go(move || {
                let _ = gopark::select! {
                    recv(is_ready) -> _ => 0,
                    recv(touch) -> got => got.unwrap(),
                };
            })
            .join()
            .unwrap();
            assert!((1..=2).contains(&outside()));
            assert!(Census::take(&scopes[0]).all_blocked(), "it is still parked");
        }
        assert_eq!(outside(), 2, "one for each channel");
        to_a.send(1).unwrap();
        crate::support::until("it waits with a limit", || {
            !Census::take(&scopes[0]).all_blocked()
                && crate::support::info(selects.id())
                    .is_some_and(|task| task.wait.is_some_and(|wait| wait.timed))
        });
        scopes.iter().for_each(|scope| _ = scope.reap());
    });
}

#[test]
fn locks_and_groups_are_shared_too() {
    alone(here!(), &[], || {
        type Touch = Box<dyn Fn() + Send + Sync>;
        let touches: [fn() -> Touch; 16] = [
            || {
                let lock = gopark::sync::Mutex::new(0);
                Box::new(move || *lock.lock() += 1)
            },
            || {
                let group = gopark::sync::WaitGroup::new();
                Box::new(move || {
                    group.add(1);
                    group.done();
                })
            },
            || {
                let group = gopark::sync::WaitGroup::new();
                Box::new(move || group.wait())
            },
            || {
                let lock = RwLock::new(0);
                Box::new(move || drop(lock.read()))
            },
            || {
                let lock = RwLock::new(0);
                Box::new(move || drop(lock.write()))
            },
            || {
                let lock = RwLock::new(0);
                Box::new(move || assert!(lock.try_read().is_some()))
            },
            || {
                let lock = RwLock::new(0);
                Box::new(move || assert!(lock.try_write_for(Duration::ZERO).is_some()))
            },
            || {
                let changed = Condvar::new();
                Box::new(move || changed.notify_one())
            },
            || {
                let changed = Condvar::new();
                Box::new(move || changed.notify_all())
            },
            || {
                let changed = Condvar::new();
                let mine = std::thread::current().id();
                Box::new(move || {
                    // A mutex of one's own.
                    let lock = gopark::sync::Mutex::new(mine);
                    assert!(changed.wait_timeout(&mut lock.lock(), Duration::ZERO).is_err());
                })
            },
            || {
                let once = Once::new();
                Box::new(move || {
                    let fails = || std::panic::resume_unwind(Box::new("not done"));
                    assert!(std::panic::catch_unwind(|| once.call_once(fails)).is_err());
                })
            },
            || {
                let semaphore = Semaphore::new(1);
                Box::new(move || drop(semaphore.acquire(1)))
            },
            || {
                let semaphore = Semaphore::new(1);
                Box::new(move || assert!(semaphore.try_acquire(1).is_some()))
            },
            || {
                let semaphore = Semaphore::new(1);
                Box::new(move || semaphore.release(0))
            },
            || {
                let barrier = Barrier::new(1);
                Box::new(move || assert!(barrier.wait().is_leader()))
            },
            || {
                let group = Group::<(), ()>::new();
                Box::new(move || assert!(group.wait().is_ok()))
            },
        ];
        for make in touches {
            let touch = make();
            let (a, b) = (Scope::new("a"), Scope::new("b"));
            let sleeper = {
                let _in = b.enter();
                gopark::go(|| gopark::sleep(Duration::from_secs(3600)))
            };
            parked(sleeper.id(), WaitReason::Sleep);
            {
                let _in = a.enter();
                touch();
            }
            assert_eq!(Census::take(&a).outside, 0);
            {
                let _in = b.enter();
                touch();
            }
            assert_eq!(Census::take(&a).outside, 1);
            b.reap();
        }
    });
}

/// A closed partner's tasks count like those of no scope.
#[test]
fn a_partner_that_closes_still_counts() {
    alone(here!(), &[], || {
        let a = Scope::new("a");
        let b = Scope::new("b");
        let sleeper = {
            let _in = b.enter();
            gopark::go(|| gopark::sleep(Duration::from_secs(3600)))
        };
        parked(sleeper.id(), WaitReason::Sleep);
        assert_eq!(Census::take(&a).outside, 0);
        drop(b);
        assert_eq!(Census::take(&a).outside, 1);
    });
}

/// Whoever waits for the end of another's task depends on its scope; so does a
/// scope that was opened or entered inside another one.
#[test]
fn scopes_meet_by_joins_and_by_being_opened_in_each_other() {
    alone(here!(), &[], || {
        let meets: [fn(&Scope) -> Scope; 3] = [
            |a| {
                let (b, gate) = (Scope::new("joined"), Gate::new());
                let task = held(&b, &gate);
                let _in = a.enter();
                let joiner = gopark::go(move || task.join().unwrap());
                parked(joiner.id(), WaitReason::Join);
                gate.open();
                joiner.join().unwrap();
                b
            },
            |a| {
                let _in = a.enter();
                Scope::new("inner")
            },
            |a| {
                let (_in, b) = (a.enter(), Scope::new("entered"));
                let _deeper = b.enter();
                b.clone()
            },
        ];
        for meet in meets {
            let a = Scope::new("a");
            let b = meet(&a);
            assert_eq!((Census::take(&a).outside, Census::take(&b).outside), (0, 0));
            let sleeper = {
                let _in = b.enter();
                gopark::go(|| gopark::sleep(Duration::from_secs(3600)))
            };
            parked(sleeper.id(), WaitReason::Sleep);
            assert_eq!(Census::take(&a).outside, 1, "{b:?}");
            b.reap();
        }
    });
}
