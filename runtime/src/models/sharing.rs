//! A channel is freed once, by the last of its handles, and nobody uses it then.
//!
//! Two senders and a receiver use the channel and go. (`Shared`, `Handles`, `Kinds` and `Kind`
//! of `chan/shared.rs`. What the last one of a kind does with the channel is a use of it.)

use super::{Plain, explore};
use crate::sys::atomic::{AtomicU32, Ordering};
use loom::thread;
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// A handle goes without publishing what it did.
    HandlesAreRelaxed,
    /// A kind does.
    KindsAreRelaxed,
    /// Two steps: another one may take the last in between.
    CountsInTwoSteps,
    /// A handle that was not the last one looks again.
    LooksAgain,
}

struct Chan {
    senders: AtomicU32,
    receivers: AtomicU32,
    kinds: AtomicU32,
    /// How often it was freed. Reading it is a use of the channel.
    freed: Plain<u32>,
}

impl Chan {
    fn is_used(&self) {
        assert_eq!(self.freed.get(), 0, "used when it was freed");
    }

    fn drop_handle(&self, handles: &AtomicU32, flaw: Option<Flaw>) {
        self.is_used();
        let order = match flaw {
            Some(Flaw::HandlesAreRelaxed) => Ordering::Relaxed,
            _ => Ordering::AcqRel,
        };
        let left = if flaw == Some(Flaw::CountsInTwoSteps) {
            let left = handles.load(Ordering::Acquire);
            handles.store(left - 1, Ordering::Release);
            left
        } else {
            handles.fetch_sub(1, order)
        };
        if left != 1 {
            if flaw == Some(Flaw::LooksAgain) {
                self.is_used();
            }
            return;
        }
        // close(), abandon()
        self.is_used();
        let order = match flaw {
            Some(Flaw::KindsAreRelaxed) => Ordering::Relaxed,
            _ => Ordering::AcqRel,
        };
        if self.kinds.fetch_sub(1, order) == 1 {
            self.freed.set(self.freed.get() + 1);
        }
    }
}

fn shared(flaw: Option<Flaw>) {
    explore(None, move || {
        let chan = Arc::new(Chan {
            senders: AtomicU32::new(2),
            receivers: AtomicU32::new(1),
            kinds: AtomicU32::new(2),
            freed: Plain::new(0),
        });
        let sends = [(); 2].map(|()| {
            let chan = Arc::clone(&chan);
            thread::spawn(move || chan.drop_handle(&chan.senders, flaw))
        });
        chan.drop_handle(&chan.receivers, flaw);
        sends.into_iter().for_each(|it| it.join().unwrap());
        assert_eq!(chan.freed.get(), 1, "freed once");
    });
}

#[test]
fn the_last_handle_frees_the_channel() {
    shared(None);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn broken_a_handle_goes_without_a_word() {
    shared(Some(Flaw::HandlesAreRelaxed));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn broken_a_kind_goes_without_a_word() {
    shared(Some(Flaw::KindsAreRelaxed));
}

#[test]
#[should_panic(expected = "freed once")]
fn broken_two_handles_go_in_two_steps() {
    shared(Some(Flaw::CountsInTwoSteps));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn broken_a_handle_that_has_gone_looks_again() {
    shared(Some(Flaw::LooksAgain));
}
