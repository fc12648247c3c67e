//! Go's goroutine runtime for Rust.
//!
//! Tasks with stacks of their own, cheap enough to have a hundred thousand of
//! them, on a work-stealing scheduler; channels and locks that park a task
//! instead of a thread; and a view of what every task is doing, which is what
//! the leak verifier `leakcheck` is built on.
//!
//! ```
//! use gopark::{chan, go};
//!
//! let (jobs, inbox) = chan::bounded::<u64>(16);
//! let (answers, results) = chan::rendezvous();
//! for _ in 0..4 {
//!     let (inbox, answers) = (inbox.clone(), answers.clone());
//!     go(move || {
//!         for job in inbox {
//!             answers.send(job * job).unwrap();
//!         }
//!     });
//! }
//! drop(answers);
//! let feeder = go(move || (1..=10).for_each(|n| jobs.send(n).unwrap()));
//! assert_eq!(results.iter().sum::<u64>(), 385);
//! feeder.join().unwrap();
//! ```
//!
//! # What is there
//!
//! In full, with examples and with what differs: [`guide::coming_from_go`].
//!
//! | Go | here |
//! |---|---|
//! | `go f()` | [`go`], [`Builder`] for names, labels, daemons, a thread of its own |
//! | `func main` | [`run`]; without it the runtime starts itself at first use |
//! | `make(chan T, n)`, `close`, `range` | [`chan`] |
//! | `select`, `reflect.Select` | [`select!`](macro@select), [`chan::select`](fn@chan::select) |
//! | `context` | [`context`] |
//! | `sync`, `errgroup`, `semaphore` | [`sync`]: locks, conditions, groups, once, pools |
//! | `time.Sleep`, `time.After`, `time.Timer`, `time.Ticker`, `time.AfterFunc` | [`sleep`], [`time`] |
//! | `net.Conn`, `net.Listener` | [`net`] |
//! | `runtime.Gosched`, `Goexit`, `NumGoroutine`, `GOMAXPROCS` | [`yield_now`], [`goexit`], [`num_tasks`], [`maxprocs`], [`set_maxprocs`] |
//! | preemption of long loops | [by a signal](#preemption), too; [`safepoint`], [`#[cooperative]`](macro@cooperative) |
//! | `runtime.LockOSThread` | [`lock_os_thread`]; [`Builder::own_thread`] for a thread without siblings |
//! | `entersyscall` | [`blocking`], and [`offload`] for what blocks long; a call that says nothing is found |
//! | `runtime.Stack`, `runtime/pprof` | [`inspect`] |
//! | `net/http/pprof` | `debug::serve`, with the feature `debug` |
//! | `runtime/trace` | [`trace`] |
//! | – | [`future`]: [`block_on`], [`spawn_future`], channels and handles in async code |
//! | – | [`JoinHandle`]: the result, or the panic, of a task |
//! | – | [`scope`](scope()): tasks that borrow from the one that starts them |
//! | – | [`Scope`]: whose task is this |
//!
//! Everything that blocks works from tasks and from ordinary threads: a thread
//! that uses a channel is *adopted*, gets a number and shows in dumps.
//!
//! # Bound tasks
//!
//! A task that has not started may run on any worker thread. From its first
//! instruction on it is **bound** to the worker that started it and resumes only
//! there, so that [`go`] is safe with `F: Send`: thread-locals, `Rc`s and guards
//! that a suspended task holds stay on their thread. What that means:
//!
//! - Tasks on one worker share its thread-locals and interleave at every call
//!   that parks, and at those [below](#giving-way) that need not. A library that
//!   keeps a pointer into a stack in a thread-local for the length of a closure
//!   (`scoped-tls` does) breaks when two tasks park inside it out of order, as with
//!   every stackful coroutine. Against that, [`no_park`] turns a park inside into a
//!   panic, and [`Builder::own_thread`] gives a task a worker to itself.
//! - A coroutine of another library, one that switches stacks by itself, must not be
//!   left in the middle of a closure that [`stack::grow`], [`no_park`] or
//!   [`time::timeout`] runs, and be continued by another task or never: they keep on that
//!   stack what the task refers to until the closure returns.
//! - The initialiser of a `thread_local!` must not park, for the same reason: a
//!   sibling would initialise the same variable meanwhile, and the first one
//!   then replaces, under the sibling's borrow, what it holds. This is undefined
//!   behaviour that no crate can see; wrap such an initialiser in [`no_park`].
//! - A panic hook must not park, nor what formats a panic's message: std knows of one
//!   panic of a thread at that point, and aborts when a sibling's comes in between.
//! - A started task waits while its worker runs another task that computes
//!   without a call of this crate, also while [that is suspended](#preemption), or
//!   sits in a blocking system call. Put
//!   [`cooperative`](macro@cooperative) on functions that compute for long, or a
//!   [`safepoint`] into their loops, and [`offload`] calls that block for long. A
//!   task that holds others up for more than a second is reported on stderr, once
//!   ([`Config::watchdog`](runtime::Config::watchdog)).
//! - A message between tasks of two workers crosses threads.
//! - A `std::sync::Mutex` held across a park stops the worker when a sibling
//!   locks it. Use [`sync::Mutex`] where a task parks under the lock.
//!
//! # Giving way
//!
//! A task that has had its slice, ten milliseconds unless
//! [set otherwise](runtime::Config::slice), goes behind those that wait, at its next call that sends, receives, locks, counts, starts a task, or asks a
//! channel or handle for its state, whether or not that call has to wait; at
//! [`safepoint`], which does nothing else; and, if it computes, in the loops of a
//! function that is [`cooperative`](macro@cooperative). If nobody waits it goes
//! on. It never gives way inside [`no_park`], while it unwinds, in a destructor of
//! this crate (dropping a guard or a handle), in `Debug`, or in the `try_lock` of a
//! lock.
//!
//! [`yield_now`] gives way at once.
//!
//! # Preemption
//!
//! A task that computes on without any such call is **suspended**: a timer sends its
//! thread a signal, `SIGURG`, once in a slice, and if somebody waits who could run,
//! the handler passes the processor to another worker thread and sleeps. So a loop
//! without calls, of a task or of a library, keeps no processor from others. The
//! suspended task is in state `preempted`, waits in the same queue as all others,
//! and goes on where it was, on its thread, with all registers and `errno`.
//!
//! - Code may be suspended between any two instructions, inside of `malloc` or with a
//!   lock of `std` held, as the kernel may do to any thread. Who needs that lock waits
//!   in the kernel and loses its own processor for that time. Nothing else runs on
//!   the suspended thread, so no thread-local changes under its hands.
//! - It is never suspended while nobody waits, inside [`blocking`], where it has no
//!   processor, and in parts of this crate that others would wait for. It may be inside
//!   [`no_park`], which forbids parks: its siblings do not run meanwhile.
//! - The tasks that are [bound](#bound-tasks) to its worker wait until it goes on and
//!   comes to a call that gives way. Against that a [`safepoint`] helps, or
//!   [`Builder::own_thread`]; in migrating mode they go on elsewhere.
//! - In a system call that blocks, a task loses its processor within some
//!   milliseconds, although it says nothing, and gets one back at its next call of
//!   this crate, or when it has computed for a slice. A call that lasts is interrupted
//!   once: most are restarted by the kernel, `poll`, `select`, `epoll_wait` and
//!   `nanosleep` fail with `EINTR` then, as under Go; `std` hides that.
//! - Other threads of the program get the signal only when somebody wants to see where
//!   they are, and only if they are adopted ([`inspect::add_frames`]). A `SIGURG` of the
//!   program's own goes to the handler that it had before the first task. A program
//!   that installs its handler later, or blocks the signal on a task's thread, has
//!   cooperative tasks only.
//!
//! | setting | from the program | from the environment | default |
//! |---|---|---|---|
//! | slice | [`Config::slice`](runtime::Config::slice) | `GOPARK_SLICE=1ms` to `1s` | `10ms`, as in Go |
//! | suspend nobody | – | `GOPARK_DEBUG=asyncpreemptoff=1` | suspend |
//!
//! A shorter slice makes others wait less, and interrupts those who compute more
//! often, which costs some microseconds each time. Go: asynchronous preemption.
//!
//! ```
//! use std::sync::atomic::{AtomicBool, Ordering};
//! use std::sync::Arc;
//!
//! gopark::runtime::Config::new().maxprocs(1).start()?;
//! let over = Arc::new(AtomicBool::new(false));
//! let end = over.clone();
//! let busy = gopark::go(move || while !end.load(Ordering::Relaxed) {});
//! // There is one processor, and it is not busy for ever.
//! gopark::go(move || over.store(true, Ordering::Relaxed)).join().unwrap();
//! busy.join().unwrap();
//! # Ok::<(), gopark::runtime::StartError>(())
//! ```
//!
//! # Migrating
//!
//! Go moves goroutines between threads freely. [`runtime::Config::migrating`]
//! does that too, for one `unsafe` promise about the whole program.
//!
//! # Blocking calls
//!
//! A task that blocks in the kernel or in a C library (files, child processes,
//! `std::thread::sleep`, name lookups) keeps its thread and, unless it says so,
//! its processor until [that is noticed](#preemption), some milliseconds later. Two
//! functions say so:
//!
//! | | [`blocking`]`(f)` | [`offload`]`(f)` |
//! |---|---|---|
//! | `f` runs | here, on the task's own stack and thread | on a helper thread of the runtime |
//! | the task is | in state `syscall`, without a processor | parked, with the reason `offload` |
//! | other tasks | go on, except the started ones that are bound to the same worker | go on, all of them |
//! | `f` must be | anything | `Send` |
//! | a short call costs | some ten nanoseconds | two switches of threads |
//! | use it for | calls that are mostly short; what must stay on its thread | calls that block long while siblings must go on |
//!
//! Inside `f` everything may be called that may be called outside, also what parks.
//!
//! # Threads
//!
//! | | by default | [migrating](#migrating) |
//! |---|---|---|
//! | a started task | stays on its thread, which other tasks use too | goes from thread to thread |
//! | with [`Builder::own_thread`] | has a thread to itself from the start, which ends with it | the same |
//! | while it holds a [`lock_os_thread`] | no task that has not started comes to its thread; siblings go on | stays on its thread and is alone there |
//! | that ends with such a lock [forgotten](std::mem::forget) | takes its thread with it, after the last sibling | takes its thread with it |
//! | inside [`no_park`] | nobody else runs on its thread meanwhile; a park panics | the same |
//!
//! A worker thread that is idle for five seconds ends, if no bound task lives on it;
//! one idle worker stays. There are at most
//! [`Config::max_threads`](runtime::Config::max_threads) of them.
//!
//! # Stacks
//!
//! A stack is a reservation of address space that the kernel backs page by page
//! as the task goes deeper: 512 KiB (1 MiB with debug assertions) that cost one
//! page, 4 KiB, until more is used. It never moves, so growing copies nothing,
//! and a task that has been parked for a while gives back what it does not need.
//!
//! - The limit of one task is [`Builder::stack_limit`], that of all others
//!   [`Config::stack_limit`](runtime::Config::stack_limit) or the environment
//!   variable `GOPARK_STACK`, from 64 KiB to 1 GiB.
//! - Where recursion can be deeper than any limit, [`stack::grow`] runs a function
//!   on a larger stack, and [`stack::ensure`] does so when little is left.
//! - Running off a stack hits its guard: the message names the task, says how to
//!   raise the limit, shows the task's frames, and the process aborts.
//! - A system that refuses the address space for one more task makes
//!   [`Builder::go`] return an error and [`go`] panic with it.
//! - [`stack::usage`] counts it all.
//!
//! # Environment
//!
//! | variable | meaning |
//! |---|---|
//! | `GOPARK_MAXPROCS` | how many tasks run at the same time, from 1 to 1024; default: the CPUs that this process may use |
//! | `GOPARK_STACK` | how many bytes of stack a task can use, such as `1M` or `512KiB`, at most `1G`; overrides [`stack_limit`](runtime::Config::stack_limit) and raises what a task asks for itself if that is less |
//! | `GOPARK_SLICE` | how long a task may keep a processor that others want, from `1ms` to `1s`; default `10ms` |
//! | `GOPARK_TRACE` | a file for an [execution trace](trace::start()) of the whole run; `%p` in its name becomes the number of the process |
//! | `GOPARK_DEBUG` | settings for finding faults, `name=value,name=value`; `help` prints them at the start |
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `debug` | `debug::serve`: pages over HTTP, Go's `/debug/pprof/` among them; profiles as files for `go tool pprof` |
//! | `tracing` | `tracing::TaskLabels`: spans of the crate `tracing` as labels of tasks |
//!
//! None is on by default.
//!
//! # Platforms
//!
//! Linux on x86-64 and AArch64. Elsewhere [`SUPPORTED`] is `false` and the crate
//! is otherwise empty, so that a dependency on it breaks no build.
#![deny(unsafe_code)]

