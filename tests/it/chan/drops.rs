//! Every value is dropped exactly once, by whoever has it, and never under the
//! channel's lock.

use super::support::{EACH, Here, Ledger};
use gopark::chan::{Receiver, Sender, bounded, rendezvous};
use gopark::inspect::WaitReason;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

#[test]
fn received_values() {
    let ledger = Ledger::new(10);
    let (tx, rx) = bounded(10);
    for i in 0..10 {
        assert!(tx.send(ledger.entry(i)).is_ok());
    }
    for i in 0..10 {
        let value = rx.recv().unwrap();
        assert_eq!(value.number, i);
        assert_eq!(ledger.drops(i), 0);
        drop(value);
        assert_eq!(ledger.drops(i), 1);
    }
    drop((tx, rx));
    ledger.all_dropped_once();
}

#[test]
fn buffered_values_die_with_the_last_receiver() {
    let ledger = Ledger::new(5);
    let (tx, rx) = bounded(8);
    // Wrap around the end of the ring.
    let other = Ledger::new(6);
    for i in 0..6 {
        tx.send(other.entry(i)).ok().unwrap();
        drop(rx.recv());
    }
    for i in 0..5 {
        tx.send(ledger.entry(i)).ok().unwrap();
    }
    let rx2 = rx.clone();
    drop(rx);
    assert_eq!(ledger.drops(0), 0);
    drop(rx2);
    ledger.all_dropped_once();
    drop(tx);
    ledger.all_dropped_once();
    other.all_dropped_once();
}

#[test]
fn buffered_values_of_a_closed_channel_die_with_the_last_receiver() {
    let ledger = Ledger::new(3);
    let (tx, rx) = bounded(3);
    for i in 0..3 {
        tx.send(ledger.entry(i)).ok().unwrap();
    }
    drop(tx);
    assert_eq!(ledger.drops(0), 0);
    drop(rx.recv());
    assert_eq!(ledger.drops(0), 1);
    assert_eq!(ledger.drops(1), 0);
    drop(rx);
    ledger.all_dropped_once();
}

#[test]
fn refused_values_come_back() {
    let ledger = Ledger::new(4);
    let (tx, rx) = rendezvous();
    let back = tx.try_send(ledger.entry(0)).unwrap_err().into_inner();
    assert_eq!((back.number, ledger.drops(0)), (0, 0));
    let back = tx.send_timeout(ledger.entry(1), Duration::from_millis(1)).unwrap_err().into_inner();
    assert_eq!((back.number, ledger.drops(1)), (1, 0));
    drop(rx);
    let back = tx.send(ledger.entry(2)).unwrap_err().into_inner();
    assert_eq!((back.number, ledger.drops(2)), (2, 0));
    let back = tx.try_send(ledger.entry(3)).unwrap_err().into_inner();
    assert_eq!((back.number, ledger.drops(3)), (3, 0));
    drop(tx);
    assert_eq!(ledger.drops(3), 0);
}

#[test]
fn values_of_waiting_senders_come_back_or_arrive() {
    for who in EACH {
        let here = Here::start();
        let ledger = Ledger::new(4);
        let (tx, rx) = bounded(1);
        tx.send(ledger.entry(0)).ok().unwrap();
        let senders: Vec<_> = (1..4)
            .map(|i| {
                let (tx, entry) = (tx.clone(), ledger.entry(i));
                let sender = who.start(move || tx.send(entry).map_err(|e| e.into_inner().number));
                here.parked(i, WaitReason::ChanSend);
                sender
            })
            .collect();
        assert_eq!(rx.recv().unwrap().number, 0); // moves 1 into the buffer
        drop(rx);
        let outcomes: Vec<_> = senders.into_iter().map(|s| s.join()).collect();
        assert_eq!(outcomes, [Ok(()), Err(2), Err(3)]);
        ledger.all_dropped_once();
    }
}

