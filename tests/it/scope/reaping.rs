//! Ending all tasks of a scope.

use super::{go_in, reap};
use crate::child::{alone, here};
use crate::support::{
    Gate, Mark, ONE_COOPERATIVE, Tally, for_ever, info, parked, spin_until, thread_id, until,
};
use gopark::inspect::{Census, Status, WaitReason};
use gopark::sync::{Mutex, WaitGroup};
use gopark::{Builder, JoinError, Scope, chan};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

#[test]
fn nothing_is_ended_in_an_empty_scope() {
    alone(here!(), &[], || {
        let scope = Scope::new("empty");
        assert_eq!(reap(&scope), (0, 0));
        go_in(&scope, || ()).join().unwrap();
        assert_eq!(reap(&scope), (0, 0));
    });
}

/// One task for each way to park, and a hundred of each.
#[test]
fn destructors_run_wherever_a_task_is_parked() {
    alone(here!(), &[], || {
        let scope = Scope::new("everywhere");
        let drops = Tally::new();
        let (tx, rx) = chan::rendezvous::<Mark>();
        let lock = Arc::new(Mutex::new(()));
        let guard = lock.lock();
        let group = WaitGroup::new();
        group.add(1);
        let gate = Gate::new();
        let held = gate.clone();
        let slow = gopark::go(move || held.pass());
        let mut tasks = Vec::new();
        for _ in 0..100 {
            let park: [Box<dyn FnOnce() + Send>; 6] = [
                {
                    let channel = chan::rendezvous::<u8>();
                    Box::new(move || {
                        let (_keep, rx) = channel;
                        let _ = rx.recv();
                    })
                },
                {
                    let (tx, mark) = (tx.clone(), drops.mark());
                    Box::new(move || drop(tx.send(mark)))
                },
                {
                    let lock = lock.clone();
                    Box::new(move || drop(lock.lock()))
                },
                {
                    let group = group.clone();
                    Box::new(move || group.wait())
                },
                Box::new(|| gopark::sleep(Duration::from_secs(3600))),
                Box::new(|| for_ever()),
            ];
            for park in park {
                let mark = drops.mark();
                tasks.push(go_in(&scope, move || {
                    let _mark = mark;
                    park();
                }));
            }
        }
        // And one that joins.
        let mark = drops.mark();
        tasks.push(go_in(&scope, move || {
            let _mark = mark;
            drop(slow.join());
        }));
        until("all are parked", || {
            tasks.iter().all(|task| info(task.id()).is_some_and(|seen| seen.wait.is_some()))
        });
        assert_eq!(reap(&scope), (601, 0));
        assert_eq!((scope.live(), drops.count()), (0, 701), "600 locals, 1 more, 100 values");
        for task in tasks {
            assert!(matches!(task.join(), Err(JoinError::Reaped)));
        }
        // What they waited for is whole.
        assert!(matches!(rx.try_recv(), Err(chan::TryRecvError::Empty)));
        drop(guard);
        drop(lock.lock());
        group.done();
        group.wait();
        gate.open();
    });
}

#[test]
fn a_task_that_has_not_started_never_does() {
    alone(here!(), ONE_COOPERATIVE, || {
        let scope = Scope::new("unborn");
        let (drops, started) = (Tally::new(), Tally::new());
        let release = Arc::new(AtomicBool::new(false));
        // Keeps the only processor, after its slice too, so that none of its
        // children can start.
        let (inside, released) = (scope.clone(), release.clone());
        let (marks, starts) = (drops.clone(), started.clone());
        let (tx, rx) = mpsc::channel();
        let hog = move || {
            for _ in 0..100 {
                let (mark, starts) = (marks.mark(), starts.clone());
                let child = move || {
                    starts.add();
                    drop(mark);
                };
                tx.send(go_in(&inside, child)).unwrap();
            }
            drop(tx);
            spin_until("released", || released.load(Ordering::SeqCst));
        };
        let hog = gopark::go(|| gopark::no_park(hog));
        let tasks: Vec<_> = rx.iter().collect();
        assert_eq!(reap(&scope), (0, 100), "they stand behind a hog");
        release.store(true, Ordering::SeqCst);
        hog.join().unwrap();
        for task in tasks {
            assert!(matches!(task.join(), Err(JoinError::Reaped)));
        }
        assert_eq!((drops.count(), started.count()), (100, 0));
    });
}

