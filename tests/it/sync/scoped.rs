//! `gopark::scope`: tasks that borrow.
//!
//! What others got wrong, and the test here:
//!
//! | learned from | what went wrong | test |
//! |---|---|---|
//! | rust#24292 | a leaked handle let the borrower outlive what it borrowed | `a_leaked_handle_changes_nothing` |
//! | rust#94644 | a task counted as ended before its value, or its panic, was dropped | `a_value_that_nobody_takes_is_dropped_inside`, `what_a_panic_drops_is_dropped_inside` |
//! | rust#98498 | the last task used the scope's counter after the scope had gone | the counter is shared; `many_short_scopes` |
//! | rust#101983 | a frame that was still there had a dangling reference as an argument | `MayDangle`; `many_short_scopes` |
//! | crossbeam#724 | a panic between the closure and the joins let tasks escape | `the_parent_panics`; nothing unwinds there |
//! | crossbeam-utils#36 | a handle could be returned from the scope | a `compile_fail` example of `scope` |
//! | crossbeam#816 | a long scope kept the handles of all its tasks | `ended_tasks_are_not_kept` |
//! | rayon, by design | the first panic is resumed, but not before all have ended | `a_panic_comes_out_when_all_have_ended` |

use super::{OnDrop, go_in};
use crate::chan::support::Here;
use crate::child::{alone, here};
use crate::support::{Gate, ONE_COOPERATIVE, Tally, for_ever, parked, spin_until, until};
use gopark::inspect::WaitReason;
use gopark::sync::Mutex;
use gopark::{JoinError, Scope, scope};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

fn message(payload: Box<dyn std::any::Any + Send>) -> String {
    (*payload.downcast::<&str>().expect("a literal")).to_owned()
}

/// Runs it in a task, and on a thread.
fn everywhere(f: impl Fn() + Send + Sync + 'static) {
    let f = Arc::new(f);
    let task = f.clone();
    gopark::go(move || task()).join().unwrap();
    std::thread::spawn(move || f()).join().unwrap();
}

#[test]
fn tasks_borrow_and_are_waited_for() {
    everywhere(|| {
        let numbers: Vec<u64> = (0..100).collect();
        let mut squares = vec![0; 100];
        let sum = AtomicUsize::new(0);
        scope(|s| {
            for (square, n) in squares.iter_mut().zip(&numbers) {
                let sum = &sum;
                s.go(move || {
                    gopark::yield_now();
                    *square = n * n;
                    sum.fetch_add(1, Ordering::Relaxed);
                });
            }
        });
        assert_eq!(sum.load(Ordering::Relaxed), 100);
        assert!(squares.iter().zip(&numbers).all(|(square, n)| *square == n * n));
    });
}

#[test]
fn it_waits_with_the_reason_join() {
    let here = Here::start();
    let (gate, over) = (Gate::new(), Arc::new(AtomicBool::new(false)));
    let task = gopark::go({
        let (gate, over) = (gate.clone(), over.clone());
        move || {
            scope(|s| {
                s.go(|| gate.pass());
            });
            over.store(true, Ordering::Relaxed);
        }
    });
    here.parked(1, WaitReason::Join);
    assert!(!over.load(Ordering::Relaxed));
    gate.open();
    task.join().unwrap();
    assert!(over.load(Ordering::Relaxed));
}

#[test]
fn values_come_back() {
    everywhere(|| {
        let text = String::from("gopher");
        let (len, borrowed) = scope(|s| {
            let len = s.go(|| text.len());
            let part = s.go(|| &text[2..]);
            until("it has ended", || len.is_finished());
            (len.join().unwrap(), part.join().unwrap())
        });
        assert_eq!((len, borrowed), (6, "pher"));
    });
}

#[test]
pub(super) fn tasks_may_start_tasks() {
    everywhere(|| {
        let count = AtomicUsize::new(0);
        fn tree<'scope>(
            s: &'scope gopark::Nursery<'scope, '_>,
            count: &'scope AtomicUsize,
            depth: u32,
        ) {
            count.fetch_add(1, Ordering::Relaxed);
            if depth > 0 {
                for _ in 0..2 {
                    s.go(move || tree(s, count, depth - 1));
                }
            }
        }
        scope(|s| tree(s, &count, 6));
        assert_eq!(count.load(Ordering::Relaxed), (1 << 7) - 1);
    });
}

#[test]
fn a_leaked_handle_changes_nothing() {
    everywhere(|| {
        let (count, value) = (AtomicUsize::new(0), Tally::new());
        scope(|s| {
            for _ in 0..3 {
                let (count, mark) = (&count, value.mark());
                mem::forget(s.go(move || {
                    gopark::yield_now();
                    count.fetch_add(1, Ordering::Relaxed);
                    mark
                }));
            }
        });
        assert_eq!(count.load(Ordering::Relaxed), 3);
        assert_eq!(value.count(), 0, "the values are leaked, too");
    });
}