// In the order of their dependence: a room uses only what stands before it.
// Five pairs are the exceptions that a runtime cannot avoid: `task` makes
// tasks runnable in `sched`, `sched` arms timers in `time` and looks for events in
// `netpoll`, a timer's channel in `chan` tells it that the last receiver is gone,
// the fault handler
// of `stack` names the running task, and its public functions ask the scheduler
// what there is.
#[cfg(runtime)]
#[expect(unsafe_code, reason = "the switch, the thread's words")]
pub(crate) mod arch;

#[cfg(any(runtime, loom))]
#[cfg_attr(runtime, expect(unsafe_code, reason = "the door to the operating system"))]
pub(crate) mod sys;

#[cfg(runtime)]
#[expect(unsafe_code, reason = "memory for stacks")]
pub mod stack;

#[cfg(any(runtime, loom))]
#[path = "sched/asked.rs"]
pub(crate) mod asked;
#[cfg(any(runtime, loom))]
#[path = "sched/call.rs"]
pub(crate) mod call;
#[cfg(any(runtime, loom))]
#[path = "time/cover.rs"]
pub(crate) mod cover;
#[cfg(any(runtime, loom))]
#[path = "sched/idle.rs"]
pub(crate) mod idle;
#[cfg(any(runtime, loom))]
#[path = "task/join.rs"]
pub(crate) mod join;
#[cfg(any(runtime, loom))]
#[path = "sched/links.rs"]
#[expect(unsafe_code, reason = "lists of what is linked through itself")]
pub(crate) mod links;
#[cfg(all(loom, test))]
mod models;
#[cfg(any(runtime, loom))]
#[path = "sync/mutex_word.rs"]
pub(crate) mod mutex_word;
#[cfg(any(runtime, loom))]
#[path = "sched/next.rs"]
pub(crate) mod next;
#[cfg(any(runtime, loom))]
#[path = "task/scope/notice.rs"]
pub(crate) mod notice;
#[cfg(any(runtime, loom))]
#[path = "sync/owner_word.rs"]
pub(crate) mod owner_word;
#[cfg(any(runtime, loom))]
#[path = "task/pile.rs"]
#[expect(unsafe_code, reason = "a list of boxes")]
pub(crate) mod pile;
#[cfg(any(runtime, loom))]
#[path = "sched/question.rs"]
pub(crate) mod question;
#[cfg(any(runtime, loom))]
#[path = "sched/ring.rs"]
pub(crate) mod ring;
#[cfg(any(runtime, loom))]
#[path = "sync/rw_word.rs"]
pub(crate) mod rw_word;
#[cfg(any(runtime, loom))]
#[path = "sync/sem_word.rs"]
pub(crate) mod sem_word;
#[cfg(any(runtime, loom))]
#[path = "task/scope/shards.rs"]
pub(crate) mod shards;
#[cfg(any(runtime, loom))]
#[path = "task/state.rs"]
pub(crate) mod state;
#[cfg(any(runtime, loom))]
#[path = "sched/tape.rs"]
pub(crate) mod tape;
#[cfg(any(runtime, loom))]
#[path = "sync/wg_word.rs"]
pub(crate) mod wg_word;

