//! `after_func`: a task that is started later.

use super::{ONE, set, set_are};
use crate::child::{alone, here};
use crate::support::{Mark, Tally, until, until_some};
use gopark::time::after_func;
use gopark::{Scope, ScopeId, chan, num_tasks, sleep};
use std::time::{Duration, Instant};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn it_runs_once_in_a_task_of_the_callers_scope() {
    alone(here!(), &[], || {
        let scope = Scope::new("later");
        let (tx, rx) = chan::bounded(2);
        let start = Instant::now();
        let later = {
            let _in = scope.enter();
            after_func(5 * MS, move || tx.send((Instant::now(), Scope::current().id())).unwrap())
        };
        let (at, id) = rx.recv().unwrap();
        assert!(at - start >= 5 * MS);
        assert_eq!(id, scope.id());
        assert!(rx.recv().is_err(), "what it had captured is gone");
        assert!(!later.stop() && !later.reset(MS));
        until("it has ended", || scope.live() == 0);
        assert_eq!(scope.born(), 1);
    });
}

#[test]
fn before_its_time_there_is_no_task() {
    alone(here!(), &[], || {
        let scope = Scope::new("not yet");
        let before = num_tasks();
        let later = {
            let _in = scope.enter();
            after_func(HOUR, || unreachable!())
        };
        assert_eq!((scope.live(), scope.born(), set(&scope)), (0, 0, 1));
        assert_eq!(num_tasks(), before);
        assert!(later.stop());
        assert_eq!((scope.live(), scope.born(), set(&scope)), (0, 0, 0));
    });
}

#[test]
fn one_that_is_stopped_drops_what_it_has_captured() {
    let drops = Tally::new();
    let (small, large) = (drops.mark(), [(); 20].map(|()| drops.mark()));
    let runs = |marks: &[Mark]| marks.iter().for_each(Mark::check);
    let first = after_func(HOUR, move || runs(&[small]));
    let second = after_func(HOUR, move || runs(&large));
    assert_eq!(drops.count(), 0);
    assert!(first.stop() && second.stop());
    assert_eq!(drops.count(), 21);
    assert!(!first.stop());
}

#[test]
fn a_destructor_that_panics_in_stop_is_a_panic_nobody_saw() {
    struct Angry;
    impl Drop for Angry {
        fn drop(&mut self) {
            panic!("not so");
        }
    }
    alone(here!(), &[], || {
        let scope = Scope::new("angry");
        let _in = scope.enter();
        let angry = Angry;
        let later = after_func(HOUR, move || drop(angry));
        assert!(later.stop());
        let panics = scope.take_panics();
        assert_eq!(panics.len(), 1);
        assert_eq!(panics[0].message, "not so");
    });
}

#[test]
fn it_can_be_moved_to_another_time() {
    alone(here!(), ONE, || {
        let (tx, rx) = chan::bounded(1);
        let start = Instant::now();
        let later = after_func(HOUR, move || tx.send(Instant::now()).unwrap());
        assert!(later.reset(Duration::from_secs(1800)));
        assert!(later.reset(4 * MS));
        assert!(rx.recv().unwrap() - start >= 4 * MS);
        assert!(!later.reset(MS));
        let (sooner, rx) = until_some("it is moved before its time", || {
            let (tx, rx) = chan::bounded(1);
            let sooner = after_func(2 * MS, move || tx.send(()).unwrap());
            sooner.reset(HOUR).then_some((sooner, rx))
        });
        sleep(4 * MS);
        assert!(rx.is_empty(), "at its first time");
        assert!(sooner.stop());
    });
}

#[test]
fn a_handle_that_is_dropped_stops_nothing() {
    let (tx, rx) = chan::bounded(1);
    drop(after_func(MS, move || tx.send(7).unwrap()));
    assert_eq!(rx.recv(), Ok(7));
}

#[test]
fn a_panic_is_that_of_a_task_nobody_joins() {
    alone(here!(), &[], || {
        let scope = Scope::new("panics");
        {
            let _in = scope.enter();
            after_func(Duration::ZERO, || panic!("in good time"));
        }
        let mut panics = Vec::new();
        until("it has panicked", || {
            panics.extend(scope.take_panics());
            !panics.is_empty()
        });
        assert_eq!(panics[0].message, "in good time");
        assert_eq!(panics[0].created_at.file(), file!());
    });
}

#[test]
fn it_runs_or_is_stopped() {
    let (ran, drops) = (Tally::new(), Tally::new());
    let mut stopped = 0;
    for n in 0..3000_u64 {
        let (ran, mark) = (ran.clone(), drops.mark());
        let later = after_func(Duration::from_nanos(n * 53 % 40_000), move || {
            mark.check();
            ran.add();
        });
        for _ in 0..n % 100 {
            std::hint::spin_loop();
        }
        if n % 5 == 0 {
            later.reset(Duration::ZERO);
        }
        stopped += usize::from(later.stop());
    }
    until("the others have run", || ran.count() + stopped == 3000);
    until("all is dropped", || drops.count() == 3000);
}

/// A scope that waits for its function is not given to somebody else.
#[test]
fn the_scope_is_kept_until_then() {
    alone(here!(), ONE, || {
        let (tx, rx) = chan::bounded::<ScopeId>(1);
        let id = {
            let scope = Scope::new("early");
            let _in = scope.enter();
            after_func(5 * MS, move || tx.send(Scope::current().id()).unwrap());
            scope.id()
        };
        let others: Vec<_> = (0..20).map(|_| Scope::new("another")).collect();
        assert_eq!(rx.recv(), Ok(id));
        assert!(others.iter().all(|scope| scope.born() == 0));
        set_are(&Scope::current(), 0);
    });
}

/// Nor if somebody outside of it has set another time.
#[test]
fn the_scope_is_kept_whoever_sets_the_time() {
    alone(here!(), ONE, || {
        let (tx, rx) = chan::bounded::<ScopeId>(1);
        let (later, id) = {
            let scope = Scope::new("early");
            let _in = scope.enter();
            (after_func(HOUR, move || tx.send(Scope::current().id()).unwrap()), scope.id())
        };
        let outside = Scope::new("outside");
        {
            let _in = outside.enter();
            assert!(later.reset(5 * MS));
        }
        let others: Vec<_> = (0..20).map(|_| Scope::new("another")).collect();
        assert_eq!(rx.recv(), Ok(id));
        assert!(others.iter().chain([&outside]).all(|scope| scope.born() == 0));
        set_are(&outside, 0);
        set_are(&Scope::current(), 0);
    });
}

/// It takes no new life while it is reaped.
#[test]
fn a_thousand_functions() {
    let ran = Tally::new();
    let all: Vec<_> = (0..1000)
        .map(|n| {
            let ran = ran.clone();
            after_func(Duration::from_micros(n), move || {
                ran.add();
            })
        })
        .collect();
    until("all have run", || ran.count() == 1000);
    assert!(all.iter().all(|later| !later.stop()));
}
