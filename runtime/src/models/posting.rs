//! Everything that is put into a worker's inbox comes out once, and those of one waker in
//! their order. Inbox and list are the real ones (`sched/links.rs`).

use super::{Plain, Step, explore};
use crate::links::{Fifo, Inbox, Linked};
use loom::thread;
use std::ptr;
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// What the task is about is written when it is in the inbox.
    FillsLate,
    /// A waker puts a task in that is there already.
    PutsTwice,
}

struct Task {
    next: Plain<*const Task>,
    inside: Plain<u32>,
    number: u32,
}

// SAFETY: loom checks each access to what is not atomic.
#[expect(unsafe_code, reason = "a link is a pointer")]
unsafe impl Sync for Task {}
// SAFETY: as above.
#[expect(unsafe_code, reason = "a link is a pointer")]
unsafe impl Send for Task {}

impl Linked for Task {
    fn next(&self) -> *const Task {
        self.next.get()
    }

    fn set_next(&self, next: *const Task) {
        self.next.set(next);
    }
}

impl Task {
    /// As records are never freed, neither is this.
    fn new(number: u32) -> &'static Task {
        let (next, inside) = (Plain::new(ptr::null()), Plain::new(0));
        Box::leak(Box::new(Task { next, inside, number }))
    }

    fn post(&'static self, inbox: &Inbox<Task>, step: &Step, flaw: Option<Flaw>) {
        if flaw != Some(Flaw::FillsLate) {
            self.inside.set(1);
        }
        step.take();
        inbox.push(self);
        if flaw == Some(Flaw::FillsLate) {
            step.take();
            self.inside.set(1);
        }
        if flaw == Some(Flaw::PutsTwice) {
            inbox.push(self);
        }
    }
}

/// `Worker::empty_inbox`
fn empty(inbox: &Inbox<Task>, fifo: &Fifo<Task>) {
    if !inbox.seems_empty() {
        inbox.take_into(fifo);
    }
}

fn two_wakers(flaw: Option<Flaw>) {
    explore(Some(3), move || {
        let (inbox, step) = (Arc::new(Inbox::new()), Arc::new(Step::new()));
        let wakers = [&[1, 2][..], &[11]].map(|numbers| {
            let (inbox, step) = (Arc::clone(&inbox), Arc::clone(&step));
            let tasks: Vec<_> = numbers.iter().map(|n| Task::new(*n)).collect();
            thread::spawn(move || tasks.into_iter().for_each(|it| it.post(&inbox, &step, flaw)))
        });
        let fifo = Fifo::new();
        step.take();
        empty(&inbox, &fifo);
        let mut ran = Vec::new();
        ran.extend(fifo.pop());
        assert!(ran.iter().all(|task| task.inside.get() == 1), "not a whole one");
        wakers.into_iter().for_each(|it| it.join().unwrap());
        empty(&inbox, &fifo);
        ran.extend(std::iter::from_fn(|| fifo.pop()));
        assert!(ran.iter().all(|task| task.inside.get() == 1), "not a whole one");
        let numbers =
            |small: bool| ran.iter().map(|it| it.number).filter(move |n| (*n < 9) == small);
        assert!(
            numbers(true).eq([1, 2]),
            "those of the one: {:?}",
            numbers(true).collect::<Vec<_>>()
        );
        assert!(numbers(false).eq([11]), "that of the other");
    });
}

#[test]
fn two_wakers_and_an_owner() {
    two_wakers(None);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn broken_a_task_is_filled_when_it_is_in_the_inbox() {
    two_wakers(Some(Flaw::FillsLate));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn broken_a_task_is_in_the_inbox_twice() {
    two_wakers(Some(Flaw::PutsTwice));
}
