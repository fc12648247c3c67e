//! Models of the lock-free parts, for loom, which runs each of them through
//! every order of its atomic accesses and every value that a load may return.
//!
//! ```sh
//! RUSTFLAGS="--cfg loom" cargo test -p gopark --lib --release
//! ```
//!
//! | file | protocol | the real code in it | rebuilt here, step by step |
//! |---|---|---|---|
//! | `queue` | owner and thieves of a ring, overflow; who runs next | `ring`, `next` | `Processor::{overflow, steal_from, put_next}` |
//! | `posting` | wakers of bound tasks against the owner of the inbox | `links` | |
//! | `parking` | park and suspension against claim, hold, condemn; what a parked task waits for | `state` | `settle`, `settle_held`, `park_thread`, `look::held`, `Pad::look` |
//! | `selecting` | two partners and a timer against one select | `state` | `chan::select`, `Queue::try_first` |
//! | `workers` | who sleeps and who searches; inboxes; hand-over; suspension; spares; fewer processors | `idle`, `barrier` | `find.rs`, `handover.rs`, `enqueue.rs`, `signal.rs`, `spare.rs`, `processors.rs` |
//! | `calling` | a lent processor: take back, retake, wait; sysmon's sleep | `call`, `barrier` | `blocking.rs` |
//! | `joining` | the end of a task against its handle | `join`, `state` | `bury`, `JoinHandle` |
//! | `sleeping` | release of a lock, hand-over of a processor, against sleep | `barrier` | `RawLock`, `Worker::{assign, await_processor}` |
//! | `condvar` | a wait against its signal | | `Condvar` |
//! | `mutex` | lock, unlock, hand-over of a mutex | `mutex_word` | `RawMutex` |
//! | `rwlock` | readers and writers, either giving up | `rw_word` | `RawRwLock` |
//! | `semaphore` | permits and those who wait for them | `sem_word` | `Semaphore` |
//! | `wait_group` | the counter, those who wait for it, and the next round | `wg_word` | `WaitGroup` |
//! | `ringing` | a future that is polled again or dropped, against its partner | | `Bell`, `chan/future.rs` |
//! | `seating` | who sits in the poller | `barrier` | `netpoll/seat.rs` |
//! | `timing` | who sleeps until the earliest timer; stop and reset; room in a heap | `cover`, `barrier` | `watch.rs`, `Node`, `Timers::promise` |
//! | `asking` | one asks where others stand, who stand still meanwhile; either gives up | `question` | `look.rs` |
//! | `errands` | what is asked of a thread that sleeps | `asked` | `errands.rs` |
//! | `turns` | what one at a time may touch: tables of the CPU profile, batches of timers | `turn` | `inspect/cpu.rs` |
//! | `growing` | a list that is added to and read: seats of a channel, slabs of records | `pile` | `Seats::add` |
//! | `owning` | who has a lock, and where he took it, while it changes hands | `owner_word` | |
//! | `counting` | births and deaths, counted by several processors | `shards` | `ScopeInner::live` |
//! | `noticing` | who watches a scope against who parks; who is born against the reaper | `notice`, `state`, `barrier` | `ScopeInner::notify`, `Scope::reap`, `launch::release` |
//! | `reusing` | a scope that nothing is in any more | | `ScopeInner::is_vacant` |
//! | `taping` | who writes to a tape against who empties it, and ends it | `tape`, `barrier` | `tapes.rs`, `Session::cut` |
//! | `sharing` | who frees a channel | | `chan/shared.rs` |
//! | `labelling` | the text of a span, read while its task goes on | | `task/spans.rs` |
//! | `observing` | fields read between two equal stamps | `state` | `Record::{fill, describe_wait, observe}` |
//!
//! Next to each model that holds stand variants with one mistake in them, which
//! loom must find: they show that the model looks at what it claims to check.
//!
//! # What needs none
//! | what is more than Relaxed, or is not under a lock | why there is no model |
//! |---|---|
//! | `Processors::{made, entries}`, `Processor::holder`, `Worker::current`, `Record::worker`, `stack/arena.rs`, the tables of `inspect/cpu.rs`, `Once`, handlers in `sys/signal.rs` and `tick.rs` | published when it is whole, and neither freed nor changed as long as it can be seen: a Release and an Acquire |
//! | free lists of records and stacks, timers in a heap, queues of waiters, orders of `offload.rs`, the waker of `block_on`, events of a socket (`netpoll/slot.rs`) | the holder of a processor, or who has a lock, which also orders memory |
//! | `sched/counts.rs`, `metrics`, `Readers`, `Affinity`, marks and seats of channels | numbers for observers, who say what they are worth; nothing is read because of them |
//! | `sched/signal.rs`, `preempt.rs`, `stack/segment.rs`, `sys/section.rs`, `last_words.rs` | a thread and its own signal handler: the compiler's order |
//! | the copy of a ready task's stack (`inspect/frames.rs`) | memory that is copied by the kernel, behind its barrier; loom knows neither |
//!
//! # What the models do not show
//! - loom takes a sequentially consistent access for an acquiring and releasing
//!   one. So no protocol here may rely on more than that, other than through
//!   [`barrier`](crate::sys::barrier), whose two sides are full fences to loom. The one
//!   that does is a worker's inbox against its status (`kick` of `sched/enqueue.rs`): all
//!   four accesses are SeqCst, and `workers` has a barrier between those of the waker.
//! - To loom a store may come between a read-modify-write and what that has read, which it
//!   cannot. `turn` takes by a compare-exchange for that, which does not write when it
//!   fails, and `asking` makes a detour.
//! - A full fence of loom also publishes, which the real one does only together
//!   with an atomic access. Memory that is not atomic is therefore checked in
//!   `queue`, `parking`, `selecting` and `joining`, which have no such fence.
//! - Of the threads that have read an atomic loom remembers the last. Where one reads it and
//!   then writes it, the models help loom with a [`Step`].
//! - Large models are explored up to a number of preemptions, which stands with
//!   each of them. It is one that finds the broken variants of the model (two to
//!   four) and lets all of them together end within a minute or two.

