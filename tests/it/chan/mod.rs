//! Channels: Go's rules one by one, from tasks, from OS threads, and mixed.
//!
//! From the language's specification:
//!
//! | rule | test |
//! |---|---|
//! | a channel is a queue: values come in the order in which they were sent | `bounded::values_arrive_in_order`, `rendezvous::values_arrive_in_order` |
//! | without capacity a send succeeds only when a receiver is there, and the other way | `rendezvous::a_send_ends_only_when_it_is_received`, `a_receive_waits_for_its_send` |
//! | with capacity a send goes on while there is room, a receive while there is a value | `bounded::sends_do_not_wait_while_there_is_room`, `a_send_to_a_full_buffer_waits`, `a_receive_from_an_empty_buffer_waits` |
//! | a channel may be used by any number at once, without other synchronisation | `stress::*`, `select_stress::*` |
//! | the nil channel is never ready | `never::a_timed_receive_times_out`, `never::what_does_not_wait_says_not_now`, `select::what_is_never_ready_is_never_chosen` |
//! | a send on, and a close of, a closed or nil channel is an error (Go panics) | `closing::sends_on_a_closed_channel_hand_the_value_back`, `closing::closing_twice_is_told_and_changes_nothing`, `never::it_has_no_room_and_cannot_be_closed` |
//! | who waits to send when it is closed fails | `closing::a_close_wakes_all_senders_and_hands_their_values_back` |
//! | a receive from a closed channel goes on at once, after what was sent before | `closing::receivers_drain_a_closed_channel`, `closing::a_close_wakes_all_receivers` |
//! | `v, ok := <-c` tells a value from the close | `bounded::a_receive_that_does_not_wait_finds_a_value_or_the_close` |
//! | `range` ends when it is closed and drained | `handles::iterators_end_with_the_channel` |
//! | `len` and `cap` | `handles::lengths` |
//! | two channel values are equal if they are the same channel | `handles::which_channel` |
//! | send-only and receive-only | the types `Sender` and `Receiver` |
//!
//! Of `select`:
//!
//! | rule | test |
//! |---|---|
//! | channels and values of all cases are evaluated once, in source order, also of those not chosen | `select::everything_is_evaluated_once_and_in_source_order` |
//! | if some can proceed, one is chosen, each with the same probability | `select::what_is_ready_happens`, `select::the_choice_is_fair` |
//! | otherwise `default`, if there is one | `select::default_is_chosen_only_if_nothing_is_ready` |
//! | otherwise it waits until one can | `select::a_waiting_select_is_served`, `select::selects_meet_each_other` |
//! | only the chosen case happens | `select::each_value_is_dropped_once_and_those_not_sent_before_the_body` |
//! | what stands on the left of a receive is evaluated after it, if it was chosen | patterns here; `select::temporaries_are_gone_before_a_body_runs` |
//! | without cases that can ever proceed it waits for ever | `select_list::an_empty_list`, `never::waits_have_their_own_reasons` |
//! | one channel may stand in several cases, to send and to receive | `select::one_channel_may_stand_in_several_cases`, `select::a_select_does_not_meet_itself` |
//! | `break` leaves the select, `return` the function | `select::bodies_break_return_and_question` |
//! | a closed channel can proceed | `select::a_closed_channel_is_ready` |
//!
//! The memory model's rules stand in [`sync::edges`](super::sync).

mod bounded;
mod closing;
mod drops;
mod handles;
mod never;
mod reaping;
mod rendezvous;
mod select;
mod select_list;
mod select_reaping;
mod select_stress;
mod stress;
pub(crate) mod support;
mod timeouts;