#[cfg(runtime)]
pub mod chan;
#[cfg(runtime)]
pub mod context;
#[cfg(runtime)]
pub mod future;
#[cfg(runtime)]
#[expect(unsafe_code, reason = "reads of workers, which are never freed")]
pub mod inspect;
#[cfg(runtime)]
pub mod net;
#[cfg(runtime)]
#[expect(unsafe_code, reason = "slots that the kernel names by their address")]
pub(crate) mod netpoll;
#[cfg(runtime)]
#[expect(unsafe_code, reason = "queues of records, the switch to and from tasks")]
pub(crate) mod sched;
#[cfg(runtime)]
pub mod sync;
#[cfg(runtime)]
#[expect(unsafe_code, reason = "records and packets that outlive borrows")]
pub(crate) mod task;
#[cfg(runtime)]
#[expect(unsafe_code, reason = "heaps and nodes behind their locks")]
pub mod time;
#[cfg(runtime)]
pub mod trace;

// Uses all of the above.
#[cfg(all(runtime, feature = "debug"))]
pub mod debug;
#[cfg(all(runtime, feature = "tracing"))]
pub mod tracing;

pub mod guide;
mod names;

/// Parsers, for whoever tries to break them; no part of the public API.
#[cfg(all(runtime, feature = "debug", any(test, fuzzing)))]
#[doc(hidden)]
pub mod fuzz;

