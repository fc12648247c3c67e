//! `gopark::sync::Pool`.

use super::{is_send, is_sync};
use crate::chan::support::{EACH, Entry, Ledger};
use gopark::sync::{Pool, Pooled};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A pool of numbers, counting from 0.
fn numbers() -> Pool<usize, impl Fn() -> usize> {
    let made = AtomicUsize::new(0);
    Pool::new(move || made.fetch_add(1, Ordering::Relaxed))
}

#[test]
fn values_are_used_again() {
    for who in EACH {
        who.start(|| {
            let pool = numbers();
            let (first, second) = (pool.get(), pool.get());
            assert_eq!((*first, *second), (0, 1));
            drop(first);
            assert_eq!(*pool.get(), 0);
            pool.put(7);
            let got = [pool.get(), pool.get()].map(Pooled::into_inner);
            assert!(got.contains(&0) && got.contains(&7), "{got:?}");
            assert_eq!(*pool.get(), 2, "those that were taken out do not come back");
        })
        .join();
    }
}

#[test]
fn a_value_that_a_panic_left_is_not_kept() {
    for who in EACH {
        who.start(|| {
            let pool = numbers();
            let panics = catch_unwind(AssertUnwindSafe(|| {
                let _value = pool.get();
                panic!("on purpose");
            }));
            assert!(panics.is_err());
            assert_eq!(*pool.get(), 1);
        })
        .join();
    }
}

#[test]
fn it_keeps_a_limited_number_and_drops_each_value_once() {
    let ledger = Ledger::new(5000);
    let pool: Pool<Entry> = Pool::new(|| unreachable!("nobody asks for one"));
    for n in 0..5000 {
        pool.put(ledger.entry(n));
    }
    let dropped = (0..5000).filter(|n| ledger.drops(*n) == 1).count();
    assert!(dropped > 4000, "{dropped}");
    drop(pool);
    ledger.all_dropped_once();
}

/// Nobody gets what another one has.
#[test]
pub(super) fn a_value_has_one_user() {
    for who in EACH {
        let pool = Arc::new(Pool::new(|| Cell::new(false)));
        let all: Vec<_> = (0..6)
            .map(|_| {
                let pool = pool.clone();
                who.start(move || {
                    for _ in 0..500 {
                        let value = pool.get();
                        assert!(!value.replace(true), "it is in use");
                        who.yield_now();
                        value.set(false);
                    }
                })
            })
            .collect();
        all.into_iter().for_each(|a| a.join());
    }
}

#[test]
fn a_pool_of_what_is_not_shared_is_shared() {
    is_send::<Pool<Cell<i32>>>();
    is_sync::<Pool<Cell<i32>>>();
}
