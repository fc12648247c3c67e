//! The number of processors changes while the program runs.

use super::{ONE, TWO, Turns, migrating};
use crate::child::{alone, here};
use crate::support::{COOPERATIVE, Gate, ONE_COOPERATIVE, Tally, info, parked, spin_until, until};
use gopark::inspect::{Status, WaitReason};
use gopark::runtime::Config;
use gopark::sync::{Mutex, WaitGroup};
use gopark::{Builder, chan, maxprocs, set_maxprocs};
use std::hint::black_box;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

#[test]
fn it_returns_the_former_number() {
    alone(here!(), &[("GOPARK_MAXPROCS", "2")], || {
        // Which starts the runtime.
        assert_eq!(set_maxprocs(5), 2);
        Config::new().start().unwrap_err();
        assert_eq!(maxprocs(), 5);
        assert_eq!(gopark::go(|| (set_maxprocs(1), maxprocs())).join().unwrap(), (5, 1));
        assert_eq!((set_maxprocs(1024), set_maxprocs(1024), set_maxprocs(3)), (1, 1024, 1024));
        assert_eq!((maxprocs(), gopark::go(maxprocs).join().unwrap()), (3, 3));
    });
}

#[test]
fn a_number_that_makes_no_sense_panics_and_changes_nothing() {
    alone(here!(), ONE, || {
        for n in [0, 1025, usize::MAX] {
            let caught = catch_unwind(|| set_maxprocs(n)).unwrap_err();
            let says = format!(
                "gopark::set_maxprocs({n}), but the number of processors must be between 1 and 1024"
            );
            assert_eq!(*caught.downcast::<String>().unwrap(), says);
            assert_eq!(maxprocs(), 1);
        }
    });
}

/// As many run at the same time: each waits for all, without giving way.
fn all_run(count: usize) {
    let running = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..count)
        .map(|_| {
            let running = running.clone();
            gopark::go(move || {
                running.fetch_add(1, Ordering::SeqCst);
                spin_until("all run", || running.load(Ordering::SeqCst) == count);
            })
        })
        .collect();
    tasks.into_iter().for_each(|task| task.join().unwrap());
}

#[test]
fn more_processors_run_more_tasks() {
    alone(here!(), ONE, || {
        all_run(1);
        for count in [2, 4, 3, 8, 1, 5] {
            set_maxprocs(count);
            all_run(count);
        }
    });
}

/// One that cannot go on before another has run, and nobody else who could help it.
#[test]
fn more_processors_serve_those_who_wait() {
    alone(here!(), ONE_COOPERATIVE, || {
        let (over, begun) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (end, mark) = (over.clone(), begun.clone());
        let hog = gopark::go(move || {
            mark.store(true, Ordering::SeqCst);
            spin_until("another runs", || end.load(Ordering::SeqCst));
        });
        spin_until("it runs", || begun.load(Ordering::SeqCst));
        let other = gopark::go(move || over.store(true, Ordering::SeqCst));
        assert!(!other.is_finished());
        set_maxprocs(2);
        other.join().unwrap();
        hog.join().unwrap();
    });
    // In the FIFO: a bound task of another worker.
    alone(here!(), ONE_COOPERATIVE, || {
        let (gate, over) = (Gate::new(), Arc::new(AtomicBool::new(false)));
        let (held, end) = (gate.clone(), over.clone());
        let bound = Builder::new().own_thread().go(move || {
            held.pass();
            end.store(true, Ordering::SeqCst);
        });
        let bound = bound.unwrap();
        parked(bound.id(), WaitReason::ChanReceive);
        let hog = gopark::go(move || {
            gate.open();
            set_maxprocs(2);
            spin_until("it runs beside", || over.load(Ordering::SeqCst));
        });
        hog.join().unwrap();
        bound.join().unwrap();
    });
}

/// Tasks that see each other run at the same time, if they can. Nobody may be
/// suspended, who would look as if he ran.
struct Crowd {
    over: Arc<AtomicBool>,
    together: Arc<AtomicUsize>,
    turns: Arc<Vec<Tally>>,
    tasks: Vec<gopark::JoinHandle<()>>,
}

impl Crowd {
    fn new() -> Crowd {
        let over = Arc::new(AtomicBool::new(false));
        let (running, together) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let turns = Arc::new((0..6).map(|_| Tally::new()).collect::<Vec<_>>());
        // Bound tasks stay where they start: the first two do so on two threads.
        let (begun, threads) = (Tally::new(), maxprocs().min(2));
        let tasks = (0..6)
            .map(|n: usize| {
                let begun = begun.clone();
                let (over, running, together) = (over.clone(), running.clone(), together.clone());
                let turns = turns.clone();
                gopark::go(move || {
                    begun.add();
                    spin_until("there are two", || n > 1 || begun.count() >= threads);
                    while !over.load(Ordering::SeqCst) {
                        let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                        together.fetch_max(now, Ordering::SeqCst);
                        for n in 0..2000 {
                            black_box(n);
                        }
                        running.fetch_sub(1, Ordering::SeqCst);
                        turns[n].add();
                        gopark::yield_now();
                    }
                })
            })
            .collect();
        Crowd { over, together, turns, tasks }
    }

