//! No task is lost, and what one processor has too much of others take.

use super::{ONE, TWO};
use crate::child::{alone, here};
use crate::support::{
    COOPERATIVE, Gate, ONE_COOPERATIVE, Tally, on_one_thread, parked, spin_until, thread_id, until,
};
use gopark::inspect::WaitReason;
use gopark::{Scope, chan};
use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

/// The spawner never lets go of its processor: another one takes all of it, the
/// one in the next slot included.
#[test]
fn tasks_that_have_not_started_are_stolen() {
    alone(here!(), &[("GOPARK_MAXPROCS", "2"), COOPERATIVE], || {
        for count in [1, 2, 3, 200] {
            let spawns = move || {
                let (ran, threads) = (Tally::new(), Arc::new(Mutex::new(HashSet::new())));
                for _ in 0..count {
                    let (ran, threads) = (ran.clone(), threads.clone());
                    gopark::go(move || {
                        threads.lock().unwrap().insert(thread_id());
                        ran.add();
                    });
                }
                spin_until("all are stolen", || ran.count() == count);
                assert!(!threads.lock().unwrap().contains(&thread_id()));
            };
            // Each spawn would let it give way otherwise.
            gopark::go(move || gopark::no_park(spawns)).join().unwrap();
        }
    });
}

/// Nor does it matter that the other one's thread has two hundred tasks already.
#[test]
fn tasks_are_stolen_by_who_has_more() {
    alone(here!(), &[("GOPARK_MAXPROCS", "2"), COOPERATIVE], || {
        let spawns = || {
            let (begun, (end, ending)) = (Tally::new(), chan::rendezvous::<()>());
            for _ in 0..200 {
                let (begun, ending) = (begun.clone(), ending.clone());
                gopark::go(move || {
                    begun.add();
                    ending.recv()
                });
            }
            spin_until("all are there", || begun.count() == 200);
            for count in 1..20 {
                let ran = Tally::new();
                for _ in 0..count {
                    let ran = ran.clone();
                    gopark::go(move || ran.add());
                }
                spin_until("these are stolen, too", || ran.count() == count);
            }
            drop(end);
        };
        // Each spawn would let it give way otherwise.
        gopark::go(move || gopark::no_park(spawns)).join().unwrap();
    });
}

#[test]
fn tasks_of_a_thread_use_all_processors() {
    alone(here!(), &[("GOPARK_MAXPROCS", "4"), COOPERATIVE], || {
        // Each waits for all others without letting go of its processor.
        let met = Tally::new();
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let met = met.clone();
                gopark::go(move || {
                    met.add();
                    spin_until("all have met", || met.count() == 4);
                    thread_id()
                })
            })
            .collect();
        let threads: HashSet<_> = tasks.into_iter().map(|task| task.join().unwrap()).collect();
        assert_eq!(threads.len(), 4);
    });
}

/// 256 fit into a ring; the rest goes to the global queue and comes back.
#[test]
fn a_full_ring_loses_none() {
    for procs in [ONE, TWO] {
        alone(here!(), procs, || {
            for count in [255_usize, 256, 257, 258, 511, 512, 513, 10_000] {
                let runs: Arc<Vec<AtomicU32>> = Arc::new((0..count).map(|_| 0.into()).collect());
                let inside = runs.clone();
                let spawner = gopark::go(move || {
                    let start = |n: usize| {
                        let runs = inside.clone();
                        gopark::go(move || runs[n].fetch_add(1, Ordering::Relaxed))
                    };
                    let tasks: Vec<_> = (0..count).map(start).collect();
                    tasks.into_iter().for_each(|task| assert_eq!(task.join().unwrap(), 0));
                });
                spawner.join().unwrap();
                assert!(runs.iter().all(|runs| runs.load(Ordering::Relaxed) == 1));
            }
        });
    }
}

#[test]
fn a_million_tasks_run() {
    alone(here!(), &[], || {
        let (scope, ran) = (Scope::new("million"), Tally::new());
        let inside = ran.clone();
        let spawner = {
            let _in = scope.enter();
            gopark::go(move || {
                for _ in 0..1_000_000 {
                    let ran = inside.clone();
                    gopark::go(move || ran.add());
                }
            })
        };
        spawner.join().unwrap();
        until("all have ended", || scope.live() == 0);
        assert_eq!((ran.count(), scope.born()), (1_000_000, 1_000_001));
    });
}

#[test]
fn a_hundred_thousand_are_parked_at_once_and_wake() {
    alone(here!(), &[], || {
        const COUNT: usize = 100_000;
        let (gate, started) = (Gate::new(), Tally::new());
        let tasks: Vec<_> = (0..COUNT)
            .map(|n| {
                let (held, started) = (gate.clone(), started.clone());
                gopark::go(move || {
                    started.add();
                    held.pass();
                    n
                })
            })
            .collect();
        until("all have started", || started.count() == COUNT);
        gate.open();
        for (n, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.join().unwrap(), n);
        }
    });
}

