//! `no_park`: a park is a panic, at the call that would park.

use crate::child::{alone, here};
use crate::support::{Gate, for_ever, parked, until};
use gopark::inspect::WaitReason;
use gopark::sync::{Mutex, WaitGroup};
use gopark::{chan, no_park};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// Runs the body in a task, without parks, and returns what the panic says.
#[track_caller]
fn refused(body: impl FnOnce() + Send + 'static) -> String {
    let task = gopark::go(move || {
        let panic = catch_unwind(AssertUnwindSafe(|| no_park(body))).expect_err("a park");
        // The task is as good as before.
        gopark::sleep(Duration::from_micros(1));
        panic.downcast_ref::<&str>().map(|text| (*text).to_owned()).expect("a message")
    });
    task.join().unwrap()
}

#[track_caller]
fn is_refused(body: impl FnOnce() + Send + 'static) {
    let message = refused(body);
    assert!(message.contains("gopark::no_park"), "{message}");
}

#[test]
fn a_sleep_panics() {
    is_refused(|| gopark::sleep(Duration::from_secs(3600)));
}

#[test]
fn a_yield_panics() {
    is_refused(gopark::yield_now);
}

#[test]
fn a_receive_panics_and_leaves_no_waiter() {
    let (tx, rx) = chan::rendezvous::<u32>();
    let inside = rx.clone();
    is_refused(move || inside.recv().map_or((), |_| ()));
    assert_eq!(tx.try_send(1), Err(chan::TrySendError::Full(1)), "nobody waits");
    drop(rx);
}

#[test]
fn a_send_panics_and_drops_its_value() {
    let (tx, rx) = chan::rendezvous();
    let value = Arc::new(());
    let inside = (tx.clone(), value.clone());
    is_refused(move || drop(inside.0.send(inside.1)));
    assert_eq!(Arc::strong_count(&value), 1);
    assert_eq!(rx.try_recv(), Err(chan::TryRecvError::Empty), "nobody waits");
    drop(tx);
}

#[test]
fn a_wait_on_the_channel_that_is_never_ready_panics() {
    is_refused(|| for_ever());
    is_refused(|| chan::never_sender().send(()).unwrap());
}

#[test]
fn a_lock_that_is_held_panics_and_can_be_taken_later() {
    let lock = Arc::new(Mutex::new(0));
    let guard = lock.lock();
    let inside = lock.clone();
    is_refused(move || *inside.lock() += 1);
    drop(guard);
    assert_eq!(*lock.lock(), 0);
}

#[test]
fn a_wait_for_a_group_panics() {
    let group = WaitGroup::new();
    group.add(1);
    let inside = group.clone();
    is_refused(move || inside.wait());
    group.done();
    group.wait();
}

#[test]
fn a_join_panics_and_the_other_task_goes_on() {
    let gate = Gate::new();
    let held = gate.clone();
    let (tx, rx) = chan::bounded(1);
    let other = gopark::go(move || {
        held.pass();
        tx.send("went on").unwrap();
    });
    is_refused(move || drop(other.join()));
    gate.open();
    assert_eq!(rx.recv(), Ok("went on"));
}

/// The task that is joined ends at the very moment at which the park is refused.
#[test]
fn a_join_of_a_task_that_just_ends_panics_or_returns() {
    alone(here!(), &[("GOPARK_MAXPROCS", "2")], || {
        let joiner = gopark::go(|| {
            for n in 0..30_000_u32 {
                let other = gopark::go(|| ());
                for _ in 0..n % 512 {
                    std::hint::spin_loop();
                }
                let outcome = catch_unwind(AssertUnwindSafe(|| no_park(|| other.join())));
                if let Ok(joined) = outcome {
                    joined.unwrap();
                }
            }
        });
        // Panics are expected; their messages are not.
        std::panic::set_hook(Box::new(|_| ()));
        joiner.join().unwrap();
    });
}

#[test]
fn what_need_not_park_works() {
    let task = gopark::go(|| {
        let finished = gopark::go(|| 7);
        until("the other has ended", || finished.is_finished());
        no_park(|| {
            let (tx, rx) = chan::bounded(1);
            tx.send(1).unwrap();
            assert_eq!(rx.recv(), Ok(1));
            assert_eq!(rx.try_recv(), Err(chan::TryRecvError::Empty));
            let lock = Mutex::new(1);
            *lock.lock() += 1;
            WaitGroup::new().wait();
            let detached = gopark::go(|| ());
            drop(detached);
            finished.join().unwrap()
        })
    });
    assert_eq!(task.join().unwrap(), 7);
}

#[test]
fn sections_nest() {
    is_refused(|| {
        no_park(|| ());
        gopark::yield_now();
    });
    is_refused(|| {
        let _ = catch_unwind(|| no_park(|| panic!("ends the inner one only")));
        gopark::yield_now();
    });
}

#[test]
fn it_returns_the_value_and_passes_panics_on() {
    let task = gopark::go(|| {
        let value = no_park(|| 7);
        let panic = catch_unwind(|| no_park(|| panic!("mine"))).unwrap_err();
        gopark::yield_now();
        (value, panic.downcast_ref::<&str>().copied())
    });
    assert_eq!(task.join().unwrap(), (7, Some("mine")));
}

#[test]
fn on_a_thread_it_only_calls() {
    no_park(|| gopark::sleep(Duration::from_micros(1)));
    no_park(gopark::yield_now);
}

#[test]
fn a_sibling_may_park() {
    alone(here!(), &[("GOPARK_MAXPROCS", "1")], || {
        let gate = Gate::new();
        let held = gate.clone();
        let sibling = gopark::go(move || held.pass());
        parked(sibling.id(), WaitReason::ChanReceive);
        gopark::go(move || no_park(|| gate.open())).join().unwrap();
        sibling.join().unwrap();
    });
}

#[test]
fn it_nests_as_deep_as_the_docs_say() {
    fn nested(depth: u32) {
        let deeper = || no_park(|| nested(depth - 1));
        if depth != 0 {
            gopark::stack::ensure(32 << 10, 8 << 20, deeper);
        }
    }
    let task = gopark::go(|| {
        nested(65_535);
        let one_more = catch_unwind(|| nested(65_536));
        // The task is as good as before.
        gopark::sleep(Duration::from_micros(1));
        one_more.is_err()
    });
    assert!(task.join().unwrap());
}