/// Says when it is dropped, and needs what it borrows for that.
struct Late<'a> {
    alive: &'a AtomicBool,
    drops: &'a AtomicUsize,
}

impl Drop for Late<'_> {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Ordering::SeqCst);
        gopark::yield_now();
        assert!(self.alive.load(Ordering::SeqCst), "dropped after the scope");
    }
}

#[test]
fn a_value_that_nobody_takes_is_dropped_inside() {
    everywhere(|| {
        for _ in 0..50 {
            let (alive, drops) = (AtomicBool::new(true), AtomicUsize::new(0));
            scope(|s| {
                let make = || Late { alive: &alive, drops: &drops };
                drop(s.go(make));
                let ended = s.go(make);
                until("it has ended", || ended.is_finished());
                let _dropped_with_the_closure = s.go(make);
            });
            alive.store(false, Ordering::SeqCst);
            assert_eq!(drops.load(Ordering::SeqCst), 3);
        }
    });
}

#[test]
fn what_a_panic_drops_is_dropped_inside() {
    let body = || {
        let (alive, drops) = (AtomicBool::new(true), AtomicUsize::new(0));
        let result = catch_unwind(AssertUnwindSafe(|| {
            scope(|s| {
                s.go(|| {
                    let _late = Late { alive: &alive, drops: &drops };
                    panic!("on purpose");
                });
            });
        }));
        alive.store(false, Ordering::SeqCst);
        assert_eq!(message(result.unwrap_err()), "on purpose");
        assert_eq!(drops.load(Ordering::SeqCst), 1);
    };
    // It parks in the middle of its unwind, which siblings would notice.
    alone(here!(), &[], || everywhere(body));
}

#[test]
fn a_panic_comes_out_when_all_have_ended() {
    let gate = Gate::new();
    let task = gopark::go({
        let gate = gate.clone();
        move || {
            let ended = AtomicUsize::new(0);
            let result = catch_unwind(AssertUnwindSafe(|| {
                scope(|s| {
                    s.go(|| panic!("on purpose"));
                    s.go(|| {
                        gate.pass();
                        ended.fetch_add(1, Ordering::Relaxed);
                    });
                });
            }));
            assert_eq!(ended.load(Ordering::Relaxed), 1);
            message(result.unwrap_err())
        }
    });
    parked(task.id(), WaitReason::Join);
    gate.open();
    assert_eq!(task.join().unwrap(), "on purpose");
}

#[test]
fn a_panic_that_is_joined_does_not_come_out() {
    everywhere(|| {
        scope(|s| {
            let task = s.go(|| panic!("on purpose"));
            match task.join() {
                Err(JoinError::Panicked(payload)) => assert_eq!(message(payload), "on purpose"),
                _ => panic!("the panic is lost"),
            }
        });
    });
}

