//! Migrating mode: a started task may go on anywhere, except where that would
//! break the thread it is on.
//!
//! The tests keep the promise that `Config::migrating` asks for: what they ask
//! of a thread on both sides of a park, the kernel answers.

use crate::child::{alone, here};
use crate::support::{COOPERATIVE, Gate, Tally, for_ever, parked, spin_until, thread_id};
use gopark::inspect::WaitReason;
use gopark::runtime::{Config, is_migrating};
use gopark::sync::Mutex;
use gopark::{Builder, Scope, chan};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

#[expect(unsafe_code, reason = "the promise of migrating mode")]
pub(super) fn start(maxprocs: usize) {
    // SAFETY: no frame of these tests touches a thread-local on both sides of a
    // park, as said above.
    unsafe { Config::new().maxprocs(maxprocs).migrating() }.start().unwrap();
    assert!(is_migrating());
}

/// Tasks that keep all processors busy and change places.
pub(super) struct Traffic {
    over: Arc<AtomicBool>,
    tasks: Vec<gopark::JoinHandle<()>>,
}

impl Traffic {
    pub(super) fn new() -> Traffic {
        let over = Arc::new(AtomicBool::new(false));
        let tasks = (0..8)
            .map(|_| {
                let over = over.clone();
                gopark::go(move || {
                    while !over.load(Ordering::SeqCst) {
                        gopark::go(gopark::yield_now).join().unwrap();
                        gopark::yield_now();
                    }
                })
            })
            .collect();
        Traffic { over, tasks }
    }

    pub(super) fn stop(self) {
        self.over.store(true, Ordering::SeqCst);
        self.tasks.into_iter().for_each(|task| task.join().unwrap());
    }
}

/// Keeps its processor for a moment, so that another one steals what waits there.
pub(super) fn hog() {
    for _ in 0..20_000 {
        std::hint::spin_loop();
    }
}

#[test]
fn a_started_task_goes_on_on_another_thread() {
    alone(here!(), &[], || {
        start(2);
        type Park = fn();
        let parks: [Park; 4] = [
            || {
                drop(gopark::go(hog));
                gopark::yield_now();
            },
            || {
                drop(gopark::go(hog));
                gopark::sleep(Duration::from_micros(1));
            },
            || gopark::go(hog).join().unwrap(),
            || {
                let (tx, rx) = chan::rendezvous();
                drop(gopark::go(move || {
                    hog();
                    tx.send(())
                }));
                rx.recv().unwrap();
            },
        ];
        for park in parks {
            let traveller = gopark::go(move || {
                let first = thread_id();
                while thread_id() == first {
                    park();
                }
            });
            traveller.join().unwrap();
        }
    });
}

/// Two hogs, one of them on the thread that the sleeper started on. That one
/// wakes it and keeps its processor; the other one goes.
#[test]
fn a_task_that_a_hog_wakes_goes_on_elsewhere() {
    alone(here!(), &[COOPERATIVE], || {
        start(2);
        for _ in 0..100 {
            let (gate, woke) = (Gate::new(), Arc::new(AtomicBool::new(false)));
            let (held, awake) = (gate.clone(), woke.clone());
            let (tx, rx) = std::sync::mpsc::channel();
            let sleeper = gopark::go(move || {
                tx.send(thread_id()).unwrap();
                held.pass();
                awake.store(true, Ordering::SeqCst);
                thread_id()
            });
            let first = rx.recv().unwrap();
            parked(sleeper.id(), WaitReason::ChanReceive);
            let places: [Arc<AtomicU64>; 2] = Default::default();
            let hogs = [0, 1].map(|n| {
                let (places, gate, woke) = (places.clone(), gate.clone(), woke.clone());
                gopark::go(move || {
                    let at = |n: usize| places[n].load(Ordering::SeqCst);
                    places[n].store(thread_id(), Ordering::SeqCst);
                    spin_until("both run", || at(0) != 0 && at(1) != 0);
                    if at(n) == first || (at(1 - n) != first && n == 0) {
                        gate.open();
                        spin_until("it is stolen", || woke.load(Ordering::SeqCst));
                    }
                })
            });
            hogs.into_iter().for_each(|hog| hog.join().unwrap());
            assert_ne!(sleeper.join().unwrap(), first);
        }
    });
}