/// What `leakcheck` tells of threads, and asks; no part of the public API.
#[cfg(runtime)]
#[doc(hidden)]
pub mod threads {
    pub use crate::inspect::callers::callers;
    pub use crate::inspect::census::strangers;
    pub use crate::task::threads::{Birth, Origin, Thread, count, known, may_return_to, of};
}

/// Settings of the runtime, to be made before its first use.
#[cfg(runtime)]
pub mod runtime {
    pub use crate::sched::config::{Config, StartError, is_migrating};
}

/// # Example
///
/// ```
/// #[gopark::cooperative]
/// fn primes(below: usize) -> usize {
///     let mut composite = vec![false; below];
///     let mut count = 0;
///     for n in 2..below {
///         if composite[n] {
///             continue;
///         }
///         count += 1;
///         for multiple in (n * n..below).step_by(n) {
///             composite[multiple] = true;
///         }
///     }
///     count
/// }
///
/// assert_eq!(gopark::go(|| primes(1000)).join().unwrap(), 168);
/// ```
#[cfg(runtime)]
pub use gopark_macros::cooperative;

/// # Example
///
/// ```
/// use gopark::{chan, select};
/// use std::time::Duration;
///
/// let (numbers, more) = chan::rendezvous();
/// let (stop, stopped) = chan::rendezvous::<()>();
/// let adder = gopark::go(move || {
///     let mut sum = 0;
///     loop {
///         select! {
///             recv(more) -> n => sum += n.unwrap_or(0),
///             recv(stopped) => break sum,
///             after(Duration::from_secs(60)) => panic!("nobody has anything to say"),
///         }
///     }
/// });
/// numbers.send(2).unwrap();
/// numbers.send(3).unwrap();
/// stop.close();
/// assert_eq!(adder.join().unwrap(), 5);
/// ```
#[cfg(runtime)]
pub use gopark_macros::select;