    /// The most that ran together while each had some turns.
    fn most(&self) -> usize {
        let before: Vec<_> = self.turns.iter().map(Tally::count).collect();
        self.together.store(0, Ordering::SeqCst);
        until("each has had turns", || {
            self.turns.iter().zip(&before).all(|(turns, before)| turns.count() >= before + 200)
        });
        self.together.load(Ordering::SeqCst)
    }

    fn end(self) {
        self.over.store(true, Ordering::SeqCst);
        self.tasks.into_iter().for_each(|task| task.join().unwrap());
    }
}

fn fewer() {
    let crowd = Crowd::new();
    for _ in 0..3 {
        set_maxprocs(2);
        until("two run together", || crowd.most() >= 2);
        set_maxprocs(1);
        until("one runs at a time", || crowd.most() == 1);
    }
    crowd.end();
    assert_eq!(gopark::num_tasks(), 0);
}

#[test]
fn fewer_processors_run_fewer_tasks() {
    alone(here!(), &[("GOPARK_MAXPROCS", "4"), COOPERATIVE], fewer);
}

#[test]
fn fewer_processors_run_fewer_tasks_in_migrating_mode() {
    alone(here!(), &[COOPERATIVE], || {
        migrating::start(4);
        fewer();
    });
}

/// Two that compute without a call.
fn hogs() {
    let over = Arc::new(AtomicBool::new(false));
    let hogs = [(); 2].map(|()| {
        let over = over.clone();
        gopark::go(move || {
            while !over.load(Ordering::SeqCst) {
                std::hint::spin_loop();
            }
        })
    });
    let running = || {
        let status = hogs.each_ref().map(|hog| info(hog.id()).expect("it runs").status);
        status.into_iter().filter(|status| *status == Status::Running).count()
    };
    for _ in 0..3 {
        until("both run", || running() == 2);
        set_maxprocs(1);
        until("one of them is suspended", || running() == 1);
        set_maxprocs(2);
    }
    over.store(true, Ordering::SeqCst);
    hogs.into_iter().for_each(|hog| hog.join().unwrap());
}

#[test]
fn a_hog_on_a_processor_too_many_is_suspended() {
    alone(here!(), TWO, hogs);
}

#[test]
fn a_hog_on_a_processor_too_many_is_suspended_in_migrating_mode() {
    alone(here!(), &[], || {
        migrating::start(2);
        hogs();
    });
}

/// What waits in the ring of a processor that goes, its next task included, runs
/// elsewhere.
#[test]
fn the_queue_of_a_processor_that_goes_is_served() {
    alone(here!(), TWO, || {
        for _ in 0..100 {
            set_maxprocs(2);
            let ran = Tally::new();
            let mark = ran.clone();
            // On whichever of the two: both spawn.
            let spawners = [(); 2].map(|()| {
                let mark = mark.clone();
                gopark::go(move || {
                    for _ in 0..300 {
                        let mark = mark.clone();
                        drop(gopark::go(move || mark.add()));
                    }
                    set_maxprocs(1)
                })
            });
            for task in spawners {
                task.join().unwrap();
            }
            until("all have run", || ran.count() == 600);
        }
        assert_eq!(gopark::num_tasks(), 0);
    });
}

/// Its holder blocks, and comes back to a processor that is too many.
#[test]
fn a_processor_that_is_lent_goes_too() {
    alone(here!(), &[("GOPARK_MAXPROCS", "2"), COOPERATIVE], || {
        for short in [true, false] {
            set_maxprocs(2);
            let (entered, leave) = (Arc::new(AtomicBool::new(false)), std::sync::mpsc::channel());
            let mark = entered.clone();
            let (go_on, wait) = leave;
            let calls: Vec<_> = [(); 2]
                .into_iter()
                .zip([Some(wait), None])
                .map(|(_, wait)| {
                    let mark = mark.clone();
                    gopark::go(move || {
                        let Some(wait) = wait else { return };
                        gopark::blocking(|| {
                            mark.store(true, Ordering::SeqCst);
                            wait.recv().unwrap();
                        });
                    })
                })
                .collect();
            until("it blocks", || entered.load(Ordering::SeqCst));
            set_maxprocs(1);
            if !short {
                std::thread::sleep(Duration::from_millis(30));
            }
            // The one that is left does all the work.
            all_run(1);
            go_on.send(()).unwrap();
            calls.into_iter().for_each(|call| call.join().unwrap());
            all_run(1);
        }
        let turns = Turns::new();
        let crowd = Crowd::new();
        until("one at a time", || crowd.most() == 1);
        crowd.end();
        turns.end();
    });
}