use loom::cell::Cell;
use loom::model::Builder;
use loom::sync::{Condvar, Mutex};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

mod asking;
mod calling;
mod condvar;
mod counting;
mod errands;
mod growing;
mod joining;
mod labelling;
mod mutex;
mod noticing;
mod observing;
mod owning;
mod parking;
mod posting;
mod queue;
mod reusing;
mod ringing;
mod rwlock;
mod seating;
mod selecting;
mod semaphore;
mod sharing;
mod sleeping;
mod taping;
mod timing;
mod turns;
mod wait_group;
mod waiters;
mod workers;

/// Explores a model, with at most so many preemptions if a bound is given.
fn explore(preemptions: Option<usize>, model: impl Fn() + Send + Sync + 'static) {
    let runs = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&runs);
    let mut builder = Builder::new();
    builder.preemption_bound = preemptions;
    builder.max_branches = 10_000;
    builder.check(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        model();
    });
    let runs = runs.load(Ordering::Relaxed);
    println!("{runs} interleavings");
    assert!(runs > 1, "a model with one interleaving checks nothing");
}

/// Memory that is not atomic: loom fails a model in which two accesses race.
struct Plain<T>(Cell<T>);

// SAFETY: loom runs one thread at a time and checks each access before it is made.
#[expect(unsafe_code, reason = "a cell shared between the threads of a model")]
unsafe impl<T: Send> Sync for Plain<T> {}

impl<T: Copy> Plain<T> {
    fn new(value: T) -> Plain<T> {
        Plain(Cell::new(value))
    }

    fn get(&self) -> T {
        self.0.get()
    }

    fn set(&self, value: T) {
        self.0.set(value);
    }

    fn replace(&self, value: T) -> T {
        self.0.replace(value)
    }
}

/// What everybody steps onto who does something that others may do before or after.
///
/// Of each atomic, loom remembers who was the last to read it, and nobody before. So when a
/// thread reads it and then writes it, loom does not try what happens if a thread that has
/// read it before does so later. A step is in no order with what comes before and after it,
/// and is a read-modify-write, of which loom forgets none.
struct Step(loom::sync::atomic::AtomicU32);

impl Step {
    fn new() -> Step {
        Step(loom::sync::atomic::AtomicU32::new(0))
    }

    fn take(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// The kernel's side of a futex. Nobody wakes without a cause, and a sleeper
/// that is not woken is a deadlock to loom.
struct Futex {
    bucket: Mutex<()>,
    sleepers: Condvar,
}

impl Futex {
    fn new() -> Futex {
        Futex { bucket: Mutex::new(()), sleepers: Condvar::new() }
    }

    /// Sleeps if the word still has the expected value.
    fn wait(&self, still: impl FnOnce() -> bool) {
        let bucket = self.bucket.lock().unwrap();
        if still() {
            drop(self.sleepers.wait(bucket).unwrap());
        }
    }

    fn wake(&self) {
        let _bucket = self.bucket.lock().unwrap();
        self.sleepers.notify_one();
    }

    fn wake_all(&self) {
        let _bucket = self.bucket.lock().unwrap();
        self.sleepers.notify_all();
    }
}
