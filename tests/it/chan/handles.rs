//! What handles, iterators and errors say about themselves.

use super::support::{EACH, Here};
use crate::support::is_not;
use gopark::chan::{
    IntoIter, Iter, Receiver, RecvError, RecvTimeoutError, SendError, SendTimeoutError, Sender,
    TryIter, TryRecvError, TrySendError, bounded, rendezvous,
};
use gopark::inspect::WaitReason;
use std::cell::Cell;
use std::error::Error;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;

fn is_send_and_sync<T: Send + Sync>() {}
fn is_unwind_safe<T: UnwindSafe + RefUnwindSafe>() {}

#[test]
fn handles_are_as_thread_safe_as_their_values() {
    is_send_and_sync::<Sender<Cell<i32>>>();
    is_send_and_sync::<Receiver<Cell<i32>>>();
    is_send_and_sync::<IntoIter<Cell<i32>>>();
    is_unwind_safe::<Sender<Cell<i32>>>();
    is_unwind_safe::<Receiver<Cell<i32>>>();
    is_not!(Sender<Rc<i32>>, Send);
    is_not!(Sender<Rc<i32>>, Sync);
    is_not!(Receiver<Rc<i32>>, Send);
    is_not!(Receiver<Rc<i32>>, Sync);
    is_not!(Iter<'static, Rc<i32>>, Send);
    is_not!(TryIter<'static, Rc<i32>>, Send);
}

#[test]
fn lengths() {
    let (tx, rx) = bounded(2);
    for n in 0..=2 {
        assert_eq!((tx.len(), rx.len()), (n, n));
        assert_eq!((tx.is_empty(), rx.is_empty()), (n == 0, n == 0));
        assert_eq!((tx.is_full(), rx.is_full()), (n == 2, n == 2));
        assert_eq!((tx.capacity(), rx.capacity()), (2, 2));
        let _ = tx.try_send(n);
    }
    let (tx, rx) = rendezvous::<i32>();
    assert_eq!((tx.len(), rx.len(), tx.capacity(), rx.capacity()), (0, 0, 0, 0));
    assert!(tx.is_empty() && tx.is_full() && rx.is_empty() && rx.is_full());
}

#[test]
fn which_channel() {
    let (tx, rx) = bounded::<i32>(1);
    let (tx2, rx2) = bounded::<i32>(1);
    assert!(tx.same_channel(&tx.clone()) && rx.same_channel(&rx.clone()));
    assert!(!tx.same_channel(&tx2) && !rx.same_channel(&rx2));
}

#[test]
fn debug_output() {
    let (tx, rx) = bounded(2);
    tx.send(1).unwrap();
    assert_eq!(format!("{tx:?}"), "Sender { len: 1, capacity: 2, closed: false }");
    drop(tx);
    assert_eq!(format!("{rx:?}"), "Receiver { len: 1, capacity: 2, closed: true }");
    assert_eq!(format!("{:?}", rx.iter()), "Iter(Receiver { len: 1, capacity: 2, closed: true })");
}

#[test]
fn error_texts() {
    // Errors need nothing of the value, so `unwrap` and `?` work for all.
    struct Opaque;
    let text = |err: &dyn Error| format!("{err} | {err:?}");
    let closed = "sending on a closed channel";
    let drained = "receiving on a closed and empty channel";
    assert_eq!(text(&SendError(Opaque)), format!("{closed} | SendError(..)"));
    assert_eq!(text(&TrySendError::Closed(Opaque)), format!("{closed} | Closed(..)"));
    assert_eq!(text(&TrySendError::Full(Opaque)), "sending on a full channel | Full(..)");
    assert_eq!(text(&SendTimeoutError::Closed(Opaque)), format!("{closed} | Closed(..)"));
    assert_eq!(
        text(&SendTimeoutError::Timeout(Opaque)),
        "timed out waiting on send operation | Timeout(..)"
    );
    assert_eq!(text(&RecvError), format!("{drained} | RecvError"));
    assert_eq!(text(&TryRecvError::Closed), format!("{drained} | Closed"));
    assert_eq!(text(&TryRecvError::Empty), "receiving on an empty channel | Empty");
    assert_eq!(text(&RecvTimeoutError::Closed), format!("{drained} | Closed"));
    assert_eq!(
        text(&RecvTimeoutError::Timeout),
        "timed out waiting on receive operation | Timeout"
    );
}

#[test]
fn iterators_end_with_the_channel() {
    let (tx, rx) = bounded(4);
    (0..3).for_each(|i| tx.send(i).unwrap());
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [0, 1, 2]);
    (3..6).for_each(|i| tx.send(i).unwrap());
    drop(tx);
    let mut seen = Vec::new();
    for value in &rx {
        seen.push(value);
    }
    assert_eq!(seen, [3, 4, 5]);
    assert_eq!(rx.into_iter().next(), None);
}

#[test]
fn several_iterators_share_the_values() {
    for who in EACH {
        let (tx, rx) = bounded(2);
        let sums: Vec<_> = (0..3)
            .map(|_| {
                let rx = rx.clone();
                who.start(move || rx.into_iter().sum::<u32>())
            })
            .collect();
        (1..=100).for_each(|i| tx.send(i).unwrap());
        drop(tx);
        assert_eq!(sums.into_iter().map(|s| s.join()).sum::<u32>(), 5050);
    }
}

/// A wait is shown at the call in the user's code, not inside the iterator, the
/// adaptor or the channel.
#[test]
fn the_site_of_a_wait_is_the_callers() {
    for who in EACH {
        let (tx, rx) = rendezvous::<i32>();
        let here = Here::start();
        let task = who.start({
            let rx = rx.clone();
            move || rx.iter().map(|i| i + 1).take(1).sum::<i32>()
        });
        here.parked(1, WaitReason::ChanReceive);
        tx.send(1).unwrap();
        assert_eq!(task.join(), 2);

        let here = Here::start();
        let task = who.start({
            let rx = rx.clone();
            move || {
                let mut sum = 0;
                for value in &rx {
                    sum += value;
                }
                sum
            }
        });
        here.parked(1, WaitReason::ChanReceive);
        tx.send(2).unwrap();
        here.parked(1, WaitReason::ChanReceive);
        drop(tx);
        assert_eq!(task.join(), 2);

        let (tx, rx) = rendezvous::<i32>();
        let here = Here::start();
        let task = who.start(move || rx.into_iter().next());
        here.parked(1, WaitReason::ChanReceive);
        tx.send(3).unwrap();
        assert_eq!(task.join(), Some(3));
    }
}