#[cfg(runtime)]
pub use crate::{
    future::{block_on, spawn_future},
    sched::blocking::blocking,
    sched::lock_thread::{OsThreadLock, lock_os_thread},
    sched::offload::offload,
    sched::processors::{maxprocs, set_maxprocs},
    sync::scoped::{Nursery, ScopedJoinHandle, scope},
    sys::section::{in_section, may_allocate},
    task::entry::{goexit, safepoint, yield_now},
    task::handle::{JoinError, JoinHandle},
    task::no_park,
    task::reap::Reaped,
    task::record::TaskId,
    task::scope::everywhere::WatchAll,
    task::scope::{Entered, Scope, ScopeId, UnseenPanic, Watch},
    task::spawn::{Builder, go, num_tasks, run},
    time::sleep,
};

/// What only `leakcheck` needs, also where the runtime does not exist; no part of the public API.
#[doc(hidden)]
pub mod __names {
    #[cfg(runtime)]
    pub use crate::names::of_symbol;
    pub use crate::names::{bracket, is_name, outside, same_crate, spelled, without_closures};
}

/// What only `leakcheck` needs; no part of the public API.
#[cfg(runtime)]
#[doc(hidden)]
pub mod __private {
    pub use crate::sys::exit::Refused;

    /// See `sys/exit.rs`.
    pub fn at_exit(f: fn(i32) -> i32) -> Result<(), Refused> {
        crate::sys::exit::at_exit(f)
    }

    /// See `task/adopt.rs`.
    pub fn name_tests() {
        crate::task::adopt::name_tests();
    }

    /// See `task/lineage.rs`.
    pub fn keep_creation_stacks_if(wanted: fn() -> bool) {
        crate::task::lineage::keep_all_stacks_if(wanted);
    }

    /// The calling thread ends the process, and does nothing else any more.
    pub fn mark_ending_thread() {
        crate::task::adopt::mark_ending();
    }

    /// Whether the scope was opened for the thread of a test.
    pub fn is_of_test(scope: &crate::Scope) -> bool {
        scope.is_of_test()
    }

    /// Tasks ever born, in all scopes.
    pub fn born() -> u64 {
        crate::task::scope::everywhere::born()
    }

    /// A leak is being reported: what is to be said of what a flight recorder has written.
    pub fn record_leak() -> Option<String> {
        use crate::trace::recorder::{Failure, write};
        write(Failure::Leak)
    }

    /// Whether anything has ever used the runtime.
    pub fn is_started() -> bool {
        crate::sched::is_started()
    }
}

/// Whether the runtime exists on this target: Linux on x86-64 and AArch64, not
/// under Miri. Elsewhere this constant is all there is.
pub const SUPPORTED: bool = cfg!(runtime);