/// Everything that a task can do, while the number changes all the time.
fn load() {
    let (over, changes) = (Arc::new(AtomicBool::new(false)), Tally::new());
    let changers: Vec<_> = (0..2)
        .map(|k| {
            let over = over.clone();
            let changes = changes.clone();
            std::thread::spawn(move || {
                let numbers = [1, 8, 2, 5, 1, 3, 16, 1, 8];
                for (turn, n) in numbers.into_iter().cycle().enumerate() {
                    if over.load(Ordering::SeqCst) {
                        break;
                    }
                    set_maxprocs(n + k);
                    changes.add();
                    if turn % 4 == k {
                        std::thread::sleep(Duration::from_micros(50 * n as u64));
                    }
                }
            })
        })
        .collect();
    let (sum, group) = (Arc::new(Mutex::new(0_u64)), WaitGroup::new());
    for n in 0..24_u64 {
        let sum = sum.clone();
        group.go(move || {
            let (tx, rx) = chan::bounded(n as usize % 3);
            for k in 0..60 {
                let children: Vec<_> = (0..10)
                    .map(|c| {
                        let tx = tx.clone();
                        gopark::go(move || {
                            match (n + k + c) % 5 {
                                0 => gopark::sleep(Duration::from_micros(20)),
                                1 => gopark::blocking(std::thread::yield_now),
                                2 => drop(gopark::lock_os_thread()),
                                3 => drop(set_maxprocs(1 + c as usize)),
                                _ => gopark::yield_now(),
                            }
                            tx.send(1).unwrap();
                        })
                    })
                    .collect();
                let received: u64 = (0..10).map(|_| rx.recv().unwrap()).sum();
                children.into_iter().for_each(|child| child.join().unwrap());
                *sum.lock() += received;
            }
        });
    }
    let own = Builder::new().own_thread().go(|| (0..200).for_each(|_| gopark::yield_now()));
    group.wait();
    own.unwrap().join().unwrap();
    until("it has changed some times", || changes.count() > 18);
    over.store(true, Ordering::SeqCst);
    changers.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(*sum.lock(), 24 * 60 * 10);
    until("all have ended", || gopark::num_tasks() == 0);
    // The number is what was said last, and all of it is of use.
    for count in [1, 4, 2] {
        set_maxprocs(count);
        all_run(count);
    }
}

#[test]
fn nothing_is_lost_under_load() {
    alone(here!(), TWO, load);
}

#[test]
fn nothing_is_lost_under_load_in_migrating_mode() {
    alone(here!(), &[], || {
        migrating::start(2);
        load();
    });
}

/// Records and stacks of a processor that goes are used by others.
#[test]
fn memory_of_a_processor_that_goes_is_not_lost() {
    alone(here!(), ONE, || {
        let spawn = || {
            let tasks: Vec<_> = (0..100).map(|_| gopark::go(gopark::yield_now)).collect();
            tasks.into_iter().for_each(|task| task.join().unwrap());
        };
        spawn();
        for _ in 0..20 {
            set_maxprocs(4);
            spawn();
            set_maxprocs(1);
            spawn();
        }
        until("all have ended", || gopark::num_tasks() == 0);
        let usage = gopark::stack::usage();
        assert_eq!((usage.tasks, usage.counted), (0, 0), "{usage:?}");
        assert!(usage.pooled <= 4 * 110, "{usage:?}");
    });
}

/// In `no_park` the caller keeps its processor; it goes afterwards.
#[test]
fn inside_no_park() {
    alone(here!(), &[("GOPARK_MAXPROCS", "2"), COOPERATIVE], || {
        let task = gopark::go(|| gopark::no_park(|| (set_maxprocs(1), set_maxprocs(2))));
        assert_eq!(task.join().unwrap(), (2, 1));
        all_run(2);
        gopark::go(|| gopark::no_park(|| set_maxprocs(1))).join().unwrap();
        let crowd = Crowd::new();
        until("one at a time", || crowd.most() == 1);
        crowd.end();
    });
}

/// sysmon sleeps for good when every processor is idle or retired.
#[test]
fn an_idle_program_stays_idle() {
    alone(here!(), ONE, || {
        for n in [8, 1, 4, 2] {
            set_maxprocs(n);
            all_run(n);
        }
        let sysmon = std::fs::read_dir("/proc/self/task").unwrap().find_map(|task| {
            let path = task.unwrap().path();
            // Others may end meanwhile.
            let name = std::fs::read_to_string(path.join("comm")).ok()?;
            (name.trim() == "gopark-sysmon").then_some(path)
        });
        let status = sysmon.expect("it has a thread").join("status");
        let switches = || {
            let status = std::fs::read_to_string(&status).unwrap();
            let mut lines = status.lines();
            lines.find(|line| line.starts_with("voluntary_ctxt_switches")).unwrap().to_owned()
        };
        let mut before = switches();
        until("it sleeps", || {
            std::thread::sleep(Duration::from_millis(300));
            std::mem::replace(&mut before, switches()) == before
        });
    });
}
