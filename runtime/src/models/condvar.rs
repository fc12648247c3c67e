//! The condition variable: a signal that comes after the lock was given up finds the
//! waiter.

use super::explore;
use super::waiters::Waiters;
use loom::sync::Mutex;
use loom::thread;
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// The lock is given up before the waiter is in the queue.
    UnlocksFirst,
}

struct Shared {
    ready: Mutex<bool>,
    waiters: Waiters,
}

impl Shared {
    /// `Condvar::wait_while`.
    fn wait(&self, timed: bool, flaw: Option<Flaw>) -> bool {
        let mut ready = self.ready.lock().unwrap();
        while !*ready {
            let waited = if flaw == Some(Flaw::UnlocksFirst) {
                drop(ready);
                self.waiters.park(self.waiters.hold(), 0, false, timed)
            } else {
                let held = self.waiters.hold();
                self.waiters.park_then(held, 0, false, timed, || drop(ready))
            };
            let signalled = waited.is_ok();
            // The queue is unlocked again before the lock is waited for.
            drop(waited);
            ready = self.ready.lock().unwrap();
            if !signalled {
                return *ready;
            }
        }
        true
    }

    fn signal(&self) {
        *self.ready.lock().unwrap() = true;
        let first = self.waiters.hold().claim_first(|_| true);
        if let Some((_, first)) = first {
            first.enqueue();
        }
    }
}

fn signalled(waiters: &'static [bool], flaw: Option<Flaw>) {
    explore(Some(3), move || {
        let shared = Arc::new(Shared { ready: Mutex::new(false), waiters: Waiters::new() });
        let threads: Vec<_> = waiters
            .iter()
            .map(|&timed| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    let ready = shared.wait(timed, flaw);
                    if timed && ready {
                        // It may have had the signal instead of another one.
                        shared.signal();
                    }
                    assert!(ready || timed);
                })
            })
            .collect();
        shared.signal();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn a_signal_finds_the_waiter() {
    signalled(&[false], None);
}

/// One signal, for the one that does not give up, or from the one that did not after
/// all.
#[test]
fn a_signal_does_not_go_to_one_that_gives_up() {
    signalled(&[true, false], None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_the_lock_is_given_up_first() {
    signalled(&[false], Some(Flaw::UnlocksFirst));
}
