//! A task that neither parks nor yields gives way all the same, in every call of
//! ours, if somebody waits, and where it may.
//!
//! Nobody is suspended by the signal here, which would let others run beside a hog
//! that does not give way.

use super::ONE;
use crate::child::{alone, here};
use crate::support::{COOPERATIVE, Gate, ONE_COOPERATIVE, Tally, parked, spin_until};
use gopark::inspect::WaitReason;
use gopark::runtime::Config;
use gopark::sync::{Mutex, WaitGroup};
use gopark::{Builder, Scope, chan};
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Several slices.
const LONG: Duration = Duration::from_millis(60);

#[expect(unsafe_code, reason = "the promise of migrating mode")]
fn start_migrating() {
    // SAFETY: no frame of these tests touches a thread-local on both sides of a
    // call of gopark.
    unsafe { Config::new().maxprocs(1).migrating() }.start().unwrap();
}

type Call = Box<dyn FnMut() + Send>;

/// Calls that need not wait here.
fn calls() -> Vec<(&'static str, Call)> {
    fn call(name: &'static str, f: impl FnMut() + Send + 'static) -> (&'static str, Call) {
        (name, Box::new(f))
    }
    let (tx, rx) = chan::bounded(1);
    let (full, rx_of_full) = chan::bounded(1);
    full.send(()).unwrap();
    let (tx_of_empty, empty) = chan::bounded::<()>(1);
    let (open, rx_of_open) = chan::bounded::<()>(1);
    let lock = Arc::new(Mutex::new(0));
    let timed = lock.clone();
    let group = WaitGroup::new();
    let counted = group.clone();
    let done = gopark::go(|| ());
    let never = chan::never::<()>();
    let len = empty.clone();
    vec![
        call("safepoint", gopark::safepoint),
        call("yield_now", gopark::yield_now),
        call("send and recv", move || {
            tx.send(()).unwrap();
            rx.recv().unwrap();
        }),
        call("try_send", move || {
            assert!(full.try_send(()).is_err());
            let _ = &rx_of_full;
        }),
        call("try_recv", move || {
            assert!(empty.try_recv().is_err());
            let _ = &tx_of_empty;
        }),
        call("len", move || assert!(len.is_empty())),
        call("is_closed", move || {
            assert!(!open.is_closed());
            let _ = &rx_of_open;
        }),
        call("close", {
            let (tx, _) = chan::bounded::<()>(1);
            move || {
                tx.close();
            }
        }),
        call("recv_timeout", move || assert!(never.recv_timeout(Duration::ZERO).is_err())),
        call("lock", move || *lock.lock() += 1),
        call("try_lock_for", move || *timed.try_lock_for(Duration::MAX).unwrap() += 1),
        call("add and done", move || {
            counted.add(1);
            counted.done();
        }),
        call("wait", move || group.wait()),
        call("is_finished", move || {
            black_box(done.is_finished());
        }),
        call("go", || drop(gopark::go(|| ()))),
        call("Builder::go", || drop(Builder::new().name("child").go(|| ()).unwrap())),
        call("sleep", || gopark::sleep(Duration::ZERO)),
    ]
}

/// A hog that calls this, and a sibling that it has made ready.
#[track_caller]
fn lets_a_sibling_run(name: &str, mut call: impl FnMut() + Send + 'static) {
    let (gate, ran) = (Gate::new(), Arc::new(AtomicBool::new(false)));
    let (held, mark) = (gate.clone(), ran.clone());
    let what = format!("{name} lets a sibling run");
    // Its child, so that it starts on the same thread.
    let hog = gopark::go(move || {
        let sibling = gopark::go(move || {
            held.pass();
            mark.store(true, Ordering::SeqCst);
        });
        parked(sibling.id(), WaitReason::ChanReceive);
        gate.open();
        spin_until(&what, || {
            call();
            ran.load(Ordering::SeqCst)
        });
        sibling
    });
    hog.join().unwrap().join().unwrap();
}

#[test]
fn every_call_lets_a_sibling_run() {
    alone(here!(), ONE_COOPERATIVE, || {
        for (name, call) in calls() {
            lets_a_sibling_run(name, call);
        }
    });
}

/// It marks a task that has had its slice; sysmon does so above.
#[test]
fn so_it_does_where_the_signal_tells() {
    alone(here!(), ONE, || {
        for (name, call) in calls() {
            lets_a_sibling_run(name, call);
        }
    });
}

