//! On one processor everybody gets a turn, whatever the others do, as long as
//! they park or yield now and then.

use super::ONE;
use crate::child::{alone, here};
use crate::support::{Gate, ONE_COOPERATIVE, Tally, parked};
use gopark::inspect::WaitReason;
use gopark::{Builder, JoinHandle, chan};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What goes on until somebody has had his turns.
#[derive(Clone, Default)]
struct Busy {
    over: Arc<AtomicBool>,
    turns: Tally,
}

impl Busy {
    fn goes_on(&self) -> bool {
        self.turns.add();
        !self.over.load(Ordering::SeqCst)
    }

    fn stop(&self) {
        self.over.store(true, Ordering::SeqCst);
    }

    /// Waits, without taking part, until it is under way.
    fn under_way(&self) {
        while self.turns.count() < 100 {
            std::thread::yield_now();
        }
    }

    /// A task that yields.
    fn yields(&self, builder: Builder) -> JoinHandle<()> {
        let busy = self.clone();
        builder
            .go(move || {
                while busy.goes_on() {
                    gopark::yield_now();
                }
            })
            .unwrap()
    }

    /// Two tasks that wake each other.
    fn chats(&self) -> [JoinHandle<()>; 2] {
        let (ping, pong) = (chan::rendezvous(), chan::rendezvous());
        let (a, b) = ((ping.0, pong.1), (pong.0, ping.1));
        let busy = self.clone();
        let first = gopark::go(move || {
            while busy.goes_on() {
                a.0.send(()).unwrap();
                a.1.recv().unwrap();
            }
        });
        let second = gopark::go(move || {
            while b.1.recv().is_ok() {
                if b.0.send(()).is_err() {
                    break;
                }
            }
        });
        [first, second]
    }
}

fn own() -> Builder {
    Builder::new().own_thread()
}

/// Joins all, the fresh one first: it ends the others.
fn join_all(fresh: JoinHandle<()>, others: impl IntoIterator<Item = JoinHandle<()>>) {
    fresh.join().unwrap();
    others.into_iter().for_each(|task| task.join().unwrap());
}

#[test]
fn a_fresh_task_beside_two_that_yield() {
    alone(here!(), ONE, || {
        let busy = Busy::default();
        let hogs = [busy.yields(Builder::new()), busy.yields(Builder::new())];
        busy.under_way();
        let stop = busy.clone();
        join_all(gopark::go(move || stop.stop()), hogs);
    });
}

/// The fresh task is in the ring, not in the global queue.
#[test]
fn a_fresh_sibling_beside_two_that_yield() {
    alone(here!(), ONE, || {
        let busy = Busy::default();
        let hogs = [busy.yields(Builder::new()), busy.yields(Builder::new())];
        busy.under_way();
        let stop = busy.clone();
        let spawner = gopark::go(move || {
            let fresh = gopark::go(move || stop.stop());
            gopark::yield_now();
            fresh.join().unwrap();
        });
        join_all(spawner, hogs);
    });
}

/// Tasks that wake each other follow each other at once, which must not go on
/// for ever. The fresh one is made at every phase of whatever counts the turns.
#[test]
fn a_fresh_task_beside_a_busy_pair() {
    alone(here!(), ONE, || {
        for _ in 0..20 {
            let busy = Busy::default();
            let pair = busy.chats();
            busy.under_way();
            let stop = busy.clone();
            join_all(gopark::go(move || stop.stop()), pair);
        }
    });
}

#[test]
fn a_fresh_sibling_beside_a_busy_pair() {
    alone(here!(), ONE, || {
        for phase in 0..130 {
            let busy = Busy::default();
            let (ping, pong) = (chan::rendezvous(), chan::rendezvous());
            let (stop, chat) = (busy.clone(), busy.clone());
            let second =
                gopark::go(move || while ping.1.recv().is_ok() && pong.0.send(()).is_ok() {});
            let first = gopark::go(move || {
                let mut fresh = None;
                while chat.goes_on() {
                    if chat.turns.count() == 200 + phase {
                        let stop = stop.clone();
                        fresh = Some(gopark::go(move || stop.stop()));
                    }
                    ping.0.send(()).unwrap();
                    pong.1.recv().unwrap();
                }
                fresh.expect("made above").join().unwrap();
            });
            join_all(first, [second]);
        }
    });
}

/// A started sibling that somebody else made ready.
#[test]
fn a_sibling_that_was_woken_beside_a_busy_pair() {
    alone(here!(), ONE, || {
        for _ in 0..20 {
            let (busy, gate) = (Busy::default(), Gate::new());
            let (stop, held) = (busy.clone(), gate.clone());
            let sleeper = gopark::go(move || {
                held.pass();
                stop.stop();
            });
            parked(sleeper.id(), WaitReason::ChanReceive);
            let pair = busy.chats();
            busy.under_way();
            gate.open();
            join_all(sleeper, pair);
        }
    });
}

#[test]
fn a_task_of_another_worker_beside_a_busy_pair() {
    alone(here!(), ONE, || {
        let (busy, gate) = (Busy::default(), Gate::new());
        let (stop, held) = (busy.clone(), gate.clone());
        let other = own()
            .go(move || {
                held.pass();
                for _ in 0..10 {
                    gopark::yield_now();
                }
                stop.stop();
            })
            .unwrap();
        parked(other.id(), WaitReason::ChanReceive);
        let pair = busy.chats();
        busy.under_way();
        gate.open();
        join_all(other, pair);
    });
}

