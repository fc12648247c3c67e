//! Channels with a buffer.

use super::support::{EACH, Here, PAIRS};
use gopark::chan::{TryRecvError, TrySendError, bounded};
use gopark::inspect::WaitReason;

#[test]
fn values_arrive_in_order() {
    for capacity in [1, 2, 3, 100] {
        for (sender, receiver) in PAIRS {
            let (tx, rx) = bounded(capacity);
            let sender = sender.start(move || (0..500).for_each(|i| tx.send(i).unwrap()));
            let receiver = receiver.start(move || rx.iter().collect::<Vec<i32>>());
            sender.join();
            assert_eq!(receiver.join(), (0..500).collect::<Vec<_>>());
        }
    }
}

#[test]
fn sends_do_not_wait_while_there_is_room() {
    let (tx, rx) = bounded(3);
    for round in 0..3 {
        for i in 0..3 {
            assert_eq!(tx.len(), i);
            tx.send(round * 10 + i).unwrap();
        }
        assert_eq!(tx.try_send(99), Err(TrySendError::Full(99)));
        for i in 0..3 {
            assert_eq!(rx.recv(), Ok(round * 10 + i));
        }
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    }
}

#[test]
fn a_send_to_a_full_buffer_waits() {
    for who in EACH {
        let here = Here::start();
        let (tx, rx) = bounded(2);
        tx.send(1).unwrap();
        tx.send(2).unwrap();
        let sender = who.start({
            let tx = tx.clone();
            move || tx.send(3)
        });
        here.parked(1, WaitReason::ChanSend);
        assert_eq!(tx.len(), 2, "the value of a waiting sender is not in the buffer");
        assert_eq!(rx.recv(), Ok(1));
        assert_eq!(sender.join(), Ok(()));
        assert_eq!(rx.try_iter().collect::<Vec<_>>(), [2, 3]);
    }
}

#[test]
fn a_receive_from_an_empty_buffer_waits() {
    for who in EACH {
        let here = Here::start();
        let (tx, rx) = bounded(2);
        let receiver = who.start(move || rx.recv());
        here.parked(1, WaitReason::ChanReceive);
        tx.send(1).unwrap();
        assert_eq!(receiver.join(), Ok(1));
    }
}

#[test]
fn a_receive_moves_the_value_of_the_first_waiting_sender_to_the_tail() {
    for who in EACH {
        let here = Here::start();
        let (tx, rx) = bounded(2);
        tx.send(0).unwrap();
        tx.send(1).unwrap();
        let senders: Vec<_> = (2..6)
            .map(|i| {
                let tx = tx.clone();
                let sender = who.start(move || tx.send(i));
                here.parked(i - 1, WaitReason::ChanSend);
                sender
            })
            .collect();
        for i in 0..4 {
            assert_eq!(rx.try_recv(), Ok(i));
            // The room was given away at once, not left to who comes first.
            assert!(tx.is_full());
            assert_eq!(tx.try_send(99), Err(TrySendError::Full(99)));
        }
        assert_eq!(rx.try_iter().collect::<Vec<_>>(), [4, 5]);
        senders.into_iter().for_each(|s| s.join().unwrap());
    }
}

#[test]
fn waiting_receivers_are_served_in_the_order_they_came() {
    for (odd, even) in PAIRS {
        let here = Here::start();
        let (tx, rx) = bounded(3);
        let receivers: Vec<_> = (0..8)
            .map(|i| {
                let rx = rx.clone();
                let who = if i % 2 == 0 { even } else { odd };
                let receiver = who.start(move || rx.recv());
                here.parked(i + 1, WaitReason::ChanReceive);
                receiver
            })
            .collect();
        for i in 0..8 {
            tx.send(i).unwrap();
        }
        assert!(tx.is_empty(), "a value went into the buffer although somebody waited");
        let got: Vec<_> = receivers.into_iter().map(|r| r.join().unwrap()).collect();
        assert_eq!(got, (0..8).collect::<Vec<_>>());
    }
}

/// Go: `TestNonblockRecvRace`.
#[test]
fn a_receive_that_does_not_wait_finds_a_value_or_the_close() {
    for i in 0..400 {
        let (tx, rx) = bounded(1);
        tx.send(1).unwrap();
        let looking = EACH[i % 2].start({
            let rx = rx.clone();
            move || rx.try_recv()
        });
        tx.close();
        let late = rx.recv().is_ok();
        let early = looking.join();
        assert_eq!(early, if late { Err(TryRecvError::Closed) } else { Ok(1) });
    }
}

#[test]
fn values_of_any_size() {
    let (tx, rx) = bounded(2);
    let task = gopark::go(move || (0..5).try_for_each(|_| tx.send(())));
    assert_eq!(rx.iter().count(), 5);
    assert_eq!(task.join().unwrap(), Ok(()));

    let (tx, rx) = bounded(2);
    let task = gopark::go(move || (0..5).for_each(|i| tx.send([i; 100]).unwrap()));
    assert_eq!(rx.iter().map(|a| a.iter().sum::<usize>()).sum::<usize>(), 1000);
    task.join().unwrap();
}

#[test]
#[should_panic(expected = "capacity overflow")]
fn room_that_no_memory_can_hold() {
    let _ = bounded::<u64>(usize::MAX);
}