#[test]
fn an_own_thread_stays() {
    alone(here!(), &[], || {
        start(2);
        let traffic = Traffic::new();
        let body = || {
            let at = thread_id();
            for n in 0..500 {
                match n % 3 {
                    0 => gopark::yield_now(),
                    1 => gopark::sleep(Duration::from_micros(1)),
                    _ => gopark::go(|| ()).join().unwrap(),
                }
                assert_eq!(thread_id(), at);
            }
        };
        Builder::new().own_thread().go(body).unwrap().join().unwrap();
        traffic.stop();
    });
}

/// Parks in a destructor, many times, and says whether it stayed where it was.
struct Stays {
    park: fn(),
    moved: Tally,
}

impl Drop for Stays {
    fn drop(&mut self) {
        let at = thread_id();
        for _ in 0..300 {
            (self.park)();
            if thread_id() != at {
                self.moved.add();
            }
        }
    }
}

/// The count of panics is the thread's: who parks while it unwinds must come
/// back.
fn unwinds_where_it_began(park: fn()) {
    start(3);
    let traffic = Traffic::new();
    let moved = Tally::new();
    let tasks: Vec<_> = (0..6)
        .map(|_| {
            let moved = moved.clone();
            gopark::go(move || {
                let _stays = Stays { park, moved };
                std::panic::resume_unwind(Box::new("unwinds"));
            })
        })
        .collect();
    tasks.into_iter().for_each(|task| drop(task.join().unwrap_err()));
    traffic.stop();
    assert_eq!(moved.count(), 0, "went on on another thread in the middle of an unwind");
    // No thread was left with somebody's panic.
    for _ in 0..100 {
        assert!(!gopark::go(std::thread::panicking).join().unwrap());
    }
}

#[test]
fn a_task_that_sleeps_while_it_unwinds_stays() {
    alone(here!(), &[], || {
        unwinds_where_it_began(|| gopark::sleep(Duration::from_micros(1)));
    });
}

#[test]
fn a_task_that_joins_while_it_unwinds_stays() {
    alone(here!(), &[], || {
        unwinds_where_it_began(|| gopark::go(gopark::yield_now).join().unwrap());
    });
}

#[test]
fn a_task_that_locks_while_it_unwinds_stays() {
    static LOCK: Mutex<u32> = Mutex::new(0);
    alone(here!(), &[], || {
        unwinds_where_it_began(|| {
            let mut count = LOCK.lock();
            gopark::go(gopark::yield_now).join().unwrap();
            *count += 1;
        });
    });
}

#[test]
fn a_task_that_yields_while_it_unwinds_stays() {
    alone(here!(), &[], || unwinds_where_it_began(gopark::yield_now));
}

#[test]
fn channels_locks_and_reaping_work() {
    alone(here!(), &[], || {
        start(3);
        let traffic = Traffic::new();
        let sum = Arc::new(Mutex::new(0));
        let (tx, rx) = chan::rendezvous();
        let receivers: Vec<_> = (0..4)
            .map(|_| {
                let (rx, sum) = (rx.clone(), sum.clone());
                gopark::go(move || rx.iter().for_each(|n: u64| *sum.lock() += n))
            })
            .collect();
        let senders: Vec<_> = (0..4)
            .map(|_| {
                let tx = tx.clone();
                gopark::go(move || (1..=500).for_each(|n| tx.send(n).unwrap()))
            })
            .collect();
        drop((tx, rx));
        senders.into_iter().chain(receivers).for_each(|task| task.join().unwrap());
        assert_eq!(*sum.lock(), 4 * 125_250);
        let (scope, drops) = (Scope::new("reaped"), Tally::new());
        for _ in 0..100 {
            let (_in, mark) = (scope.enter(), drops.mark());
            drop(gopark::go(move || {
                let _mark = mark;
                for_ever();
            }));
        }
        assert_eq!(scope.reap().abandoned, 0);
        assert_eq!((scope.live(), drops.count()), (0, 100));
        traffic.stop();
    });
}