#[test]
fn a_fresh_task_beside_two_own_threads_that_yield() {
    alone(here!(), ONE, || {
        let busy = Busy::default();
        let hogs = [busy.yields(own()), busy.yields(own())];
        busy.under_way();
        let stop = busy.clone();
        join_all(gopark::go(move || stop.stop()), hogs);
    });
}

/// The fresh task lies in the ring of a processor that workers hold which never
/// look into rings.
#[test]
fn a_child_of_an_own_thread_that_yields() {
    alone(here!(), ONE, || {
        let busy = Busy::default();
        let other = busy.yields(own());
        busy.under_way();
        let (stop, parent) = (busy.clone(), busy.clone());
        let parent = own()
            .go(move || {
                let fresh = gopark::go(move || stop.stop());
                while parent.goes_on() {
                    gopark::yield_now();
                }
                fresh.join().unwrap();
            })
            .unwrap();
        join_all(parent, [other]);
    });
}

/// Many workers want the only processor; each gets it again and again.
#[test]
fn five_own_threads_and_two_siblings_take_turns() {
    alone(here!(), ONE, || {
        let over = Arc::new(AtomicBool::new(false));
        let turns: Vec<Tally> = (0..7).map(|_| Tally::new()).collect();
        let tasks: Vec<_> = turns
            .iter()
            .enumerate()
            .map(|(n, turns)| {
                let builder = if n < 5 { own() } else { Builder::new() };
                let (over, turns) = (over.clone(), turns.clone());
                let body = move || {
                    while !over.load(Ordering::SeqCst) {
                        turns.add();
                        gopark::yield_now();
                    }
                };
                builder.go(body).unwrap()
            })
            .collect();
        for _ in 0..3 {
            let before: Vec<_> = turns.iter().map(Tally::count).collect();
            while turns.iter().zip(&before).any(|(turns, before)| turns.count() == *before) {
                std::thread::yield_now();
            }
        }
        over.store(true, Ordering::SeqCst);
        tasks.into_iter().for_each(|task| task.join().unwrap());
    });
}

/// Each task makes the next one and ends: always one in the next slot.
#[test]
fn a_chain_of_fresh_tasks_does_not_starve_the_others() {
    fn link(busy: Busy) {
        if busy.goes_on() {
            drop(gopark::go(move || link(busy)));
        }
    }
    alone(here!(), ONE, || {
        // From the global queue, from the inbox of the worker, and by a timer.
        let gate = Gate::new();
        let held = gate.clone();
        let woken = gopark::go(move || held.pass());
        parked(woken.id(), WaitReason::ChanReceive);
        let busy = Busy::default();
        let first = busy.clone();
        drop(gopark::go(move || link(first)));
        busy.under_way();
        gopark::go(|| ()).join().unwrap();
        gate.open();
        woken.join().unwrap();
        gopark::go(|| gopark::sleep(std::time::Duration::from_micros(1))).join().unwrap();
        busy.stop();
    });
}

/// The global queue gets its share although others are always ready.
#[test]
fn the_global_queue_is_served_beside_hundreds_that_yield() {
    alone(here!(), ONE, || {
        fn breed(busy: Busy) {
            if busy.goes_on() && gopark::num_tasks() < 200 {
                let (a, b) = (busy.clone(), busy.clone());
                drop((gopark::go(move || breed(a)), gopark::go(move || breed(b))));
            }
            while busy.goes_on() {
                gopark::yield_now();
            }
        }
        let busy = Busy::default();
        let first = busy.clone();
        let root = gopark::go(move || breed(first));
        busy.under_way();
        for _ in 0..20 {
            gopark::go(|| ()).join().unwrap();
        }
        busy.stop();
        root.join().unwrap();
    });
}

/// What does not end by itself also leaves room for a timer.
#[test]
fn a_sleeper_wakes_beside_two_that_yield() {
    alone(here!(), ONE, || {
        let busy = Busy::default();
        let hogs = [busy.yields(Builder::new()), busy.yields(own())];
        busy.under_way();
        let stop = busy.clone();
        let sleeper = gopark::go(move || {
            for _ in 0..5 {
                gopark::sleep(std::time::Duration::from_micros(100));
            }
            stop.stop();
        });
        join_all(sleeper, hogs);
    });
}

/// As many threads as there is need for, however long it goes on. Nobody is suspended,
/// which takes a thread.
#[test]
fn own_threads_that_spawn_do_not_make_more_and_more_workers() {
    fn threads() -> usize {
        std::fs::read_dir("/proc/self/task").unwrap().count()
    }
    alone(here!(), ONE_COOPERATIVE, || {
        let busy = Busy::default();
        let (parent, children) = (busy.clone(), busy.clone());
        let parent = own()
            .go(move || {
                let mut tasks = Vec::new();
                // Twenty slices in which something new waits for a processor.
                while parent.goes_on() && tasks.len() < 20 {
                    tasks.push(children.yields(Builder::new()));
                    let before = children.turns.count();
                    while children.turns.count() < before + 100 {
                        gopark::yield_now();
                    }
                }
                tasks
            })
            .unwrap();
        let tasks = parent.join().unwrap();
        let count = threads();
        busy.stop();
        tasks.into_iter().for_each(|task| task.join().unwrap());
        assert!(count < 10, "{count} threads for one processor");
    });
}