#[test]
fn every_call_lets_others_run_in_migrating_mode() {
    alone(here!(), &[COOPERATIVE], || {
        start_migrating();
        for (name, call) in calls() {
            lets_a_sibling_run(name, call);
        }
    });
}

/// Begins to hog with safepoints, and ends when `mark` is set.
fn hog(builder: Builder, first: impl FnOnce() + Send + 'static, over: &Over) {
    let end = over.clone();
    let hog = builder
        .go(move || {
            first();
            spin_until("somebody else has run", || {
                gopark::safepoint();
                end.is_set()
            });
        })
        .unwrap();
    hog.join().unwrap();
}

#[derive(Clone, Default)]
struct Over(Arc<AtomicBool>);

impl Over {
    fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Everybody that can wait for a processor, beside such a hog.
fn whoever_waits_runs(make: fn() -> Builder) {
    // Made by the hog: in the next slot, and in the ring.
    let over = Over::default();
    let end = over.clone();
    hog(make(), move || drop(gopark::go(move || end.set())), &over);
    let over = Over::default();
    let end = over.clone();
    let children = move || {
        drop(gopark::go(move || end.set()));
        drop(gopark::go(|| ()));
    };
    hog(make(), children, &over);
    // Made by a thread: in the global queue.
    let over = Over::default();
    let end = over.clone();
    let running = Over::default();
    let begun = running.clone();
    let thread = std::thread::spawn(move || {
        spin_until("the hog runs", || running.is_set());
        gopark::go(move || end.set()).join().unwrap();
    });
    hog(make(), move || begun.set(), &over);
    thread.join().unwrap();
    // Of another worker, woken by the hog: that worker queues for a processor.
    let (over, gate) = (Over::default(), Gate::new());
    let (end, held) = (over.clone(), gate.clone());
    let other = Builder::new().own_thread().go(move || {
        held.pass();
        end.set();
    });
    let other = other.unwrap();
    parked(other.id(), WaitReason::ChanReceive);
    hog(make(), move || gate.open(), &over);
    other.join().unwrap();
}

#[test]
fn whoever_waits_runs_beside_a_hog() {
    alone(here!(), ONE_COOPERATIVE, || whoever_waits_runs(Builder::new));
}

#[test]
fn whoever_waits_runs_beside_a_hog_on_its_own_thread() {
    alone(here!(), ONE_COOPERATIVE, || whoever_waits_runs(|| Builder::new().own_thread()));
}

#[test]
fn whoever_waits_runs_beside_a_hog_in_migrating_mode() {
    alone(here!(), &[COOPERATIVE], || {
        start_migrating();
        whoever_waits_runs(Builder::new);
        whoever_waits_runs(|| Builder::new().own_thread());
    });
}

/// A slice of the hog is followed by many short ones, not by one.
#[test]
fn a_hundred_fresh_tasks_do_not_wait_for_a_hundred_slices() {
    alone(here!(), ONE_COOPERATIVE, || {
        let ran = Tally::new();
        let hog = gopark::go(move || {
            for _ in 0..100 {
                let ran = ran.clone();
                drop(gopark::go(move || ran.add()));
            }
            let (mut before, mut slices) = (ran.count(), 0);
            spin_until("all have run", || {
                gopark::safepoint();
                let now = ran.count();
                slices += usize::from(now != before);
                before = now;
                now == 100
            });
            slices
        });
        let slices = hog.join().unwrap();
        assert!(slices < 60, "it had {slices} slices meanwhile");
    });
}

/// Hogs that have not started come first, for a slice; then it is the started
/// one's turn, however many there are.
#[test]
fn fresh_hogs_do_not_starve_a_started_one() {
    alone(here!(), ONE_COOPERATIVE, || {
        let (over, started) = (Over::default(), Tally::new());
        let (end, others) = (over.clone(), started.clone());
        let first = gopark::go(move || {
            for _ in 0..50 {
                let (end, others) = (end.clone(), others.clone());
                drop(gopark::go(move || {
                    others.add();
                    spin_until("the first one ends it", || {
                        gopark::safepoint();
                        end.is_set()
                    });
                }));
            }
            spin_until("some have started", || {
                gopark::safepoint();
                others.count() > 0
            });
            end.set();
            others.count()
        });
        let before = first.join().unwrap();
        assert!(before < 50, "all {before} went first");
    });
}

#[gopark::cooperative]
fn collatz(until: &Over) -> u64 {
    let mut sum = 0_u64;
    'all: loop {
        for n in 1..1000_u64 {
            let mut n = black_box(n);
            while n != 1 {
                n = if n % 2 == 0 { n / 2 } else { 3 * n + 1 };
                sum += 1;
                if until.is_set() {
                    break 'all sum;
                }
            }
        }
    }
}

