//! `block_on` and `spawn_future`.

use crate::child::{alone, here};
use crate::support::{Gate, ONE_COOPERATIVE, Tally, info, parked, until, until_some};
use gopark::inspect::WaitReason;
use gopark::{JoinError, Scope, block_on, go, no_park, spawn_future};
use std::future::{self, poll_fn};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::thread;

/// Where a future leaves its waker.
type Left = Arc<Mutex<Option<Waker>>>;

/// Ready at the second poll; leaves its waker at the first.
async fn woken_once(left: Left) {
    let mut polls = 0;
    poll_fn(|cx| {
        polls += 1;
        *left.lock().unwrap() = Some(cx.waker().clone());
        if polls == 2 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

#[test]
fn a_task_is_parked_until_it_is_woken() {
    let left = Left::default();
    let task = spawn_future(woken_once(left.clone()));
    let seen = parked(task.id(), WaitReason::BlockOn).wait.unwrap();
    assert!(seen.site.file().ends_with("blocking.rs"));
    let waker = left.lock().unwrap().clone().unwrap();
    thread::spawn(move || waker.wake()).join().unwrap();
    task.join().unwrap();
}

#[test]
fn a_thread_is_blocked_until_it_is_woken() {
    let left = Left::default();
    let waker = left.clone();
    go(move || until_some("it has a waker", || waker.lock().unwrap().take()).wake());
    block_on(woken_once(left));
}

/// A future that is ready after so many wake-ups, each of which comes at any moment.
#[test]
fn no_wake_up_is_lost() {
    const TURNS: usize = 20_000;
    let turn = Arc::new(AtomicUsize::new(0));
    let left = Left::default();
    let task = {
        let (turn, left) = (turn.clone(), left.clone());
        let mut polled = 0;
        spawn_future(poll_fn(move |cx| {
            *left.lock().unwrap() = Some(cx.waker().clone());
            while turn.load(Ordering::SeqCst) > polled {
                polled += 1;
            }
            if polled == TURNS { Poll::Ready(()) } else { Poll::Pending }
        }))
    };
    let waking = thread::spawn(move || {
        for _ in 0..TURNS {
            turn.fetch_add(1, Ordering::SeqCst);
            if let Some(waker) = left.lock().unwrap().take() {
                waker.wake();
            }
        }
    });
    waking.join().unwrap();
    task.join().unwrap();
}

#[test]
fn a_wake_up_in_the_middle_of_a_poll_counts() {
    let mut first = true;
    block_on(poll_fn(|cx| {
        if !std::mem::take(&mut first) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        let again = cx.waker().clone();
        again.wake();
        Poll::Pending
    }));
}

#[test]
fn a_nested_call_takes_no_wake_up_of_the_outer_one() {
    let (outer, inner) = (Left::default(), Left::default());
    let task = {
        let (outer, inner) = (outer.clone(), inner.clone());
        let mut polls = 0;
        spawn_future(poll_fn(move |cx| {
            polls += 1;
            if polls == 2 {
                return Poll::Ready(());
            }
            *outer.lock().unwrap() = Some(cx.waker().clone());
            block_on(woken_once(inner.clone()));
            Poll::Pending
        }))
    };
    until("the inner one waits", || inner.lock().unwrap().is_some());
    let id = task.id();
    let before = parked(id, WaitReason::BlockOn).stamp;
    // For the outer one, while the inner one waits.
    outer.lock().unwrap().take().unwrap().wake();
    assert_eq!(parked(id, WaitReason::BlockOn).stamp, before, "the inner one was woken");
    inner.lock().unwrap().take().unwrap().wake();
    task.join().unwrap();
}

#[test]
fn a_park_in_a_poll_takes_no_wake_up() {
    let mut polls = 0;
    block_on(poll_fn(|cx| {
        polls += 1;
        if polls == 2 {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        let (tx, rx) = gopark::chan::rendezvous();
        go(move || {
            waker.wake();
            tx.send(())
        });
        // The wake-up comes before the value.
        rx.recv().unwrap();
        Poll::Pending
    }));
}

#[test]
fn a_waker_that_comes_late_wakes_nobody() {
    let left = Left::default();
    for _ in 0..100 {
        let kept = left.clone();
        spawn_future(poll_fn(move |cx| {
            *kept.lock().unwrap() = Some(cx.waker().clone());
            Poll::Ready(())
        }))
        .join()
        .unwrap();
        let late = left.lock().unwrap().take().unwrap();
        // Perhaps with the same record, and the same stack.
        let gate = Gate::new();
        let passes = gate.clone();
        let other = go(move || passes.pass());
        let before = parked(other.id(), WaitReason::ChanReceive).stamp;
        thread::spawn(move || {
            late.wake_by_ref();
            let again = late.clone();
            late.wake();
            drop(again);
        })
        .join()
        .unwrap();
        assert_eq!(info(other.id()).unwrap().stamp, before);
        gate.open();
        other.join().unwrap();
    }
}

/// Not in the next call of the same task either.
#[test]
fn a_late_waker_ends_no_later_call() {
    let left = Left::default();
    let task = {
        let left = left.clone();
        go(move || {
            let mut first = None;
            block_on(poll_fn(|cx| {
                first = Some(cx.waker().clone());
                Poll::Ready(())
            }));
            let mut polls = 0;
            block_on(poll_fn(|cx| {
                polls += 1;
                first.take().into_iter().for_each(Waker::wake);
                *left.lock().unwrap() = Some(cx.waker().clone());
                if polls == 2 { Poll::Ready(()) } else { Poll::Pending }
            }));
            polls
        })
    };
    parked(task.id(), WaitReason::BlockOn);
    left.lock().unwrap().take().unwrap().wake();
    assert_eq!(task.join().unwrap(), 2);
}

#[test]
fn a_panic_in_a_poll_drops_the_future_and_comes_out() {
    let drops = Tally::new();
    let mark = drops.mark();
    let left = Left::default();
    let kept = left.clone();
    let task = spawn_future(async move {
        mark.check();
        poll_fn(|cx| {
            *kept.lock().unwrap() = Some(cx.waker().clone());
            panic!("in the poll");
            #[expect(unreachable_code, reason = "the type of the future")]
            Poll::Ready(())
        })
        .await;
    });
    assert!(matches!(task.join(), Err(JoinError::Panicked(why)) if why.is::<&str>()));
    assert_eq!(drops.count(), 1);
    left.lock().unwrap().take().unwrap().wake();
}

#[test]
fn a_task_that_is_reaped_drops_its_future() {
    let scope = Scope::new("reaped future");
    let drops = Tally::new();
    let mark = drops.mark();
    let task = {
        let _in = scope.enter();
        spawn_future(async move {
            future::pending::<()>().await;
            mark.check();
        })
    };
    parked(task.id(), WaitReason::BlockOnAlone);
    assert_eq!(scope.reap().ended, 1);
    assert_eq!(drops.count(), 1);
    assert!(matches!(task.join(), Err(JoinError::Reaped)));
}

/// It has no error to return, so it waits.
#[test]
fn a_destructor_may_block_on_a_future_while_its_task_is_reaped() {
    struct Blocks(Left, Arc<AtomicBool>);
    impl Drop for Blocks {
        fn drop(&mut self) {
            block_on(woken_once(self.0.clone()));
            self.1.store(true, Ordering::SeqCst);
        }
    }
    // It parks in the middle of its unwind, which siblings would notice.
    alone(here!(), &[], || {
        let scope = Scope::new("reaped in a destructor");
        let (left, done) = (Left::default(), Arc::new(AtomicBool::new(false)));
        let blocks = Blocks(left.clone(), done.clone());
        let task = {
            let _in = scope.enter();
            spawn_future(async move {
                let _blocks = blocks;
                future::pending::<()>().await;
            })
        };
        parked(task.id(), WaitReason::BlockOnAlone);
        let reaper = thread::spawn(move || scope.reap());
        until_some("the destructor waits", || left.lock().unwrap().take()).wake();
        reaper.join().unwrap();
        assert!(matches!(task.join(), Err(JoinError::Reaped)));
        assert!(done.load(Ordering::SeqCst));
    });
}

/// Two futures that take turns on one processor, each waking itself.
#[test]
fn a_future_that_wakes_itself_lets_others_run() {
    alone(here!(), ONE_COOPERATIVE, || {
        let turn = Arc::new(AtomicUsize::new(0));
        let polls = Arc::new(AtomicUsize::new(0));
        let (ours, counted) = (turn.clone(), polls.clone());
        let player = move |me: usize| {
            let (turn, polls) = (ours.clone(), counted.clone());
            spawn_future(async move {
                for _ in 0..100 {
                    while turn.load(Ordering::SeqCst) % 2 != me {
                        polls.fetch_add(1, Ordering::SeqCst);
                        woken_by_itself().await;
                    }
                    turn.fetch_add(1, Ordering::SeqCst);
                }
            })
        };
        // Neither plays before both are there.
        let players = go(move || no_park(|| [player(0), player(1)])).join().unwrap();
        players.into_iter().for_each(|player| player.join().unwrap());
        assert_eq!(turn.load(Ordering::SeqCst), 200);
        // Not millions, as if each had to be made to give way.
        let polls = polls.load(Ordering::SeqCst);
        assert!(polls < 10_000, "{polls} polls for 200 turns");
    });
}

#[test]
fn what_need_not_wait_may_be_run_where_nobody_may_park() {
    let task = go(|| {
        no_park(|| {
            block_on(async { 1 });
            block_on(woken_by_itself());
        });
        no_park(|| block_on(future::pending::<()>()));
    });
    assert!(matches!(task.join(), Err(JoinError::Panicked(_))));
}

async fn woken_by_itself() {
    let mut first = true;
    poll_fn(|cx| {
        cx.waker().wake_by_ref();
        if std::mem::take(&mut first) { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
}

/// Nobody can wake it: that is durable. With a clone of its waker somebody can.
#[test]
fn a_wait_whose_waker_nobody_has_is_durable() {
    let scope = Scope::new("lonely");
    let left = Left::default();
    let theirs = left.clone();
    let _in = scope.enter();
    let lonely = spawn_future(future::pending::<()>());
    let other = spawn_future(woken_once(theirs));
    assert!(parked(lonely.id(), WaitReason::BlockOnAlone).durably_blocked());
    assert!(!parked(other.id(), WaitReason::BlockOn).durably_blocked());
    until_some("it left its waker", || left.lock().unwrap().take()).wake();
    other.join().unwrap();
    assert_eq!(scope.reap().ended, 1);
}
