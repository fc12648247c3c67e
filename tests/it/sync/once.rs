//! `gopark::sync::{Once, OnceCell}`.

use super::{go_in, is_not, is_send, is_sync};
use crate::chan::support::{EACH, Here, Ledger, PAIRS};
use crate::support::{Gate, parked};
use gopark::inspect::WaitReason;
use gopark::sync::{Once, OnceCell};
use gopark::{JoinError, Scope};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn the_first_one_does_it_and_the_others_wait_for_that() {
    for (first, others) in PAIRS {
        let here = Here::start();
        let once = Arc::new(Once::new());
        let (gate, done) = (Gate::new(), Arc::new(AtomicUsize::new(0)));
        let doer = first.start({
            let (once, gate, done) = (once.clone(), gate.clone(), done.clone());
            move || {
                once.call_once(|| {
                    gate.pass();
                    done.store(1, Ordering::Relaxed);
                });
            }
        });
        here.parked(1, WaitReason::ChanReceive);
        let waiters: Vec<_> = (0..4)
            .map(|_| {
                let (once, done) = (once.clone(), done.clone());
                others.start(move || {
                    once.call_once(|| panic!("done twice"));
                    done.load(Ordering::Relaxed)
                })
            })
            .collect();
        here.parked(4, WaitReason::OnceDo);
        assert!(!once.is_completed());
        assert!(once.holder().is_some());
        gate.open();
        doer.join();
        assert!(waiters.into_iter().all(|waiter| waiter.join() == 1));
        assert!(once.is_completed() && once.holder().is_none());
    }
}

#[test]
pub(super) fn many_at_once() {
    for who in EACH {
        for _ in 0..50 {
            let (once, count) = (Arc::new(Once::new()), Arc::new(AtomicUsize::new(0)));
            let all: Vec<_> = (0..6)
                .map(|_| {
                    let (once, count) = (once.clone(), count.clone());
                    who.start(move || {
                        once.call_once(|| {
                            who.yield_now();
                            count.fetch_add(1, Ordering::Relaxed);
                        });
                        count.load(Ordering::Relaxed)
                    })
                })
                .collect();
            assert!(all.into_iter().all(|a| a.join() == 1));
        }
    }
}

#[test]
fn a_panic_leaves_it_undone() {
    let once = Once::new();
    let result = catch_unwind(|| once.call_once(|| panic!("on purpose")));
    assert!(result.is_err() && !once.is_completed());
    let mut done = false;
    once.call_once(|| done = true);
    assert!(done && once.is_completed());

    let cell = OnceCell::<u32>::new();
    let result = catch_unwind(AssertUnwindSafe(|| {
        cell.get_or_init(|| panic!("on purpose"));
    }));
    assert!(result.is_err() && cell.get().is_none());
    assert_eq!(cell.get_or_try_init(|| Err::<u32, _>("no")), Err("no"));
    assert_eq!(*cell.get_or_init(|| 5), 5);
}

/// The next one in the queue does it instead.
#[test]
fn a_reaped_doer_leaves_it_undone() {
    let here = Here::start();
    let scope = Scope::new("reaped doer");
    let cell = Arc::new(OnceCell::new());
    let doer = go_in(&scope, {
        let cell = cell.clone();
        move || {
            *cell.get_or_init(|| {
                crate::support::for_ever();
                1
            })
        }
    });
    parked(doer.id(), WaitReason::ChanReceiveNil);
    let waiter = go_in(&scope, {
        let cell = cell.clone();
        move || *cell.get_or_init(|| 2)
    });
    here.parked(1, WaitReason::OnceDo);
    let next = gopark::go({
        let cell = cell.clone();
        move || *cell.get_or_init(|| 3)
    });
    here.parked(2, WaitReason::OnceDo);
    assert_eq!(cell.get(), None, "a look does not wait");
    scope.reap();
    assert!(matches!(doer.join(), Err(JoinError::Reaped)));
    assert!(matches!(waiter.join(), Err(JoinError::Reaped)));
    assert_eq!(next.join().unwrap(), 3);
}

#[test]
fn a_cell_keeps_one_value() {
    let mut cell = OnceCell::new();
    assert_eq!(format!("{cell:?}"), "OnceCell(<empty>)");
    assert_eq!(cell.get_mut(), None);
    assert_eq!(cell.set(1), Ok(()));
    assert_eq!(cell.set(2), Err(2));
    assert_eq!(*cell.get_or_init(|| 3), 1);
    assert_eq!(cell.get_or_try_init(|| Err(())), Ok(&1));
    assert_eq!(format!("{cell:?}"), "OnceCell(1)");
    *cell.get_mut().unwrap() = 4;
    assert_eq!(cell.take(), Some(4));
    assert_eq!((cell.take(), cell.get()), (None, None));
    assert_eq!(cell.set(5), Ok(()));
    assert_eq!(cell.into_inner(), Some(5));
    assert_eq!(OnceCell::from(6).get(), Some(&6));
    assert_eq!(OnceCell::<u8>::default().into_inner(), None);
}

#[test]
fn values_are_dropped_once() {
    let ledger = Ledger::new(6);
    drop(OnceCell::from(ledger.entry(0)));
    let mut cell = OnceCell::new();
    assert!(cell.set(ledger.entry(1)).is_ok());
    assert_eq!(cell.set(ledger.entry(2)).unwrap_err().number, 2);
    drop(cell.take());
    assert_eq!(ledger.drops(1), 1);
    cell.get_or_init(|| ledger.entry(3));
    assert_eq!(cell.into_inner().map(|entry| entry.number), Some(3));
    let cell = OnceCell::new();
    let panics = catch_unwind(AssertUnwindSafe(|| {
        cell.get_or_init(|| {
            let entry = ledger.entry(4);
            assert!(entry.number != 4, "on purpose");
            entry
        });
    }));
    assert!(panics.is_err());
    cell.get_or_init(|| ledger.entry(5));
    drop(cell);
    ledger.all_dropped_once();
}

#[test]
fn thread_safety_follows_the_value() {
    is_send::<OnceCell<Cell<i32>>>();
    is_sync::<OnceCell<i32>>();
    is_sync::<Once>();
    is_not!(OnceCell<Cell<i32>>, Sync);
    is_not!(OnceCell<Rc<i32>>, Send);
    is_not!(OnceCell<std::sync::MutexGuard<'static, i32>>, Sync);
}