/// A tree whose leaves are many and whose inner tasks wait for their children.
#[test]
fn a_tree_of_joins_adds_up() {
    fn sum(from: u64, len: u64) -> u64 {
        if len == 1 {
            return from;
        }
        let part = len / 10;
        let parts: Vec<_> =
            (0..10).map(|n| gopark::go(move || sum(from + n * part, part))).collect();
        parts.into_iter().map(|task| task.join().unwrap()).sum()
    }
    assert_eq!(gopark::run(|| sum(0, 10_000)), 49_995_000);
}

#[test]
fn tasks_take_turns_in_the_order_in_which_they_yield() {
    const TASKS: usize = 5;
    alone(here!(), ONE_COOPERATIVE, || {
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = log.clone();
        let turns = move || {
            let gate = Gate::new();
            let tasks: Vec<_> = (0..TASKS)
                .map(|n| {
                    let (log, held) = (lines.clone(), gate.clone());
                    gopark::go(move || {
                        held.pass();
                        for _ in 0..100 {
                            log.lock().unwrap().push(n);
                            gopark::yield_now();
                        }
                    })
                })
                .collect();
            for task in &tasks {
                parked(task.id(), WaitReason::ChanReceive);
            }
            // Nobody runs before all are ready: they are on this thread.
            gate.open();
            tasks
        };
        on_one_thread(turns).into_iter().for_each(|task| task.join().unwrap());
        let log = log.lock().unwrap();
        let (first, rest) = log.split_at(TASKS);
        let mut all = first.to_vec();
        all.sort_unstable();
        assert_eq!(all, (0..TASKS).collect::<Vec<_>>());
        for (turn, others) in rest.chunks(TASKS).enumerate() {
            assert_eq!(others, first, "turn {}", turn + 1);
        }
    });
}

/// Tasks that were made ready by another thread go on in that order.
#[test]
fn tasks_wake_in_the_order_in_which_they_were_made_ready() {
    alone(here!(), ONE_COOPERATIVE, || {
        // Not a channel: who has been paused gives way before he sends.
        let order = Arc::new(Mutex::new(Vec::new()));
        let woken = order.clone();
        let sleep = move |n| {
            let ((wake, rx), woken) = (chan::bounded::<()>(1), woken.clone());
            let task = gopark::go(move || {
                rx.recv().unwrap();
                woken.lock().unwrap().push(n);
            });
            parked(task.id(), WaitReason::ChanReceive);
            (task, wake)
        };
        let sleepers = on_one_thread(move || (0..100).map(sleep).collect::<Vec<_>>());
        for (_, wake) in &sleepers {
            wake.send(()).unwrap();
        }
        for (task, _) in sleepers {
            task.join().unwrap();
        }
        assert!(order.lock().unwrap().iter().copied().eq(0..100));
    });
}

/// Stacks and records of ended tasks serve the next ones.
#[test]
fn memory_is_used_again() {
    // Not all that the process has: a worker more has a stack and a heap of libc's.
    fn reserved() -> usize {
        gopark::stack::usage().reserved
    }
    fn burst() {
        let tasks: Vec<_> = (0..100).map(|n| gopark::go(move || n)).collect();
        assert_eq!(tasks.into_iter().map(|task| task.join().unwrap()).sum::<i32>(), 4950);
    }
    alone(here!(), TWO, || {
        (0..20).for_each(|_| gopark::go(burst).join().unwrap());
        let before = reserved();
        (0..1000).for_each(|_| gopark::go(burst).join().unwrap());
        // Of a hundred stacks not even one stays.
        let grown = reserved() - before;
        assert!(grown < 1000 << 19, "{grown} bytes more after 100 000 tasks");
    });
}

/// Submissions from everywhere, each of which is waited for: one wake-up that is
/// lost is a hang.
#[test]
fn no_wake_up_is_lost() {
    alone(here!(), &[("GOPARK_MAXPROCS", "4")], || {
        let threads: Vec<_> = (0..6_u64)
            .map(|n| {
                std::thread::spawn(move || {
                    for turn in 0..4000 {
                        let value = n << 32 | turn;
                        assert_eq!(gopark::go(move || value).join().unwrap(), value);
                    }
                })
            })
            .collect();
        // Tasks of workers of their own, which take processors for themselves.
        let (there, back) = (chan::rendezvous::<u64>(), chan::rendezvous::<u64>());
        let echo = move || there.1.iter().for_each(|n| back.0.send(n + 1).unwrap());
        let echo = gopark::Builder::new().own_thread().go(echo).unwrap();
        let asks = gopark::go(move || {
            for n in 0..4000 {
                there.0.send(n).unwrap();
                assert_eq!(back.1.recv(), Ok(n + 1));
                if n % 100 == 0 {
                    gopark::sleep(std::time::Duration::from_micros(50));
                }
            }
        });
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        asks.join().unwrap();
        echo.join().unwrap();
    });
}
