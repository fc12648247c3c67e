//! tokio: tasks that are alive when the body of a test ends, and runtimes that are not
//! dropped. Needs the feature `tokio`.
//!
//! ```ignore
//! #[leakcheck::verify_none]
//! #[tokio::test]
//! async fn answers() {
//!     tokio::spawn(async { serve().await }); // nobody awaits or aborts it
//!     assert_eq!(ask().await, 42);
//! }
//! ```
//!
//! `#[verify_none]` stands above `#[tokio::test]`: below it, the runtime and every task
//! would be gone before the check looks.
//!
//! | what is left | what a report says of it |
//! |---|---|
//! | tasks that are alive when the body has ended, and still at the deadline | how many |
//! | with [`threads`](crate::Options::threads), a `Runtime` that was not dropped | its threads, and where it was built |
//! | with `threads`, a closure of `spawn_blocking` that a shutdown did not wait for | its thread, and what that does |
//!
//! # What tokio does not tell
//!
//! On stable tokio all that can be had of the tasks of a runtime is how many are alive
//! ([`num_alive_tasks`]). So a report cannot say which tasks they are, where they were
//! spawned, what they wait for, or whether anything will wake them: the check waits until
//! the deadline, and names their number. With `--cfg tokio_unstable` tokio has hooks that
//! know where a task was spawned, but only a runtime's `Builder` takes them, and that of
//! `#[tokio::test]` is not to be had.
//!
//! - Whether a thread is a worker or runs a blocking closure: tokio takes the same
//!   threads for both.
//! - Tasks of a `LocalSet` are not among those that are counted.
//! - A task that another test spawned in the same runtime (one in a `static`, say)
//!   counts too: a runtime does not know of scopes.
//! - Tasks of a runtime that the body has built and dropped itself are not looked at;
//!   dropping a runtime ends its tasks.
//! - Threads of a runtime that is shared by the whole program, one that stands in a
//!   `LazyLock`, do not count.
//!
//! Tasks of `gopark`, and [threads](crate::Options::threads), are checked as in other
//! tests; a thread of the runtime that `#[tokio::test]` makes belongs to the test.
//!
//! [`num_alive_tasks`]: https://docs.rs/tokio/latest/tokio/runtime/struct.RuntimeMetrics.html#method.num_alive_tasks

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use gopark::Scope;
use gopark::inspect::mark_harness_thread;
use tokio::runtime::Handle;

use crate::sys;

use super::{FIRST_PAUSE, Item, LAST_PAUSE, Seen, Source, State};

thread_local! {
    /// How long the check that this thread makes waits for tasks.
    static DEADLINE: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    /// Tasks that were alive at the end of a body that ran on this thread.
    static LEFT: Cell<usize> = const { Cell::new(0) };
}

/// A body that will run on this thread belongs to a check with this deadline.
pub(crate) fn begin(deadline: Duration) {
    DEADLINE.set(deadline);
    LEFT.set(0);
}

/// Runs an async test's body and waits for the tasks that it has left, inside of their
/// runtime. Whoever runs it polls it on the thread of the test.
pub async fn body<F: Future>(body: F) -> F::Output {
    let output = body.await;
    if let Ok(runtime) = Handle::try_current() {
        LEFT.set(remaining(&runtime, DEADLINE.get()).await);
    }
    output
}

/// Tasks that are alive at the deadline; 0 as soon as there are none.
async fn remaining(runtime: &Handle, deadline: Duration) -> usize {
    let start = Instant::now();
    let mut interval = FIRST_PAUSE;
    loop {
        let alive = runtime.metrics().num_alive_tasks();
        let left = deadline.saturating_sub(start.elapsed());
        if alive == 0 || left.is_zero() {
            return alive;
        }
        pause(interval.min(left)).await;
        interval = (interval * 2).min(LAST_PAUSE);
    }
}

/// Lets the tasks of the runtime run for a while. Not a timer of tokio's: the runtime
/// may have none, or one whose clock stands still.
async fn pause(time: Duration) {
    let shared = Arc::new(Shared { over: AtomicBool::new(false), waker: Mutex::new(None) });
    let theirs = Arc::clone(&shared);
    let make = || {
        thread::spawn(move || {
            mark_harness_thread();
            thread::sleep(time);
            // ORDERING: Release; pairs with the Acquire below. Before the waker is taken: who
            // comes later sees it.
            theirs.over.store(true, Ordering::Release);
            if let Some(waker) = theirs.waker().take() {
                waker.wake();
            }
        })
    };
    let waits = sys::untold(make);
    poll_fn(|cx| {
        *shared.waker() = Some(cx.waker().clone());
        // ORDERING: Acquire; pairs with the Release above.
        if shared.over.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    // It has said its last word, and cannot panic.
    let _ = waits.join();
}

/// Between [`pause`] and its thread.
struct Shared {
    over: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Shared {
    fn waker(&self) -> MutexGuard<'_, Option<Waker>> {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The tasks that [`body`] has seen. Opened by the thread that runs the body.
#[derive(Debug)]
pub(crate) struct Tasks;

impl Source for Tasks {
    fn open(&self, _: &Scope) -> Box<dyn Seen> {
        Box::new(Left)
    }
}

struct Left;

impl Seen for Left {
    fn any(&mut self) -> bool {
        LEFT.get() > 0
    }

    fn look(&mut self) -> Vec<Item> {
        let one = |n: usize| {
            Item::new("tokio task", n.to_string(), State::Stays)
                .does("alive when the body had ended")
                .why(
                    "still alive at the deadline: nobody awaited or aborted it; where it was \
                     spawned and what it waits for, tokio does not tell",
                )
        };
        (1..=LEFT.get()).map(one).collect()
    }

    fn end(&mut self) {
        LEFT.set(0);
    }
}
