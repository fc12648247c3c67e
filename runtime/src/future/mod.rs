//! Futures beside tasks: async code in tasks, and tasks' things in async code.
//!
//! | here | what |
//! |---|---|
//! | [`block_on`] | runs a future to its end in the calling task, which is parked while it waits |
//! | [`spawn_future`] | a task that does so |
//! | `handle.await` | waits for a task: a [`JoinHandle`] is `IntoFuture` ([`JoinFuture`]) |
//! | `rx.recv_async().await`, `tx.send_async(v).await` | a channel's operations ([`Receiver::recv_async`](crate::chan::Receiver::recv_async)) |
//!
//! The first two are executors, so they run the code of any library that asks for
//! nothing more. The last two are futures for any executor, here or elsewhere. Go has
//! no such thing.
//!
//! # The waker
//!
//! It may be cloned, woken and dropped on any thread, in any order, during `poll` and
//! long after the task has ended: each call of [`block_on`] has one of its own, so
//! calls may be nested, and a waker that comes late wakes nobody else. That is not so
//! everywhere: executors that wait on a word of their thread's lose wake-ups to
//! whoever else waits on that thread.
//!
//! A waker of the user's is called in a short task of its own, never in the middle
//! of a send.
//!
//! # With tokio
//!
//! Tokio's own futures (timers, sockets, `spawn`) want a runtime to be entered
//! whenever they are made or polled. What is entered is entered for a thread, and
//! tasks share threads, so a guard must not live across a park. Enter for each poll:
//!
//! ```
//! use std::future::Future;
//! use std::pin::pin;
//!
//! /// Runs the future here, with timers and sockets of that runtime.
//! fn block_on_with<F: Future>(tokio: &tokio::runtime::Handle, future: F) -> F::Output {
//!     let mut future = pin!(future);
//!     gopark::block_on(std::future::poll_fn(|cx| {
//!         let _entered = tokio.enter();
//!         future.as_mut().poll(cx)
//!     }))
//! }
//!
//! let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
//! let tokio = runtime.handle().clone();
//! let task = gopark::go(move || {
//!     block_on_with(&tokio, async {
//!         tokio::time::sleep(std::time::Duration::from_millis(1)).await;
//!         tokio::spawn(async { 42 }).await.unwrap()
//!     })
//! });
//! assert_eq!(task.join().unwrap(), 42);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! In a task with [a thread to itself](crate::Builder::own_thread) a guard may be held
//! for as long as one likes.
//!
//! # Leak checks
//!
//! A task in [`block_on`] has the wait reason `block_on`. That is not durable while
//! anybody else holds a clone of the waker: a leak check reports it when its deadline
//! is over. If nobody held one when the task parked, nobody ever will, and the wait
//! is durable ([`WaitReason::BlockOnAlone`]). Clones that are dropped later, unwoken,
//! are not noticed.

mod join;

pub use join::JoinFuture;

use crate::inspect::WaitReason;
use crate::sched::park::{self, Park};
use crate::sync::waiters::{Parked, Place, Waiters};
use crate::task::handle::JoinHandle;
use crate::task::{self, entry, spawn};
use std::future::Future;
use std::panic::Location;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Runs a future to its end and returns what it gives.
///
/// While the future waits, the task is parked with the reason `block_on`; a thread that
/// is none of the runtime's is blocked. A future that wakes itself lets others run
/// first. May be called inside of another future's poll, which then takes as long as
/// this. If the task is reaped, the future is dropped by the unwind.
///
/// # Panics
/// A panic of the future passes through, and the future is dropped.
///
/// ```
/// let (tx, rx) = gopark::chan::rendezvous();
/// gopark::go(move || tx.send(20).unwrap());
/// let answer = gopark::block_on(async {
///     let more = gopark::go(|| 22);
///     rx.recv_async().await.unwrap() + more.await.unwrap()
/// });
/// assert_eq!(answer, 42);
/// ```
#[track_caller]
pub fn block_on<F: IntoFuture>(future: F) -> F::Output {
    run(future.into_future(), Location::caller())
}

/// Starts a task that runs a future to its end: [`go`](crate::go) with [`block_on`].
///
/// The future runs on the task's stack and may call what parks; it is bound to the
/// task's worker as any started task is. A dropped handle detaches the task.
///
/// # Panics
/// As [`go`](crate::go). A panic of the future comes out at the join.
///
/// ```
/// let (tx, rx) = gopark::chan::bounded(1);
/// let task = gopark::spawn_future(async move { rx.recv_async().await });
/// tx.send("hello").unwrap();
/// assert_eq!(task.join().unwrap(), Ok("hello"));
/// ```
#[track_caller]
pub fn spawn_future<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let site = Location::caller();
    spawn::go_as::<F, _, _>(move || run(future, site))
}

fn run<F: Future>(future: F, site: &'static Location<'static>) -> F::Output {
    let mut future = pin!(future);
    let alarm = Arc::new(Alarm { woken: AtomicBool::new(false), waiters: Waiters::new() });
    let waker = Waker::from(alarm.clone());
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        // Ours and the waker's. Clones come from clones only: if there is none now,
        // there will be none.
        let reason = match Arc::strong_count(&alarm) {
            ..=2 => WaitReason::BlockOnAlone,
            _ => WaitReason::BlockOn,
        };
        alarm.wait(reason, site);
    }
}

/// What a waker of [`block_on`] wakes.
///
/// No wake-up is lost: `woken` changes under the lock of the queue only. A call of
/// `wake` that comes before `wait` has looked leaves its mark; one that comes later
/// finds the task in the queue, where it was put before the lock was released.
/// The lock also orders memory: what was done before `wake` is seen by the next poll.
struct Alarm {
    /// Relaxed; see above.
    woken: AtomicBool,
    waiters: Waiters,
}

impl Alarm {
    /// Until it is woken, or was since the last time.
    fn wait(&self, reason: WaitReason, site: &'static Location<'static>) {
        let me = task::arrive();
        let mut how = Park::new(reason, site);
        let mut held = self.waiters.hold();
        while !self.woken.load(Ordering::Relaxed) {
            match held.park(me, Place::Back, how) {
                Parked::Woken | Parked::TimedOut(_) => {}
                Parked::Reaped(held) => {
                    drop(held);
                    // The future is dropped by the unwind.
                    park::on_reaped();
                    // The task panics already and cannot unwind again.
                    how = how.uninterruptible();
                }
            }
            held = self.waiters.hold();
            if self.woken.load(Ordering::Relaxed) {
                self.woken.store(false, Ordering::Relaxed);
                return;
            }
        }
        self.woken.store(false, Ordering::Relaxed);
        drop(held);
        // It was woken by its own poll, perhaps, to let others run.
        if me.record().no_park.get() == 0 {
            entry::yield_now();
        }
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut held = self.waiters.hold();
        self.woken.store(true, Ordering::Relaxed);
        let waiter = held.claim_first();
        drop(held);
        if let Some(waiter) = waiter {
            waiter.enqueue();
        }
    }
}