#[test]
fn values_that_pass_through_every_path() {
    for capacity in [0, 1, 3] {
        for who in EACH {
            let ledger = Ledger::new(400);
            let (tx, rx) = bounded(capacity);
            let senders: Vec<_> = (0..4)
                .map(|n| {
                    let (tx, ledger) = (tx.clone(), ledger.clone());
                    who.start(move || {
                        for i in 0..100 {
                            let limit = Duration::from_micros(i as u64 % 20);
                            let entry = ledger.entry(n * 100 + i);
                            match i % 3 {
                                0 => drop(tx.send(entry)),
                                1 => drop(tx.try_send(entry)),
                                _ => drop(tx.send_timeout(entry, limit)),
                            }
                        }
                    })
                })
                .collect();
            drop(tx);
            let receivers: Vec<_> = (0..2)
                .map(|n| {
                    let rx = rx.clone();
                    who.start(move || {
                        for _ in 0..20 {
                            drop(rx.recv_timeout(Duration::from_micros(10)));
                        }
                        if n == 0 {
                            rx.iter().for_each(drop);
                        }
                    })
                })
                .collect();
            drop(rx);
            senders.into_iter().for_each(|s| s.join());
            receivers.into_iter().for_each(|r| r.join());
            ledger.all_dropped_once();
        }
    }
}

/// A value whose drop uses the channel it was in: hangs if that happens under
/// the channel's lock.
struct Curious {
    tx: Sender<Curious>,
    dropped: Arc<AtomicUsize>,
}

impl Drop for Curious {
    fn drop(&mut self) {
        let _ = self.tx.len();
        self.tx.close();
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn no_drop_happens_under_the_lock() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let (tx, rx) = bounded(3);
    for _ in 0..3 {
        let curious = Curious { tx: tx.clone(), dropped: dropped.clone() };
        assert!(tx.send(curious).is_ok());
    }
    drop(rx);
    assert_eq!(dropped.load(Ordering::Relaxed), 3);
}

/// Each value owns a sender of its own channel, so that no sender ever is the last.
#[test]
fn a_channel_that_contains_itself_is_freed() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let (tx, rx) = bounded(3);
    let curious = Curious { tx: tx.clone(), dropped: dropped.clone() };
    assert!(tx.send(curious).is_ok());
    drop(tx);
    assert_eq!(dropped.load(Ordering::Relaxed), 0);
    drop(rx);
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
    assert_eq!(Arc::strong_count(&dropped), 1);
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("a drop that panics");
        }
    }
}

#[test]
fn a_drop_that_panics_leaves_the_channel_usable() {
    let (tx, rx) = bounded(2);
    assert!(tx.send(Bomb).is_ok());
    let result = catch_unwind(AssertUnwindSafe(|| drop(rx)));
    assert!(result.is_err());
    assert!(tx.is_closed());
    assert_eq!(tx.len(), 0);
    std::mem::forget(tx.send(Bomb).unwrap_err());
}

#[test]
fn a_task_that_panics_drops_its_handles() {
    let (tx, rx) = bounded::<i32>(1);
    let task = gopark::go(move || {
        tx.send(1).unwrap();
        panic!("on purpose");
    });
    assert_eq!(rx.recv(), Ok(1));
    assert!(rx.recv().is_err());
    assert!(task.join().is_err());
}

#[test]
fn handles_can_be_sent_through_channels() {
    for who in EACH {
        let (tx, rx) = rendezvous::<(Sender<i32>, Receiver<i32>)>();
        let adder = who.start(move || {
            for (answer, question) in rx {
                let a = question.recv().unwrap();
                answer.send(a + 1).unwrap();
            }
        });
        for i in 0..10 {
            let (answer, answered) = bounded(1);
            let (ask, asked) = bounded(1);
            tx.send((answer, asked)).unwrap();
            ask.send(i).unwrap();
            assert_eq!(answered.recv(), Ok(i + 1));
            assert!(answered.recv().is_err());
        }
        drop(tx);
        adder.join();
    }
}