#[test]
fn the_parent_panics() {
    everywhere(|| {
        let (alive, drops) = (AtomicBool::new(true), AtomicUsize::new(0));
        let result = catch_unwind(AssertUnwindSafe(|| {
            scope(|s| {
                s.go(|| {
                    let _late = Late { alive: &alive, drops: &drops };
                    gopark::yield_now();
                });
                s.go(|| panic!("the child"));
                panic!("the parent");
            });
        }));
        alive.store(false, Ordering::SeqCst);
        assert_eq!(message(result.unwrap_err()), "the parent");
        assert_eq!(drops.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn the_parent_exits() {
    let drops = Arc::new(AtomicUsize::new(0));
    let count = drops.clone();
    let task = gopark::go(move || {
        let alive = AtomicBool::new(true);
        let _end = OnDrop(|| alive.store(false, Ordering::SeqCst));
        scope(|s| {
            s.go(|| {
                gopark::yield_now();
                drop(Late { alive: &alive, drops: &count });
            });
            gopark::goexit();
        });
    });
    assert!(matches!(task.join(), Err(JoinError::Exited)));
    assert_eq!(drops.load(Ordering::SeqCst), 1);
}

/// The children end first, whether the parent waits for them or for something else.
#[test]
fn the_parent_is_reaped() {
    for waits_for_children in [true, false] {
        let reaped = Scope::new("reaped with children");
        let drops = Arc::new(AtomicUsize::new(0));
        let (count, started) = (drops.clone(), Arc::new(AtomicUsize::new(0)));
        let begun = started.clone();
        let parent = go_in(&reaped, move || {
            let alive = AtomicBool::new(true);
            let _end = OnDrop(|| alive.store(false, Ordering::SeqCst));
            scope(|s| {
                for _ in 0..3 {
                    s.go(|| {
                        let _late = Late { alive: &alive, drops: &count };
                        begun.fetch_add(1, Ordering::SeqCst);
                        for_ever();
                    });
                }
                if !waits_for_children {
                    for_ever();
                }
            });
        });
        until("they wait", || started.load(Ordering::SeqCst) == 3);
        let reason = if waits_for_children { WaitReason::Join } else { WaitReason::ChanReceiveNil };
        parked(parent.id(), reason);
        let result = reaped.reap();
        assert_eq!((result.ended, result.abandoned), (4, 0));
        match parent.join() {
            Err(JoinError::Reaped) => {}
            other => panic!("{other:?}"),
        }
        assert_eq!(drops.load(Ordering::SeqCst), 3);
    }
}

/// Says when it is dropped, while its task still counts.
struct Counted<'scope, 'env> {
    nursery: &'scope gopark::Nursery<'scope, 'env>,
    drops: &'scope AtomicUsize,
}

impl Drop for Counted<'_, '_> {
    fn drop(&mut self) {
        let text = format!("{:?}", self.nursery);
        assert!(!text.contains("count: 0"), "dropped after the task was counted down: {text}");
        self.drops.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_task_counts_until_it_has_dropped_everything() {
    alone(here!(), ONE_COOPERATIVE, || {
        for (case, ends_well) in [true, true, false].into_iter().enumerate() {
            let task = gopark::go(move || {
                let drops = AtomicUsize::new(0);
                let result = catch_unwind(AssertUnwindSafe(|| {
                    scope(|s| {
                        let it = Counted { nursery: s, drops: &drops };
                        // The only processor is ours until the handle is gone.
                        gopark::no_park(|| match case {
                            0 => drop(s.go(move || it)),
                            1 => drop(s.go(move || drop(it))),
                            _ => drop(s.go(move || {
                                let _it = it;
                                panic!("on purpose");
                            })),
                        });
                    });
                }));
                assert_eq!(result.is_ok(), ends_well);
                drops.load(Ordering::SeqCst)
            });
            assert_eq!(task.join().unwrap(), 1);
        }
    });
}

/// One that was reaped before it started has borrows, too.
#[test]
fn a_task_that_never_runs_drops_its_captures_inside() {
    alone(here!(), ONE_COOPERATIVE, || {
        let reaped = Scope::new("reaped before it starts");
        let drops = Arc::new(AtomicUsize::new(0));
        let (ran, count) = (Tally::new(), drops.clone());
        let parent = go_in(&reaped, {
            let (reaped, ran) = (reaped.clone(), ran.clone());
            move || {
                scope(|s| {
                    let captured = Counted { nursery: s, drops: &count };
                    // The only processor is ours, until the reaper has marked us all.
                    gopark::no_park(|| {
                        mem::forget(s.go(move || {
                            ran.add();
                            drop(captured);
                        }));
                        std::thread::spawn(move || reaped.reap());
                        let refused = || catch_unwind(gopark::safepoint).is_err();
                        spin_until("it is marked", refused);
                    });
                });
            }
        });
        assert!(matches!(parent.join(), Err(JoinError::Reaped)));
        assert_eq!((drops.load(Ordering::SeqCst), ran.count()), (1, 0));
    });
}

#[test]
#[should_panic(expected = "gopark::scope inside gopark::no_park")]
fn it_refuses_to_start_where_it_could_not_wait() {
    let task = gopark::go(|| gopark::no_park(|| scope(|_| ())));
    task.join().unwrap_or_else(|error| error.resume());
}

/// A scope that ends at the moment at which its last task does.
#[test]
pub(super) fn many_short_scopes() {
    everywhere(|| {
        for n in 0..2000 {
            let mut value = Box::new(n);
            scope(|s| {
                let value = &mut value;
                s.go(move || **value += 1);
            });
            assert_eq!(*value, n + 1);
            *value = 0; // not borrowed any more
        }
    });
}

/// A mutex on the stack of the parent is locked by its children.
#[test]
fn locks_on_the_stack() {
    everywhere(|| {
        let sum = Mutex::new(0);
        scope(|s| {
            for n in 0..20 {
                let sum = &sum;
                s.go(move || {
                    let mut guard = sum.lock();
                    gopark::yield_now();
                    *guard += n;
                });
            }
        });
        assert_eq!(sum.into_inner(), 190);
    });
}

#[test]
fn ended_tasks_are_not_kept() {
    let marks = Tally::new();
    scope(|s| {
        for n in 0..2000 {
            let mark = marks.mark();
            s.go(move || mark.check());
            if n % 64 == 0 {
                until("most have ended", || marks.count() + 8 > n);
            }
        }
        let text = format!("{s:?}");
        let (_, kept) = text.split_once("handles: ").expect("it is shown");
        let kept: usize = kept.split([',', ' ']).next().unwrap().parse().expect("a number");
        assert!(kept < 1000, "{text}");
    });
    assert_eq!(marks.count(), 2000);
}
