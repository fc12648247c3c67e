//! Async code in tasks, and channels and handles in async code.
//!
//! What executors and channels elsewhere got wrong, each with its test:
//!
//! | what | where it was seen | test |
//! |---|---|---|
//! | a nested `block_on` takes the wake-up of the outer one | async-rs/async-std#358, MaterializeInc/materialize#13776 | `blocking::a_nested_call_takes_no_wake_up_of_the_outer_one` |
//! | what a poll calls waits, and takes the wake-up of the future | rust-lang/futures-rs#2010 | `blocking::a_park_in_a_poll_takes_no_wake_up` |
//! | a received value is lost with the future that was dropped | fereidani/kanal#24, #50 | `channels::a_value_that_was_not_seen_goes_on` |
//! | whether a send that was dropped went through, nobody says | zesterer/flume#104 | `channels::a_send_that_was_dropped_was_not_sent` |
//! | a cancelled receive keeps its place, and swallows a value | jeikabu/runng#65 | `channels::a_receive_that_was_dropped_is_forgotten` |
//! | interleaved guards of an entered runtime | tokio-rs/tokio#5756 | `tokio::tasks_of_one_thread_enter_different_runtimes` |

mod blocking;
mod channels;
mod joining;
mod tokio;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Counts how often it was woken.
#[derive(Default)]
struct Bells(AtomicUsize);

impl Bells {
    fn new() -> (Arc<Bells>, Waker) {
        let bells = Arc::new(Bells::default());
        (bells.clone(), Waker::from(bells))
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Bells {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn poll<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

/// For a future that is expected to wait.
#[track_caller]
fn pending<F: Future + Unpin>(future: &mut F, waker: &Waker) {
    assert!(poll(future, waker).is_pending(), "it is ready");
}

/// For a future that is expected not to wait.
#[track_caller]
fn ready<F: Future + Unpin>(future: &mut F) -> F::Output {
    match poll(future, Waker::noop()) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it is not ready"),
    }
}
