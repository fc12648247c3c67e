//! By default a started task stays on its thread, whatever happens: so may what
//! is tied to the thread.

use crate::child::{alone, here};
use crate::support::{Tally, for_ever, thread_id, until};
use gopark::sync::{Mutex, WaitGroup};
use gopark::{Scope, chan};
use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

static THREADS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Another number on each thread.
    static NUMBER: u64 = THREADS.fetch_add(1, Ordering::Relaxed);
    static SHARED: Rc<Cell<u64>> = Rc::new(Cell::new(0));
    static STACK: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// All that a thread is known by.
fn here() -> (u64, usize, std::thread::ThreadId) {
    let number = NUMBER.with(|number| *number);
    let address = STACK.with(|stack| std::ptr::from_ref(stack).addr());
    (number, address, std::thread::current().id())
}

/// What the tasks of a test share.
#[derive(Clone)]
struct Load {
    over: Arc<AtomicBool>,
    lock: Arc<Mutex<u64>>,
    tx: chan::Sender<u64>,
    rx: chan::Receiver<u64>,
    bounced: Tally,
}

impl Load {
    fn new() -> Load {
        let (tx, rx) = chan::bounded(4);
        let lock = Arc::new(Mutex::new(0));
        Load { over: Arc::default(), lock, tx, rx, bounced: Tally::new() }
    }

    /// Every way to park, one after the other; checks the thread after each.
    fn parks(&self, n: u64) {
        let at = here();
        let mine = SHARED.with(Rc::clone);
        let check = |after: &str| {
            assert_eq!(here(), at, "another thread after {after}");
            // A reference count without atomics, shared with all siblings.
            let again = SHARED.with(Rc::clone);
            assert!(Rc::ptr_eq(&mine, &again), "another thread's value after {after}");
            again.set(again.get() + 1);
        };
        gopark::yield_now();
        check("a yield");
        gopark::sleep(Duration::from_micros(n % 50));
        check("a sleep");
        self.tx.send(n).unwrap();
        check("a send");
        self.rx.recv().unwrap();
        check("a receive");
        let guard = self.lock.lock();
        gopark::yield_now();
        drop(guard);
        check("a lock");
        gopark::go(move || n + 1).join().unwrap();
        check("a join");
        let group = WaitGroup::new();
        group.go(gopark::yield_now);
        group.wait();
        check("a wait for a group");
        let limit = Duration::from_micros(n % 20);
        assert!(chan::never::<()>().recv_timeout(limit).is_err());
        check("a timeout");
        let caught = std::panic::catch_unwind(|| {
            struct Parks;
            impl Drop for Parks {
                fn drop(&mut self) {
                    gopark::yield_now();
                    gopark::sleep(Duration::ZERO);
                }
            }
            let _parks = Parks;
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(caught.is_err());
        check("a park while unwinding");
    }
}

#[test]
fn a_task_sees_the_same_thread_before_and_after_every_park() {
    alone(here!(), &[("GOPARK_MAXPROCS", "4")], || {
        let load = Load::new();
        // Short tasks, for thieves.
        let spawners: Vec<_> = (0..2)
            .map(|_| {
                let load = load.clone();
                gopark::go(move || {
                    while !load.over.load(Ordering::SeqCst) {
                        for _ in 0..50 {
                            let bounced = load.bounced.clone();
                            gopark::go(move || bounced.add());
                        }
                        gopark::yield_now();
                    }
                })
            })
            .collect();
        let mut threads = HashSet::new();
        // If nothing was stolen, the test says nothing.
        while threads.len() < 2 {
            let tasks: Vec<_> = (0..400)
                .map(|n| {
                    let load = load.clone();
                    gopark::go(move || {
                        for turn in 0..5 {
                            load.parks(n + turn);
                        }
                        thread_id()
                    })
                })
                .collect();
            threads.extend(tasks.into_iter().map(|task| task.join().unwrap()));
        }
        load.over.store(true, Ordering::SeqCst);
        spawners.into_iter().for_each(|task| task.join().unwrap());
    });
}

/// The same, until tasks of one spawner were seen on every worker.
#[test]
fn stolen_tasks_stay_where_they_started() {
    alone(here!(), &[("GOPARK_MAXPROCS", "3")], || {
        let mut seen = HashSet::new();
        until("thieves have been everywhere", || {
            let spawner = gopark::go(|| {
                let tasks: Vec<_> = (0..64)
                    .map(|_| {
                        gopark::go(|| {
                            let at = (thread_id(), here());
                            for _ in 0..5 {
                                gopark::yield_now();
                                assert_eq!((thread_id(), here()), at);
                            }
                            at.0
                        })
                    })
                    .collect();
                tasks.into_iter().map(|task| task.join().unwrap()).collect::<HashSet<_>>()
            });
            seen.extend(spawner.join().unwrap());
            seen.len() >= 3
        });
    });
}

/// Wakers are others than the thread that a task is bound to: threads, timers,
/// tasks of other workers.
#[test]
fn it_does_not_matter_who_wakes_a_task() {
    alone(here!(), &[("GOPARK_MAXPROCS", "3")], || {
        let (tx, rx) = chan::rendezvous::<()>();
        let tasks: Vec<_> = (0..50)
            .map(|_| {
                let rx = rx.clone();
                gopark::go(move || {
                    let at = here();
                    while rx.recv().is_ok() {
                        assert_eq!(here(), at);
                    }
                })
            })
            .collect();
        let thread = std::thread::spawn({
            let tx = tx.clone();
            move || (0..2000).for_each(|_| tx.send(()).unwrap())
        });
        let senders: Vec<_> = (0..4)
            .map(|_| {
                let tx = tx.clone();
                gopark::go(move || (0..2000).for_each(|_| tx.send(()).unwrap()))
            })
            .collect();
        drop((tx, rx));
        thread.join().unwrap();
        senders.into_iter().for_each(|task| task.join().unwrap());
        tasks.into_iter().for_each(|task| task.join().unwrap());
    });
}

#[test]
fn a_reaped_task_is_unwound_on_its_thread() {
    alone(here!(), &[], || {
        struct Knows(u64, Tally);
        impl Drop for Knows {
            fn drop(&mut self) {
                if thread_id() == self.0 {
                    self.1.add();
                }
            }
        }
        let (scope, right) = (Scope::new("unwound"), Tally::new());
        let _in = scope.enter();
        let tasks: Vec<_> = (0..100)
            .map(|_| {
                let right = right.clone();
                gopark::go(move || {
                    let _knows = Knows(thread_id(), right);
                    for_ever();
                })
            })
            .collect();
        for task in &tasks {
            crate::support::parked(task.id(), gopark::inspect::WaitReason::ChanReceiveNil);
        }
        assert_eq!(scope.reap().ended, 100);
        assert_eq!(right.count(), 100);
    });
}
