//! Tasks that one worker must run.

use super::{ASLEEP, Flaw, HOLDER, Sched, Start, Task, run};

fn one_inbox(flaw: Option<Flaw>) {
    let wakers: &[fn(&Sched)] = &[|s| s.ready(0, 0), |s| s.ready(0, 1)];
    run(Some(3), flaw, 1, &[HOLDER], &[Task::Ends, Task::Ends], wakers);
}

/// One processor for two workers with bound tasks.
fn two_inboxes(flaw: Option<Flaw>) {
    let wakers: &[fn(&Sched)] = &[|s| s.ready(0, 0), |s| s.ready(1, 1)];
    run(Some(2), flaw, 1, &[HOLDER, ASLEEP], &[Task::Ends, Task::Ends], wakers);
}

/// The holder has two tasks and hands its processor over between them.
fn handed_over(flaw: Option<Flaw>) {
    let tasks = &[Task::Ends, Task::Ends, Task::Ends];
    let busy = &[Start { bound: 0b011, ..HOLDER }, ASLEEP];
    run(Some(3), flaw, 1, busy, tasks, &[|s| s.ready(1, 2)]);
}

/// A bound task that computes until another, which any worker may run, has run.
fn a_bound_hog(flaw: Option<Flaw>) {
    let tasks = &[Task::After(1), Task::Ends];
    let submitters: &[fn(&Sched)] = &[|s| s.ready(0, 0), |s| s.submit(1)];
    run(Some(2), flaw, 2, &[HOLDER, ASLEEP], tasks, submitters);
}

/// A worker that runs its own task only makes another task, and goes idle.
fn an_exclusive_worker(flaw: Option<Flaw>) {
    let tasks = &[Task::Submits(1), Task::Ends];
    let busy = &[Start { exclusive: true, bound: 0b01, ..HOLDER }, ASLEEP];
    run(None, flaw, 1, busy, tasks, &[]);
}

#[test]
fn an_inbox_of_a_worker_that_goes_idle() {
    one_inbox(None);
}

#[test]
fn two_inboxes_and_one_processor() {
    two_inboxes(None);
}

#[test]
fn a_processor_is_handed_over() {
    handed_over(None);
}

#[test]
fn a_bound_hog_does_not_keep_a_task_from_an_idle_processor() {
    a_bound_hog(None);
}

#[test]
fn an_exclusive_worker_leaves_a_task() {
    an_exclusive_worker(None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_no_last_look_at_the_inbox() {
    one_inbox(Some(Flaw::NoLastLook));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_a_kick_without_barrier() {
    one_inbox(Some(Flaw::KicksWithoutBarrier));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_a_worker_does_not_queue_for_a_processor() {
    two_inboxes(Some(Flaw::DoesNotQueue));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_a_spinner_with_bound_work_wakes_nobody() {
    a_bound_hog(Some(Flaw::BoundWakesNobody));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_an_exclusive_worker_forgets_others() {
    an_exclusive_worker(Some(Flaw::ExclusiveLeavesWork));
}
