//! A processor that is lent for a blocking call: one holder at a time, nobody
//! waits for ever, and sysmon does not sleep while there is a call.

use super::{Futex, Plain, explore};
use crate::call::{AWAKE, CallWord, Nap, SLEEPS};
use crate::sys::atomic::{AtomicU32, Ordering};
use loom::sync::{Condvar, Mutex};
use loom::thread;
use std::collections::VecDeque;
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// b4 looks and then stores.
    TakesBackWithoutExchange,
    /// r2 looks and then stores.
    RetakesWithoutExchange,
    /// b2 comes before the last use of the processor.
    LendsEarly,
    /// b5 takes no place in the FIFO.
    DoesNotQueue,
    /// r3 puts the processor among the idle ones although somebody waits.
    GivesNobody,
}

/// What the scheduler's lock guards.
struct Shared {
    idle: bool,
    fifo: VecDeque<usize>,
    /// Who has been given the processor.
    given: Option<usize>,
}

struct Sched {
    call: CallWord,
    /// A number that only the holder touches (S1): calls so far.
    calls: Plain<u64>,
    shared: Mutex<Shared>,
    wakes: Condvar,
    flaw: Option<Flaw>,
}

impl Sched {
    fn is(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn take(&self, n: u64, without_exchange: bool) -> bool {
        if without_exchange {
            let ours = self.call.lent() == Some(n);
            if ours {
                self.call.lend(0);
            }
            return ours;
        }
        self.call.take(n)
    }

    /// Worker `w`, which holds the processor, makes a call and goes on after it.
    fn calls(&self, w: usize) {
        let n = self.calls.get() + 1;
        if self.is(Flaw::LendsEarly) {
            self.call.lend(n);
            self.calls.set(self.calls.get() + 1);
        } else {
            self.calls.set(self.calls.get() + 1);
            self.call.lend(n);
        }
        // The call.
        if !self.take(n, self.is(Flaw::TakesBackWithoutExchange)) {
            self.wait(w);
        }
        self.calls.set(self.calls.get() + 1);
    }

    /// b5
    fn wait(&self, w: usize) {
        let mut s = self.shared.lock().unwrap();
        if std::mem::take(&mut s.idle) {
            return;
        }
        if !self.is(Flaw::DoesNotQueue) {
            s.fifo.push_back(w);
        }
        while s.given != Some(w) {
            s = self.wakes.wait(s).unwrap();
        }
        s.given = None;
    }

    /// r3; also a worker that goes idle.
    fn give(&self) {
        let mut s = self.shared.lock().unwrap();
        match s.fifo.pop_front() {
            Some(w) if !self.is(Flaw::GivesNobody) => {
                s.given = Some(w);
                self.wakes.notify_all();
            }
            _ => s.idle = true,
        }
    }

    /// r1 to r3
    fn retakes(&self) {
        if let Some(n) = self.call.lent()
            && self.take(n, self.is(Flaw::RetakesWithoutExchange))
        {
            self.give();
        }
    }
}

/// Worker 0 holds the processor; worker 1 waits for it. Each makes a call and
/// gives the processor up. sysmon looks twice.
fn lent(flaw: Option<Flaw>) {
    explore(Some(3), move || {
        let sched = Arc::new(Sched {
            call: CallWord::new(),
            calls: Plain::new(0),
            shared: Mutex::new(Shared { idle: false, fifo: VecDeque::new(), given: None }),
            wakes: Condvar::new(),
            flaw,
        });
        let spawn = |f: fn(&Sched)| {
            let sched = Arc::clone(&sched);
            thread::spawn(move || f(&sched))
        };
        let workers = [
            spawn(|sched| {
                sched.calls(0);
                sched.give();
            }),
            spawn(|sched| {
                sched.wait(1);
                sched.calls(1);
                sched.give();
            }),
        ];
        sched.retakes();
        sched.retakes();
        workers.into_iter().for_each(|worker| worker.join().unwrap());
        assert_eq!(sched.calls.get(), 4);
    });
}

#[test]
fn a_processor_is_lent_and_comes_back() {
    lent(None);
}

#[test]
#[should_panic(expected = "Concurrent")]
fn broken_b4_without_exchange() {
    lent(Some(Flaw::TakesBackWithoutExchange));
}

#[test]
#[should_panic(expected = "Concurrent")]
fn broken_r2_without_exchange() {
    lent(Some(Flaw::RetakesWithoutExchange));
}

#[test]
#[should_panic(expected = "Concurrent")]
fn broken_a_processor_is_lent_before_its_last_use() {
    lent(Some(Flaw::LendsEarly));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_b5_takes_no_place() {
    lent(Some(Flaw::DoesNotQueue));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_r3_gives_to_nobody() {
    lent(Some(Flaw::GivesNobody));
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sleepy {
    /// b3 without the barrier and before b2.
    AsksFirst,
    /// m1 without m2 and m3.
    NoLastLook,
    /// b3 is left out.
    WakesNobody,
}

/// A call that ends only when sysmon has seen it.
fn watched(flaw: Option<Sleepy>) {
    explore(None, move || {
        let call = Arc::new((CallWord::new(), Nap::new(), AtomicU32::new(0), Futex::new()));
        let worker = {
            let call = Arc::clone(&call);
            thread::spawn(move || {
                let (word, nap, pushed, futex) = &*call;
                let early = (flaw == Some(Sleepy::AsksFirst)).then(|| nap.after_lending());
                word.lend(1);
                if flaw == Some(Sleepy::WakesNobody) {
                    return;
                }
                let asleep = early.unwrap_or_else(|| nap.after_lending());
                if asleep == SLEEPS && nap.end() {
                    pushed.fetch_add(1, Ordering::Relaxed);
                    futex.wake();
                }
            })
        };
        let (word, nap, pushed, futex) = &*call;
        loop {
            // As in `sysmon.rs` and `Watch::look`.
            let seen = pushed.load(Ordering::Relaxed);
            nap.awake();
            if word.lent().is_some() {
                break;
            }
            nap.before_last_look();
            if flaw != Some(Sleepy::NoLastLook) && word.lent().is_some() {
                continue;
            }
            futex.wait(|| pushed.load(Ordering::Relaxed) == seen);
        }
        worker.join().unwrap();
        assert!(matches!(nap.after_lending(), AWAKE));
    });
}

#[test]
fn sysmon_sees_a_call() {
    watched(None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_b3_comes_first() {
    watched(Some(Sleepy::AsksFirst));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_m3_is_left_out() {
    watched(Some(Sleepy::NoLastLook));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_b3_is_left_out() {
    watched(Some(Sleepy::WakesNobody));
}
