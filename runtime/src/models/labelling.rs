//! The text of a task's innermost span, which the task changes while somebody reads it.
//!
//! The task publishes one text after the other and frees those before, when it has had the
//! registry's lock once; an observer follows the pointer under that lock. (`Spans` of
//! `task/spans.rs`, with texts that are numbers of places and a list that is emptied each
//! time.)

use super::{Plain, explore};
use crate::sys::atomic::{AtomicU32, Ordering};
use loom::sync::Mutex;
use loom::thread;
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// The text is published before it is written.
    PublishesEarly,
    /// The old text is freed without the lock.
    TakesNoLock,
    /// The old text is freed while it is still the one that is published.
    FreesFirst,
    /// The pointer does not publish what it points to.
    Relaxed,
}

const NONE: u32 = u32::MAX;
const FREED: u32 = u32::MAX;

struct Spans {
    text: AtomicU32,
    texts: [Plain<u32>; 2],
    registry: Mutex<()>,
}

impl Spans {
    fn publish(&self, text: u32, flaw: Option<Flaw>) {
        let order = if flaw == Some(Flaw::Relaxed) { Ordering::Relaxed } else { Ordering::Release };
        self.text.store(text, order);
    }

    /// Span 1 inside of span 0, and out of it.
    fn task(&self, flaw: Option<Flaw>) {
        for n in 0..2_u32 {
            if flaw == Some(Flaw::PublishesEarly) {
                self.publish(n, flaw);
                self.texts[n as usize].set(1);
            } else {
                self.texts[n as usize].set(1);
                self.publish(n, flaw);
            }
        }
        if flaw != Some(Flaw::FreesFirst) {
            self.publish(0, flaw);
        }
        if flaw != Some(Flaw::TakesNoLock) {
            drop(self.registry.lock().unwrap());
        }
        self.texts[1].set(FREED);
        self.publish(0, flaw);
    }

    fn observer(&self) {
        let _lock = self.registry.lock().unwrap();
        let text = self.text.load(Ordering::Acquire);
        if text != NONE {
            assert_eq!(self.texts[text as usize].get(), 1, "not a whole text");
        }
    }
}

fn read_meanwhile(flaw: Option<Flaw>) {
    explore(None, move || {
        let spans = Arc::new(Spans {
            text: AtomicU32::new(NONE),
            texts: [0, 0].map(Plain::new),
            registry: Mutex::new(()),
        });
        let task = {
            let spans = Arc::clone(&spans);
            thread::spawn(move || spans.task(flaw))
        };
        spans.observer();
        task.join().unwrap();
    });
}

#[test]
fn an_observer_reads_a_whole_text() {
    read_meanwhile(None);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn broken_a_text_is_published_before_it_is_there() {
    read_meanwhile(Some(Flaw::PublishesEarly));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn broken_a_text_is_freed_without_the_lock() {
    read_meanwhile(Some(Flaw::TakesNoLock));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn broken_a_text_is_freed_that_can_be_seen() {
    read_meanwhile(Some(Flaw::FreesFirst));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn broken_a_pointer_says_nothing_of_its_text() {
    read_meanwhile(Some(Flaw::Relaxed));
}
