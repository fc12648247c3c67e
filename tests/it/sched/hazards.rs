//! What is dangerous about a task that leaves its thread in the middle of a
//! function, as far as a task does so by itself: thread-locals, the count of panics,
//! what may only be used on one thread.

use super::TWO;
use super::migrating::{self, Traffic};
use crate::child::{alone, here};
use crate::support::{Gate, ONE_COOPERATIVE, Tally, on_one_thread, parked, thread_id};
use gopark::inspect::WaitReason;
use gopark::{chan, lock_os_thread};
use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::panic::catch_unwind;
use std::sync::Mutex;
use std::thread::panicking;
use std::time::Duration;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
    static LENT: RefCell<u64> = const { RefCell::new(0) };
    static LAST: Cell<*const u64> = const { Cell::new(std::ptr::null()) };
}

fn park(n: u64) {
    match n % 4 {
        0 => gopark::yield_now(),
        1 => gopark::sleep(Duration::from_micros(1)),
        2 => gopark::go(|| ()).join().unwrap(),
        _ => gopark::blocking(gopark::yield_now),
    }
}

/// The address of a thread-local that the compiler may keep across a park is right
/// afterwards, and so is what siblings have written meanwhile.
#[test]
fn a_thread_local_across_a_park_is_that_of_the_thread() {
    alone(here!(), TWO, || {
        let tasks: Vec<_> = (0..8_u64)
            .map(|_| {
                gopark::go(|| {
                    let at = thread_id();
                    for n in 0..400 {
                        // One borrow, with a park inside.
                        COUNT.with(|count| {
                            count.set(count.get() + 1);
                            let before = count.get();
                            park(n);
                            assert!(count.get() >= before, "another thread's");
                            assert!(COUNT.with(|again| std::ptr::eq(again, count)));
                        });
                        // Two, which the compiler may take for one.
                        COUNT.set(COUNT.get() + 1);
                        park(n + 1);
                        COUNT.set(COUNT.get() + 1);
                    }
                    assert_eq!(thread_id(), at);
                    (at, black_box(COUNT.get()))
                })
            })
            .collect();
        let mut ends: Vec<(u64, u64)> = tasks.into_iter().map(|t| t.join().unwrap()).collect();
        // Each thread counted what was done there, and nothing was lost.
        ends.sort_unstable();
        let threads = ends.chunk_by(|a, b| a.0 == b.0);
        let sum: u64 = threads.map(|tasks| tasks.last().unwrap().1).sum();
        assert_eq!(sum, 8 * 400 * 3);
    });
}

/// Siblings see each other's borrows: a `RefCell` says so, instead of two
/// exclusive borrows.
#[test]
fn a_borrow_across_a_park_is_seen_by_siblings() {
    alone(here!(), ONE_COOPERATIVE, || {
        on_one_thread(|| {
            let gate = Gate::new();
            let held = gate.clone();
            let first = gopark::go(move || {
                LENT.with_borrow_mut(|lent| {
                    held.pass();
                    *lent += 1;
                });
            });
            parked(first.id(), WaitReason::ChanReceive);
            let second = || gopark::go(|| LENT.with(|lent| lent.try_borrow_mut().is_ok()));
            assert!(!second().join().unwrap(), "two exclusive borrows");
            gate.open();
            first.join().unwrap();
            assert!(second().join().unwrap());
        });
    });
}

/// The count of panics speaks of the thread. A task that parks in the middle of an
/// unwind comes back to the same count, whatever its siblings did meanwhile, and
/// they have theirs.
#[test]
fn the_count_of_panics_across_a_park() {
    struct Sends(chan::Sender<bool>);
    impl Drop for Sends {
        fn drop(&mut self) {
            assert!(panicking());
            self.0.send(panicking()).unwrap();
            assert!(panicking());
        }
    }
    alone(here!(), ONE_COOPERATIVE, || {
        on_one_thread(|| {
            let lock = std::sync::Arc::new(Mutex::new(0));
            let (tx, rx) = chan::rendezvous();
            let unwinds = gopark::go(move || {
                let caught = catch_unwind(|| {
                    let _sends = Sends(tx);
                    std::panic::resume_unwind(Box::new("the first"));
                });
                (*caught.unwrap_err().downcast::<&str>().unwrap(), panicking())
            });
            parked(unwinds.id(), WaitReason::ChanSend);
            let sibling = lock.clone();
            let sibling = gopark::go(move || {
                for n in 0..3 {
                    let caught = catch_unwind(|| std::panic::resume_unwind(Box::new(n)));
                    assert_eq!(*caught.unwrap_err().downcast::<i32>().unwrap(), n);
                    // Poisoned, perhaps, by a count that is not its own; never worse.
                    *sibling.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) += 1;
                    gopark::yield_now();
                }
            });
            sibling.join().unwrap();
            assert_eq!(rx.recv(), Ok(true));
            assert_eq!(unwinds.join().unwrap(), ("the first", false));
            assert_eq!(*lock.lock().unwrap_or_else(|poisoned| poisoned.into_inner()), 3);
            assert!(!gopark::go(panicking).join().unwrap(), "a panic was left behind");
        });
    });
}

/// Something that its thread alone may use, like a graphics context.
struct Bound {
    thread: u64,
    misused: Tally,
}

impl Bound {
    fn touch(&self) {
        if thread_id() != self.thread {
            self.misused.add();
        }
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        self.touch();
    }
}

/// In migrating mode the promise forbids such a thing across a park, except in a
/// task that has locked its thread.
#[test]
fn a_guard_of_the_thread_in_a_locked_task() {
    alone(here!(), &[], || {
        migrating::start(2);
        let (traffic, misused) = (Traffic::new(), Tally::new());
        let tasks: Vec<_> = (0..6_u64)
            .map(|_| {
                let misused = misused.clone();
                gopark::go(move || {
                    let own = Mutex::new(0_u64);
                    let _here = lock_os_thread();
                    let bound = Bound { thread: thread_id(), misused };
                    let last = &raw const *black_box(&bound.thread);
                    LAST.set(last);
                    let mut guard = own.lock().unwrap();
                    for n in 0..200 {
                        *guard += 1;
                        park(n);
                        bound.touch();
                        assert_eq!(LAST.get(), last, "somebody else was on this thread");
                    }
                    *guard
                })
            })
            .collect();
        assert!(tasks.into_iter().all(|task| task.join().unwrap() == 200));
        assert_eq!(misused.count(), 0);
        traffic.stop();
    });
}