#[test]
fn a_cooperative_loop_gives_way() {
    alone(here!(), ONE_COOPERATIVE, || {
        let over = Over::default();
        let end = over.clone();
        let hog = gopark::go(move || {
            drop(gopark::go(move || end.set()));
            collatz(&over)
        });
        assert!(hog.join().unwrap() > 0);
    });
}

/// Runs the body in a task that has a sibling which is ready, and says whether
/// that ran meanwhile. It runs afterwards in any case.
#[track_caller]
fn sibling_runs_during(body: impl FnOnce() + Send + 'static) -> bool {
    let over = Over::default();
    let end = over.clone();
    let task = gopark::go(move || {
        // In the ring, where every switch finds it.
        drop(gopark::go(move || end.set()));
        let _ = catch_unwind(AssertUnwindSafe(body));
        let ran = over.is_set();
        spin_until("afterwards it gives way", || {
            gopark::safepoint();
            over.is_set()
        });
        ran
    });
    task.join().unwrap()
}

fn for_long(mut call: impl FnMut()) {
    let end = Instant::now() + LONG;
    while Instant::now() < end {
        call();
    }
}

#[test]
fn in_no_park_it_does_not_give_way() {
    alone(here!(), ONE_COOPERATIVE, || {
        let (tx, rx) = chan::bounded(1);
        let section = move || {
            gopark::no_park(|| {
                for_long(|| {
                    gopark::safepoint();
                    tx.send(()).unwrap();
                    rx.try_recv().unwrap();
                    drop(gopark::go(|| ()));
                });
            });
        };
        assert!(!sibling_runs_during(section), "a switch inside no_park");
    });
}

#[test]
fn while_it_unwinds_it_does_not_give_way() {
    struct Slow;
    impl Drop for Slow {
        fn drop(&mut self) {
            for_long(gopark::safepoint);
        }
    }
    alone(here!(), ONE_COOPERATIVE, || {
        let unwinds = || {
            let _slow = Slow;
            std::panic::resume_unwind(Box::new("unwinds"));
        };
        assert!(!sibling_runs_during(unwinds), "a switch in the middle of an unwind");
    });
}

/// They run in the middle of what others do: a `println!` holds a lock of std.
#[test]
fn destructors_and_debug_do_not_give_way() {
    alone(here!(), ONE_COOPERATIVE, || {
        let (tx, rx) = chan::bounded(1);
        let (lock, task) = (Mutex::new(0), gopark::go(|| ()));
        tx.send(()).unwrap();
        let shown = move || {
            for_long(|| drop(black_box(format!("{tx:?} {rx:?} {lock:?} {task:?}"))));
        };
        assert!(!sibling_runs_during(shown), "a switch in Debug");
        let handles = || for_long(|| drop(chan::bounded::<()>(1)));
        assert!(!sibling_runs_during(handles), "a switch in a destructor");
    });
}

#[test]
fn the_reaper_ends_a_loop_at_its_safepoint() {
    let scope = Scope::new("computes");
    let running = Over::default();
    let begun = running.clone();
    let hog = {
        let _in = scope.enter();
        gopark::go(move || {
            begun.set();
            loop {
                gopark::safepoint();
            }
        })
    };
    spin_until("it runs", || running.is_set());
    assert_eq!((scope.reap().abandoned, scope.live()), (0, 0));
    drop(hog);
}

#[test]
fn on_a_thread_a_safepoint_does_nothing() {
    alone(here!(), &[COOPERATIVE], || {
        let thread = std::thread::spawn(|| {
            let tasks = || gopark::inspect::Snapshot::all().tasks.len();
            let before = tasks();
            for_long(gopark::safepoint);
            before == tasks()
        });
        assert!(thread.join().unwrap(), "the thread was adopted");
    });
}
