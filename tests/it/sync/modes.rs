//! The tests in which most happens at once, again: on one processor, on several, and
//! where tasks migrate.
//!
//! For that mode: no frame of these tests touches a thread-local on both sides of a
//! park.

use super::{barrier, condvar, group, mutex, once, pool, rwlock, scoped, semaphore, wait_group};
use crate::child::{alone, here};
use gopark::runtime::{Config, is_migrating};

fn all() {
    mutex::one_at_a_time();
    mutex::random_operations();
    mutex::a_hog_cannot_keep_the_lock_to_itself();
    rwlock::many_readers_or_one_writer();
    rwlock::random_operations();
    condvar::no_signal_is_lost();
    condvar::signals_and_time_limits_at_once();
    semaphore::no_more_than_there_are();
    semaphore::random_operations();
    wait_group::random_operations();
    barrier::nobody_leaves_before_all_have_arrived();
    once::many_at_once();
    pool::a_value_has_one_user();
    group::tasks_may_start_tasks();
    scoped::tasks_may_start_tasks();
    scoped::many_short_scopes();
}

#[expect(unsafe_code, reason = "the promise of migrating mode")]
fn start_migrating(maxprocs: usize) {
    // SAFETY: as said above.
    unsafe { Config::new().maxprocs(maxprocs).migrating() }.start().unwrap();
    assert!(is_migrating());
}

#[test]
fn on_one_processor() {
    alone(here!(), &[("GOPARK_MAXPROCS", "1")], all);
}

#[test]
fn on_eight_processors() {
    alone(here!(), &[("GOPARK_MAXPROCS", "8")], all);
}

#[test]
fn on_one_processor_in_migrating_mode() {
    alone(here!(), &[], || {
        start_migrating(1);
        all();
    });
}

#[test]
fn on_four_processors_in_migrating_mode() {
    alone(here!(), &[], || {
        start_migrating(4);
        all();
    });
}