/// Each waits for another one that is reaped too. Whoever of them is unwound
/// first closes the channel of the other, who must not go on for that.
#[test]
fn all_are_marked_before_any_is_woken() {
    alone(here!(), &[], || {
        const RING: usize = 20;
        for _ in 0..50 {
            let (scope, went_on) = (Scope::new("ring"), Tally::new());
            let (mut txs, rxs): (Vec<_>, Vec<_>) =
                (0..RING).map(|_| chan::rendezvous::<()>()).unzip();
            txs.rotate_left(1);
            let tasks: Vec<_> = txs
                .into_iter()
                .zip(rxs)
                .map(|(keep, rx)| {
                    let went_on = went_on.clone();
                    go_in(&scope, move || {
                        let _keep = keep;
                        let _ = rx.recv();
                        went_on.add();
                    })
                })
                .collect();
            for task in &tasks {
                parked(task.id(), WaitReason::ChanReceive);
            }
            assert_eq!(reap(&scope), (RING, 0));
            assert_eq!((scope.live(), went_on.count()), (0, 0));
        }
    });
}

#[test]
fn a_task_born_in_a_destructor_dies_before_it_starts() {
    alone(here!(), &[], || {
        struct Spawns(Tally, Option<Mark>);
        impl Drop for Spawns {
            fn drop(&mut self) {
                let (started, mark) = (self.0.clone(), self.1.take());
                drop(gopark::go(move || {
                    started.add();
                    drop(mark);
                }));
            }
        }
        for _ in 0..50 {
            let (scope, started, drops) = (Scope::new("last will"), Tally::new(), Tally::new());
            let tasks: Vec<_> = (0..10)
                .map(|_| {
                    let spawns = Spawns(started.clone(), Some(drops.mark()));
                    go_in(&scope, move || {
                        let _spawns = spawns;
                        for_ever();
                    })
                })
                .collect();
            for task in &tasks {
                parked(task.id(), WaitReason::ChanReceiveNil);
            }
            assert_eq!(scope.reap().abandoned, 0);
            assert_eq!(scope.live(), 0, "the reaper waits for those too");
            assert_eq!((started.count(), drops.count()), (0, 10));
            assert_eq!(scope.born(), 20);
        }
    });
}

#[test]
fn running_tasks_end_at_their_next_park() {
    alone(here!(), &[], || {
        type Step = fn();
        let steps: [Step; 6] = [
            gopark::yield_now,
            || gopark::sleep(Duration::ZERO),
            || chan::never().recv_timeout(Duration::ZERO).unwrap_or_default(),
            || chan::rendezvous().1.recv_timeout(Duration::from_micros(10)).unwrap_or_default(),
            || drop(gopark::go(|| ()).join()),
            || {
                let (tx, rx) = chan::bounded(1);
                tx.send(()).unwrap();
                rx.recv().unwrap();
            },
        ];
        for (n, step) in steps.into_iter().enumerate() {
            let (scope, drops, steps) = (Scope::new("busy"), Tally::new(), Tally::new());
            let (mark, seen) = (drops.mark(), steps.clone());
            let task = go_in(&scope, move || -> () {
                let _mark = mark;
                loop {
                    step();
                    seen.add();
                }
            });
            until("it works", || steps.count() > 10);
            let reaped = scope.reap();
            assert_eq!((reaped.abandoned, scope.live(), drops.count()), (0, 0, 1), "step {n}");
            assert!(matches!(task.join(), Err(JoinError::Reaped)));
        }
    });
}

