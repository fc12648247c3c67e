//! Hogs, and workers that are still to be made.

use super::{ASLEEP, Flaw, HOLDER, SPARE, Start, Task, run};

/// There is a processor, and no worker for it.
fn no_worker_yet(flaw: Option<Flaw>) {
    run(Some(3), flaw, 1, &[SPARE], &[Task::Ends], &[|s| s.submit(0)]);
}

/// A task computes until another has run, which needs a worker that does not exist.
fn a_hog_and_a_spare(flaw: Option<Flaw>) {
    let tasks = &[Task::Hog(1), Task::Ends];
    let busy = &[Start { bound: 0b01, ..HOLDER }, SPARE];
    run(Some(3), flaw, 1, busy, tasks, &[|s| s.submit_late(1)]);
}

/// The same, and the other is bound to a worker that sleeps.
fn a_hog_and_a_bound_task(flaw: Option<Flaw>) {
    let tasks = &[Task::Hog(1), Task::Ends];
    let busy = &[Start { bound: 0b01, ..HOLDER }, ASLEEP];
    run(Some(3), flaw, 1, busy, tasks, &[|s| s.ready_late(1, 1)]);
}

#[test]
fn a_processor_waits_for_a_worker() {
    no_worker_yet(None);
}

#[test]
fn a_hog_is_suspended_for_a_task_of_any_worker() {
    a_hog_and_a_spare(None);
}

#[test]
fn a_hog_is_suspended_for_a_bound_task() {
    a_hog_and_a_bound_task(None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_nobody_asks_for_a_spare() {
    no_worker_yet(Some(Flaw::AsksForNoSpare));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_a_spare_that_looks_at_nothing() {
    no_worker_yet(Some(Flaw::MakerDoesNotLook));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_a_processor_without_worker_is_lost() {
    no_worker_yet(Some(Flaw::DropsProcessor));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_who_is_suspended_does_not_queue() {
    a_hog_and_a_bound_task(Some(Flaw::DoesNotQueue));
}
