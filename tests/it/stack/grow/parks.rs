//! A task parks on a segment, or a thread blocks there, and goes on.

use crate::child::{alone, here};
use crate::stack::{KIB, MIB};
use crate::support::{Gate, ONE_COOPERATIVE, on_one_thread, parked, thread_id, until};
use gopark::JoinError;
use gopark::inspect::{Kind, Snapshot, WaitReason};
use gopark::runtime::Config;
use gopark::stack::{default_limit, grow, remaining};
use std::hint::black_box;
use std::panic::panic_any;

#[test]
fn it_parks_and_goes_on() {
    let gate = Gate::new();
    let held = gate.clone();
    let task = gopark::go(move || {
        let outside = remaining();
        let value = grow(MIB, || {
            let before = remaining();
            held.pass();
            grow(8 * MIB, || {
                let deep = remaining();
                gopark::yield_now();
                assert_eq!(remaining(), deep);
            });
            assert_eq!(remaining(), before);
            7
        });
        assert_eq!(remaining(), outside);
        value
    });
    parked(task.id(), WaitReason::ChanReceive);
    gate.open();
    assert_eq!(task.join().unwrap(), 7);
}

/// Two on one thread, turn by turn, each on segments of its own.
#[test]
fn siblings_on_segments_do_not_meet() {
    alone(here!(), ONE_COOPERATIVE, || {
        #[inline(never)]
        fn turns(n: usize, me: usize) {
            let frame = black_box([me; 64]);
            let here = remaining();
            if n > 0 {
                grow((64 * KIB) << (n % 3), || {
                    gopark::yield_now();
                    turns(n - 1, me);
                    gopark::yield_now();
                });
            }
            assert_eq!((frame[63], remaining()), (me, here));
        }
        on_one_thread(|| {
            let tasks: Vec<_> = (0..8).map(|me| gopark::go(move || turns(20, me))).collect();
            tasks.into_iter().for_each(|task| task.join().unwrap());
        });
    });
}

#[test]
fn a_thread_blocks_on_a_segment() {
    let gate = Gate::new();
    let held = gate.clone();
    let thread = std::thread::spawn(move || {
        grow(MIB, || {
            let before = remaining();
            held.pass();
            assert_eq!(remaining(), before);
        });
        remaining()
    });
    until("it is parked", || {
        Snapshot::all().tasks.iter().any(|task| task.kind == Kind::Thread && task.wait.is_some())
    });
    gate.open();
    assert!(thread.join().unwrap() > MIB);
}

#[expect(unsafe_code, reason = "the promise of migrating mode")]
fn start_migrating() {
    // SAFETY: no frame of the tests that call this touches a thread-local on
    // both sides of a park: what they ask of a thread, the kernel answers.
    unsafe { Config::new().maxprocs(2).migrating() }.start().unwrap();
}

fn hog() {
    for _ in 0..20_000 {
        std::hint::spin_loop();
    }
}

#[test]
fn a_task_goes_on_on_another_thread() {
    alone(here!(), &[], || {
        start_migrating();
        fn travel(nested: usize) {
            let (first, before) = (thread_id(), remaining());
            while thread_id() == first {
                drop(gopark::go(hog));
                gopark::yield_now();
            }
            assert_eq!(remaining(), before);
            if nested > 0 {
                grow(MIB, || travel(nested - 1));
                assert_eq!(remaining(), before);
            }
        }
        for _ in 0..50 {
            let task = gopark::go(|| {
                grow(64 * KIB, || travel(3));
                // Not on a worker's own account, but on the task's.
                assert!(remaining() < default_limit() && remaining() > default_limit() - 16 * KIB);
            });
            task.join().unwrap();
        }
    });
}

/// The panic is thrown on one thread's segment and goes on where it was.
#[test]
fn a_panic_after_a_journey_passes_through() {
    alone(here!(), &[], || {
        start_migrating();
        std::panic::set_hook(Box::new(|_| ()));
        for _ in 0..50 {
            let task = gopark::go(|| {
                grow(MIB, || {
                    let first = thread_id();
                    while thread_id() == first {
                        drop(gopark::go(hog));
                        gopark::yield_now();
                    }
                    panic_any(7_u32)
                })
            });
            let Err(JoinError::Panicked(payload)) = task.join() else { panic!("it returned") };
            assert_eq!(payload.downcast_ref(), Some(&7_u32));
            assert!(!gopark::go(std::thread::panicking).join().unwrap());
        }
    });
}

#[test]
fn a_section_without_parks_goes_on_inside() {
    let task = gopark::go(|| {
        gopark::no_park(|| grow(MIB, gopark::yield_now));
    });
    let Err(JoinError::Panicked(payload)) = task.join() else { panic!("it parked") };
    let message = payload.downcast_ref::<&str>().expect("text");
    assert!(message.contains("gopark::no_park"), "{message}");
}