#[test]
fn a_daemon_is_left_alone() {
    alone(here!(), &[], || {
        let scope = Scope::new("daemons");
        let gate = Gate::new();
        let daemon = {
            let (_in, held) = (scope.enter(), gate.clone());
            Builder::new().daemon().go(move || held.pass()).unwrap()
        };
        let held = gate.clone();
        let other = go_in(&scope, move || held.pass());
        let before = parked(daemon.id(), WaitReason::ChanReceive);
        parked(other.id(), WaitReason::ChanReceive);
        assert_eq!(reap(&scope), (1, 0));
        let after = info(daemon.id()).unwrap();
        assert_eq!((after.stamp, after.status), (before.stamp, Status::Waiting));
        gate.open();
        daemon.join().unwrap();
    });
}

#[test]
fn other_scopes_are_left_alone() {
    alone(here!(), &[], || {
        let (scope, other) = (Scope::new("reaped"), Scope::new("spared"));
        let gate = Gate::new();
        let start = |scope: &Scope| {
            let held = gate.clone();
            go_in(scope, move || held.pass())
        };
        let mine: Vec<_> = (0..50).map(|_| start(&scope)).collect();
        let others: Vec<_> = (0..50).map(|_| start(&other)).collect();
        for task in mine.iter().chain(&others) {
            parked(task.id(), WaitReason::ChanReceive);
        }
        assert_eq!(reap(&scope), (50, 0));
        assert_eq!((scope.live(), other.live()), (0, 50));
        gate.open();
        others.into_iter().for_each(|task| task.join().unwrap());
    });
}

#[test]
fn a_joiner_elsewhere_hears_of_it() {
    alone(here!(), &[], || {
        let scope = Scope::new("joined");
        let task = go_in(&scope, for_ever);
        parked(task.id(), WaitReason::ChanReceiveNil);
        let joiner = gopark::go(move || matches!(task.join(), Err(JoinError::Reaped)));
        parked(joiner.id(), WaitReason::Join);
        assert_eq!(reap(&scope), (1, 0));
        assert!(joiner.join().unwrap());
    });
}

#[test]
fn parents_that_join_their_children_end_with_them() {
    alone(here!(), &[], || {
        let (scope, drops) = (Scope::new("family"), Tally::new());
        for _ in 0..50 {
            let (outer, inner) = (drops.mark(), drops.mark());
            drop(go_in(&scope, move || {
                let _outer = outer;
                let child = gopark::go(move || {
                    let _inner = inner;
                    for_ever();
                });
                child.join()
            }));
        }
        until("all are parked", || {
            let tasks = gopark::inspect::Snapshot::of(&scope).tasks;
            tasks.len() == 100 && tasks.iter().all(|task| task.wait.is_some())
        });
        assert_eq!(reap(&scope), (100, 0));
        assert_eq!((scope.live(), drops.count()), (0, 100));
    });
}

#[test]
fn reaping_is_no_panic_that_somebody_should_see() {
    alone(here!(), &[], || {
        let scope = Scope::new("quiet");
        drop(go_in(&scope, for_ever));
        until("it is parked", || {
            gopark::inspect::Snapshot::of(&scope).tasks.iter().all(|task| task.wait.is_some())
        });
        assert_eq!(reap(&scope), (1, 0));
        assert!(scope.take_panics().is_empty());
    });
}

