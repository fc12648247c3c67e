//! Processors that are too many: what lies in their rings goes to the global queue, and
//! a worker that looks there before, and into the ring after, finds it at neither place.

use super::{ASLEEP, Flaw, HOLDER, Model, Start, Task};

/// A task makes another, which goes to its processor's ring; that one becomes too many.
/// The other worker goes idle meanwhile.
fn a_holder(flaw: Option<Flaw>) {
    Model {
        preemptions: Some(2),
        processors: 2,
        starts: &[HOLDER, Start { bound: 0b01, ..HOLDER }],
        tasks: &[Task::Submits(1), Task::Ends],
        others: &[|s| s.set_limit(1)],
        rings: true,
    }
    .run(flaw);
}

/// The same, but the worker runs its own tasks only: it leaves an idle processor behind,
/// with a task in its ring.
fn an_idle_one(flaw: Option<Flaw>) {
    Model {
        preemptions: Some(2),
        processors: 2,
        starts: &[HOLDER, Start { exclusive: true, bound: 0b01, ..HOLDER }],
        tasks: &[Task::Submits(1), Task::Ends],
        others: &[|s| s.set_limit(1)],
        rings: true,
    }
    .run(flaw);
}

/// All that is left is idle.
fn nothing_to_do(flaw: Option<Flaw>) {
    Model {
        preemptions: Some(2),
        processors: 2,
        starts: &[Start { bound: 0b01, ..HOLDER }, HOLDER, ASLEEP],
        tasks: &[Task::Ends],
        others: &[|s| s.set_limit(1)],
        rings: true,
    }
    .run(flaw);
}

#[test]
fn a_holder_gives_its_processor_up() {
    a_holder(None);
}

#[test]
fn an_idle_processor_is_retired() {
    an_idle_one(None);
}

#[test]
fn none_that_is_too_many_is_idle() {
    nothing_to_do(None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_who_gives_up_a_processor_does_not_look() {
    a_holder(Some(Flaw::RetirerDoesNotLook));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_who_sets_the_number_does_not_look() {
    an_idle_one(Some(Flaw::SetterDoesNotLook));
}

#[test]
#[should_panic(expected = "idle, and one too many")]
fn broken_too_many_is_asked_before_the_lock() {
    nothing_to_do(Some(Flaw::AsksEarly));
}
