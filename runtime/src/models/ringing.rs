//! The bells of futures: a future sees that it was served, or its latest waker is
//! woken (B2 of `task/bell.rs`); and a value that was handed to a future that is
//! dropped goes on.
//!
//! The queue of the channel is a flag under its lock; the waker is a number, and
//! whoever is woken has that of its latest poll.

use super::{Futex, explore};
use loom::sync::Mutex;
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::thread;
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// The future asks whether it was served before it leaves its waker.
    AsksFirst,
    /// The bell takes the waker while it is still in the queue.
    RingsFirst,
    /// A future that is dropped does not say that its place is free.
    StaysQueued,
}

struct Channel {
    /// Whether the bell is in the queue.
    queued: Mutex<bool>,
    served: AtomicU32,
    /// The waker: 0 for none.
    slot: Mutex<u32>,
    /// The last waker that was woken.
    woken: AtomicU32,
    executor: Futex,
    lost: AtomicU32,
    flaw: Option<Flaw>,
}

impl Channel {
    fn new(flaw: Option<Flaw>) -> Arc<Channel> {
        Arc::new(Channel {
            queued: Mutex::new(true),
            served: AtomicU32::new(0),
            slot: Mutex::new(1),
            woken: AtomicU32::new(0),
            executor: Futex::new(),
            lost: AtomicU32::new(0),
            flaw,
        })
    }

    fn is(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    /// `Ringing::drop`, in a task of its own.
    fn ring(&self) {
        let waker = std::mem::take(&mut *self.slot.lock().unwrap());
        if waker != 0 {
            self.woken.fetch_max(waker, Ordering::Relaxed);
            self.executor.wake();
        }
    }

    /// A partner takes the bell out of the queue, under its lock, and rings it behind
    /// that (B1). Whether there was one.
    fn serve(&self) -> bool {
        let early = self.is(Flaw::RingsFirst);
        if early {
            self.ring();
        }
        let mut queued = self.queued.lock().unwrap();
        if !std::mem::replace(&mut *queued, false) {
            return false;
        }
        self.served.store(1, Ordering::Relaxed);
        drop(queued);
        if !early {
            self.ring();
        }
        true
    }

    /// `poll`, again: another waker is left, and then the future asks (B2).
    fn poll(&self, waker: u32) -> bool {
        let asks = || !*self.queued.lock().unwrap();
        let early = self.is(Flaw::AsksFirst).then(asks);
        *self.slot.lock().unwrap() = waker;
        early.unwrap_or_else(asks)
    }

    /// An executor that polls whenever it is woken, each time with a new waker.
    fn run(&self) {
        let mut waker = 2;
        while !self.poll(waker) {
            self.executor.wait(|| self.woken.load(Ordering::Relaxed) < waker);
            while self.woken.load(Ordering::Relaxed) < waker {
                // Woken for an older waker: that wakes nobody in other executors.
                self.executor.wait(|| self.woken.load(Ordering::Relaxed) < waker);
            }
            waker += 1;
        }
        assert_eq!(self.served.load(Ordering::Relaxed), 1);
    }

    /// The future is dropped.
    fn leave(&self) {
        let mut queued = self.queued.lock().unwrap();
        let ours = !*queued;
        if !self.is(Flaw::StaysQueued) {
            *queued = false;
        }
        drop(queued);
        // Silenced, or it rings for nobody.
        *self.slot.lock().unwrap() = 0;
        if ours {
            // What it was given goes on to the next one.
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn polled_again(flaw: Option<Flaw>) {
    explore(None, move || {
        let channel = Channel::new(flaw);
        let partner = {
            let channel = Arc::clone(&channel);
            thread::spawn(move || assert!(channel.serve()))
        };
        channel.run();
        partner.join().unwrap();
    });
}

fn dropped(flaw: Option<Flaw>) {
    explore(None, move || {
        let channel = Channel::new(flaw);
        let partner = {
            let channel = Arc::clone(&channel);
            thread::spawn(move || channel.serve())
        };
        channel.leave();
        let served = partner.join().unwrap();
        let goes_on = channel.lost.load(Ordering::Relaxed) == 1;
        assert_eq!(served, goes_on, "a value is lost, or comes twice");
        assert!(!*channel.queued.lock().unwrap(), "a future that is gone is in the queue");
    });
}

#[test]
fn the_latest_waker_is_woken() {
    polled_again(None);
}

#[test]
fn a_future_that_is_dropped_keeps_nothing() {
    dropped(None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_a_future_asks_before_it_leaves_its_waker() {
    polled_again(Some(Flaw::AsksFirst));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_a_bell_rings_before_it_is_out_of_the_queue() {
    polled_again(Some(Flaw::RingsFirst));
}

#[test]
#[should_panic(expected = "comes twice")]
fn broken_a_dropped_future_stays_in_the_queue() {
    dropped(Some(Flaw::StaysQueued));
}