/// The timer of a sleep that was cut short must not end a later park of the
/// record's next task.
#[test]
fn a_sleeping_task_is_ended_and_its_timer_is_gone() {
    alone(here!(), &[], || {
        let scope = Scope::new("sleepers");
        let nap = Duration::from_millis(60);
        let sleepers: Vec<_> =
            (0..100).map(|_| go_in(&scope, move || gopark::sleep(nap))).collect();
        until("all sleep", || {
            sleepers.iter().all(|task| {
                task.is_finished() || info(task.id()).is_some_and(|seen| seen.wait.is_some())
            })
        });
        scope.reap();
        assert_eq!(scope.live(), 0);
        drop(sleepers);
        // The same records, with sleeps that are longer.
        let gate = Gate::new();
        let next: Vec<_> = (0..200)
            .map(|_| {
                let held = gate.clone();
                gopark::go(move || held.pass())
            })
            .collect();
        let stamps: Vec<_> =
            next.iter().map(|task| parked(task.id(), WaitReason::ChanReceive).stamp).collect();
        // Two timers that are set later have fired: so had the old ones.
        gopark::sleep(nap);
        gopark::go(move || gopark::sleep(nap)).join().unwrap();
        for (task, stamp) in next.iter().zip(stamps) {
            assert_eq!(info(task.id()).unwrap().stamp, stamp, "something woke it");
        }
        gate.open();
        next.into_iter().for_each(|task| task.join().unwrap());
    });
}

#[test]
fn a_task_that_computes_is_abandoned_and_ends_later() {
    alone(here!(), &[], || {
        let (scope, stop, drops) =
            (Scope::new("hog"), Arc::new(AtomicBool::new(false)), Tally::new());
        let (released, mark) = (stop.clone(), drops.mark());
        let (tx, rx) = mpsc::channel();
        let hog = go_in(&scope, move || {
            let _mark = mark;
            tx.send(()).unwrap();
            while !released.load(Ordering::SeqCst) {
                std::hint::spin_loop();
            }
            gopark::yield_now();
            "ended by itself"
        });
        rx.recv().unwrap();
        assert_eq!(reap(&scope), (0, 1));
        assert_eq!((info(hog.id()).unwrap().status, drops.count()), (Status::Running, 0));
        stop.store(true, Ordering::SeqCst);
        assert_eq!(hog.join().unwrap(), "ended by itself");
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn an_own_thread_is_reaped_and_ends() {
    alone(here!(), &[], || {
        let scope = Scope::new("own thread");
        let (tx, rx) = chan::bounded(1);
        let task = {
            let _in = scope.enter();
            let body = move || {
                tx.send(thread_id()).unwrap();
                for_ever();
            };
            Builder::new().own_thread().go(body).unwrap()
        };
        let thread = format!("/proc/self/task/{}", rx.recv().unwrap());
        parked(task.id(), WaitReason::ChanReceiveNil);
        assert_eq!(reap(&scope), (1, 0));
        until("the thread has ended", || !std::path::Path::new(&thread).exists());
    });
}

#[test]
fn condemned_tasks_are_shown_as_leaked_and_can_still_wake() {
    alone(here!(), &[], || {
        let (scope, gate) = (Scope::new("condemned"), Gate::new());
        let held = [gate.clone(), gate.clone()];
        let [a, b] = held.map(|held| go_in(&scope, move || held.pass()));
        parked(a.id(), WaitReason::ChanReceive);
        parked(b.id(), WaitReason::ChanReceive);
        let members = Census::take(&scope).members;
        let found: Vec<_> = members.into_iter().filter(|it| it.id == a.id()).collect();
        scope.condemn(&found);
        assert_eq!(info(a.id()).unwrap().status, Status::Leaked);
        assert_eq!(info(b.id()).unwrap().status, Status::Waiting);
        gate.open();
        a.join().unwrap();
        b.join().unwrap();
    });
}

#[test]
fn the_next_scope_is_clean() {
    alone(here!(), &[], || {
        for _ in 0..50 {
            let scope = Scope::new("again");
            drop(go_in(&scope, for_ever));
            scope.reap();
            let next = Scope::new("next");
            assert_eq!(go_in(&next, || 7).join().unwrap(), 7, "a new life is not marked");
            assert_eq!(next.live(), 0);
            drop(scope);
        }
    });
}
