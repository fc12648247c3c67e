//! Locks, conditions, groups and the rest of `gopark::sync`, from tasks, from OS
//! threads, and mixed: a file for each, with what happens to it when a task is reaped
//! or runs out of time inside.
//!
//! Go's memory model ("comes before" is its "synchronized before"):
//!
//! | rule | test in `edges` |
//! |---|---|
//! | the `go` statement comes before the start of the goroutine | `a_start_comes_before_what_the_task_does_and_its_end_before_the_join` |
//! | the end of a goroutine comes before nothing; here before its join | the same |
//! | a send comes before the end of its receive | `a_send_comes_before_the_end_of_its_receive` |
//! | a close comes before a receive that returns because of it | `a_close_comes_before_a_receive_that_finds_it` |
//! | a receive without a buffer comes before the end of its send | `a_receive_without_a_buffer_comes_before_the_end_of_its_send` |
//! | with room for C: the k-th receive before the end of the (k+C)-th send | `a_receive_comes_before_the_end_of_the_send_that_takes_its_room` |
//! | a select: as the operation that it does | `a_select_has_the_edges_of_its_case` |
//! | `Unlock` number n before the return of `Lock` number m > n | `an_unlock_comes_before_the_next_lock` |
//! | `RLock` after an `Unlock`, and its `RUnlock` before the next `Lock` | `a_writer_comes_before_the_readers_that_follow_and_they_before_the_next_writer` |
//! | `TryLock` that fails: no edge | nothing to see |
//! | the function of a `Once` before the return of every `Do` | `the_function_of_a_once_comes_before_every_return` |
//! | `Done` before the return of the `Wait` that it ends | `done_comes_before_the_wait_that_it_ends` |
//! | `Signal`, `Broadcast` before the return of the `Wait` that they end | `a_signal_comes_before_the_end_of_the_wait` |
//! | `Put` before the `Get` that returns the same | `what_is_put_into_a_pool_comes_before_who_gets_it` |
//! | `Release` before the `Acquire` that needs it (x/sync) | `permits_that_are_given_back_come_before_their_next_owner` |
//! | all arrivals at a barrier before all departures | `all_arrivals_come_before_all_departures` |
//!
//! And what the documentation of `sync` promises:
//!
//! | rule | test |
//! |---|---|
//! | a waiter that starves for a millisecond is handed the mutex | `mutex::a_waiter_that_starves_is_handed_the_lock`, `a_starving_lock_goes_through_the_queue` |
//! | a writer that waits keeps new readers out | `rwlock::a_writer_that_waits_keeps_new_readers_out` |
//! | readers that wait at an unlock go before the next writer | `rwlock::readers_that_wait_go_before_the_next_writer` |
//! | `Signal` wakes one, who waits longest; `Broadcast` all who wait | `condvar::one_signal_wakes_the_one_who_waits_longest`, `all_means_those_who_wait_now` |
//! | `Wait` returns with the lock held, which was free meanwhile | `condvar::the_lock_is_free_during_the_wait_and_held_after_it` |
//! | all waiters go when the counter is zero; a negative one panics | `wait_group::wait_ends_when_all_is_done`, `more_done_than_added` |
//! | `Go` counts a task until it ends | `wait_group::go_counts_a_task`, `a_task_that_panics_is_done_too` |
//! | `Do` calls one function, and others wait for that | `once::the_first_one_does_it_and_the_others_wait_for_that` |
//! | a pool's value has one user | `pool::a_value_has_one_user` |
//! | permits go to waiters in order, and a cancelled one lets others by | `semaphore::waiters_are_served_in_order_however_much_they_want`, `those_behind_one_that_gives_up_are_served` |
//! | a group: the first error, all ended; its context is cancelled | `group::wait_waits_for_all`, `the_first_error_cancels_the_context` |

mod barrier;
mod condvar;
mod edges;
mod group;
mod modes;
mod mutex;
mod once;
mod pool;
mod reaping;
mod relock;
mod rwlock;
mod scoped;
mod semaphore;
mod wait_group;

use crate::support::{go_in, is_not};

/// Runs a function when dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

fn is_send<T: Send>() {}
fn is_sync<T: Sync>() {}
