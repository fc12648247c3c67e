//! Tasks for any worker.

use super::{ASLEEP, Flaw, HOLDER, Sched, Task, run};

fn one_worker(flaw: Option<Flaw>) {
    run(None, flaw, 1, &[HOLDER], &[Task::Ends], &[|s| s.submit(0)]);
}

fn two_submitters(flaw: Option<Flaw>) {
    let submitters: &[fn(&Sched)] = &[|s| s.submit(0), |s| s.submit(1)];
    run(Some(4), flaw, 1, &[HOLDER], &[Task::Ends, Task::Ends], submitters);
}

fn two_workers(flaw: Option<Flaw>) {
    run(Some(3), flaw, 2, &[HOLDER, ASLEEP], &[Task::Ends], &[|s| s.submit(0)]);
}

fn two_submitters_and_two_workers(flaw: Option<Flaw>) {
    let submitters: &[fn(&Sched)] = &[|s| s.submit(0), |s| s.submit(1)];
    run(Some(2), flaw, 2, &[HOLDER, ASLEEP], &[Task::Ends, Task::Ends], submitters);
}

/// The first task computes until the second has run: two processors are needed.
fn a_hog(flaw: Option<Flaw>) {
    let tasks = &[Task::After(1), Task::Ends];
    let submitter: &[fn(&Sched)] = &[|s| {
        s.submit(0);
        s.submit(1);
    }];
    run(Some(2), flaw, 2, &[HOLDER, ASLEEP], tasks, submitter);
}

#[test]
fn one_worker_goes_idle() {
    one_worker(None);
}

#[test]
fn one_worker_goes_idle_under_two_submitters() {
    two_submitters(None);
}

#[test]
fn one_worker_goes_idle_and_one_sleeps() {
    two_workers(None);
}

#[test]
fn one_worker_goes_idle_and_one_sleeps_under_two_submitters() {
    two_submitters_and_two_workers(None);
}

#[test]
fn a_hog_does_not_keep_a_task_from_an_idle_processor() {
    a_hog(None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_no_last_look() {
    one_worker(Some(Flaw::NoLastLook));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_no_barrier_before_the_last_look() {
    one_worker(Some(Flaw::NoBarrierBeforeLastLook));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_w2_after_w4() {
    two_workers(Some(Flaw::EndsSpinLate));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_f1_is_left_out() {
    a_hog(Some(Flaw::WakesNobody));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_a_spinner_that_never_was() {
    two_submitters(Some(Flaw::EndsPhantomLate));
}
