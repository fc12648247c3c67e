//! Go's nil channel: never ready, for nobody.

use super::support::{EACH, Here};
use gopark::chan::{
    Receiver, RecvTimeoutError, SendTimeoutError, Sender, TryRecvError, TrySendError, bounded,
    never, never_sender,
};
use gopark::inspect::WaitReason;
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_millis(20);

#[test]
fn a_timed_receive_times_out() {
    for who in EACH {
        who.start(|| {
            let rx = never::<i32>();
            let start = Instant::now();
            assert_eq!(rx.recv_timeout(SHORT), Err(RecvTimeoutError::Timeout));
            assert!(start.elapsed() >= SHORT);
            let deadline = Instant::now() + SHORT;
            assert_eq!(rx.recv_deadline(deadline), Err(RecvTimeoutError::Timeout));
            assert!(Instant::now() >= deadline);
        })
        .join();
    }
}

#[test]
fn a_timed_send_times_out_and_hands_the_value_back() {
    for who in EACH {
        who.start(|| {
            let tx = never_sender();
            let start = Instant::now();
            assert_eq!(tx.send_timeout(1, SHORT), Err(SendTimeoutError::Timeout(1)));
            assert!(start.elapsed() >= SHORT);
            let deadline = Instant::now() + SHORT;
            assert_eq!(tx.send_deadline(2, deadline), Err(SendTimeoutError::Timeout(2)));
            assert!(Instant::now() >= deadline);
        })
        .join();
    }
}

/// The tasks and threads stay parked: the process must be able to end all the same.
#[test]
fn waits_have_their_own_reasons() {
    let here = Here::start();
    for (i, who) in EACH.into_iter().enumerate() {
        who.start(|| never::<i32>().recv());
        here.parked(i + 1, WaitReason::ChanReceiveNil);
        who.start(|| never_sender().send(7));
        here.parked(i + 1, WaitReason::ChanSendNil);
    }
}

#[test]
fn what_does_not_wait_says_not_now() {
    assert_eq!(never::<i32>().try_recv(), Err(TryRecvError::Empty));
    assert_eq!(never::<i32>().try_iter().next(), None);
    assert_eq!(never_sender().try_send(1), Err(TrySendError::Full(1)));
}

#[test]
fn it_has_no_room_and_cannot_be_closed() {
    static RX: Receiver<i32> = never();
    static TX: Sender<i32> = never_sender();
    assert!(!RX.close() && !TX.close());
    assert!(!RX.is_closed() && !TX.is_closed());
    assert_eq!((RX.len(), RX.capacity()), (0, 0));
    assert_eq!((TX.len(), TX.capacity()), (0, 0));
    assert!(RX.is_empty() && RX.is_full() && TX.is_empty() && TX.is_full());
}

#[test]
fn all_are_the_same_channel() {
    let (tx, rx) = bounded::<i32>(1);
    assert!(never::<i32>().same_channel(&never()));
    assert!(never_sender::<i32>().same_channel(&never_sender()));
    assert!(!never().same_channel(&rx) && !rx.same_channel(&never()));
    assert!(!never_sender().same_channel(&tx) && !tx.same_channel(&never_sender()));
}

#[test]
fn handles_say_so() {
    assert_eq!(format!("{:?}", never::<i32>()), "Receiver { never: true }");
    assert_eq!(format!("{:?}", never_sender::<i32>()), "Sender { never: true }");
}
