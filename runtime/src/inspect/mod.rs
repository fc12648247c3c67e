//! See what the tasks do.
//!
//! One [`Snapshot`] serves all observers: dumps, leak reports, and whatever
//! comes. [`dump`](fn@dump) gives all tasks with their frames as text, and so does a
//! process that gets SIGQUIT (`GOPARK_DEBUG=sigquit=0` turns that off). Taking one stops nothing. Each task is read between two equal
//! readings of its state, so what is said of one task was true at one moment;
//! two tasks may have been read at different moments. A [`Census`] is the light
//! form that a leak check takes twice: if nothing differs, then every task was
//! in the same state during the whole time between the two.
//!
//! # The scheduler's state
//! With `GOPARK_DEBUG=schedtrace=1000` a program says every 1000 milliseconds on stderr
//! what its scheduler does, in Go's words (`GODEBUG=schedtrace`), from its start on and
//! also while it is idle:
//!
//! ```text
//! SCHED 1003ms: gomaxprocs=2 idleprocs=0 threads=5 spinningthreads=0 needspinning=0 idlethreads=1 runqueue=4 [ 5 0 ] schedticks=[ 17 9 ]
//! ```
//!
//! | word | what it counts |
//! |---|---|
//! | `gomaxprocs` | [`maxprocs`](crate::maxprocs) |
//! | `idleprocs` | processors that nobody holds and that are lent to no [blocking call](crate::blocking) |
//! | `threads` | the runtime's own: workers, helpers of [`offload`](crate::offload), and two that run no tasks |
//! | `spinningthreads` | workers that look for something to do |
//! | `needspinning` | 1: tasks wait for a worker, as each is busy with its own |
//! | `idlethreads` | workers that have nothing to do and may run anything |
//! | `runqueue` | ready tasks at no processor: in the global queue; suspended or back from a call; bound to a thread that has no processor |
//! | `[ 5 0 ]` | ready tasks at each processor: in its queue, and those that are [bound](crate#bound-tasks) to the thread that holds it |
//! | `schedticks` | decisions of each processor what to run next |
//!
//! A ready task is counted once. One that is bound is where its thread is, so a long queue
//! beside an idle processor is not a fault of the scheduler: only that thread may run them.
//! Processors that are too many after [`set_maxprocs`](crate::set_maxprocs) are shown while
//! somebody still holds them.
//!
//! `scheddetail=1` adds a line for each processor (P), worker (M), and task or adopted
//! thread (G). Status numbers are Go's, as in [`Status`]. A processor that is lent has
//! `status=1` and `m=nil`; `syscalltick` counts those calls. `m` of a task is the worker
//! that it runs on or blocks; `lockedm` the one that it has
//! [locked](crate::lock_os_thread), or that was [made for
//! it](crate::Builder::own_thread), and `nmidlelocked` counts those that wait. To what
//! thread a bound task belongs is in [`TaskInfo::worker`]. What has no counterpart here
//! is 0, false or empty, always: `gcwaiting`, `stopwait`, `mallocing`, `throwing`,
//! `preemptoff`, `locks`, `dying`.
//!
//! The numbers of a line belong together, but for those of bound tasks and the lines of
//! tasks, which are read a moment later. Looking at all tasks takes a million of them some
//! tens of milliseconds, of one CPU. Nobody stops for it. Lines are not torn if whoever
//! else writes to stderr writes whole ones. The example `schedtrace` shows a healthy, a
//! starved and a blocked program. [`Metrics`] has the same and more as numbers.
//!
//! # How many tasks are normal
//! A task costs some kilobytes, so tens of thousands are no burden; but a program that
//! was not made for many and has many leaks them, as a rule.
//! `GOPARK_DEBUG=warntasks=N` says so on stderr, once when more than N tasks live and at
//! each doubling, with the largest [groups](groups()) by what they do and where. It looks
//! twice a second, so a crowd that comes and goes sooner may not be seen.
//!
//! | tasks | where that is normal | N |
//! |---|---|---|
//! | up to 100 | a command-line tool | 100 |
//! | up to 1 000 | a server | 1000 |
//! | up to 10 000 | a server under high load: keep an eye on it | 10000 |
//! | up to 100 000 | special cases: limit them, with a [`Semaphore`](crate::sync::Semaphore), say | 100000 |
//! | more | hardly anywhere: think of fewer | |
//!
//! ```
//! use gopark::inspect::Snapshot;
//!
//! let (tx, rx) = gopark::chan::rendezvous::<()>();
//! let task = gopark::Builder::new().name("waits").go(move || rx.recv()).unwrap();
//! // The task runs some time; look until it is parked.
//! let info = loop {
//!     let all = Snapshot::all();
//!     let info = all.tasks.into_iter().find(|t| t.id == task.id() && t.wait.is_some());
//!     if let Some(info) = info {
//!         break info;
//!     }
//!     std::thread::yield_now();
//! };
//! assert_eq!(info.wait.unwrap().reason.as_str(), "chan receive");
//! drop(tx);
//! assert!(task.join().unwrap().is_err());
//! ```

#[cfg(feature = "debug")]
pub(crate) use census::count_threads as threads;

pub(crate) mod callers;
pub(crate) mod census;
pub(crate) mod contention;
mod cpu;
mod dump;
mod frames;
mod groups;
mod hide;
mod json;
mod lineage;
mod metrics;
mod profile;
#[cfg(feature = "debug")]
mod proto;
pub(crate) mod schedtrace;
mod shapes;
mod snapshot;
pub mod source;
mod symbols;
mod unwind;
mod waits;

pub use crate::sync::{Holder, LockInfo};
pub use crate::task::caller::{Caller, is_reaping};
pub use crate::task::reason::WaitReason;
pub use crate::task::scope::ScopeId;
pub use crate::task::state::Status;
pub use census::{
    Census, LockWait, Member, foreign_threads, foreign_threads_of, mark_harness_thread,
};
pub use contention::{
    Contended, Contention, block_profile, mutex_profile, mutex_profile_fraction,
    set_block_profile_rate, set_mutex_profile_fraction,
};
pub use cpu::{CpuProfile, CpuSample, cpu_profile};
pub use dump::{GoDump, dump, write_go_dump};
pub use frames::{Frame, Trace, add_frames};
#[cfg(feature = "debug")]
pub(crate) use groups::groups_blocked;
pub use groups::{Group, groups};
#[cfg(feature = "debug")]
pub(crate) use json::{List, Object, Place, write_task, write_tasks};
pub use lineage::{Ancestor, keep_ancestors, keep_creation_stacks};
pub use metrics::Metrics;
pub use profile::{TaskProfile, TaskSample, task_profile};
#[cfg(feature = "debug")]
pub(crate) use proto::Profile;
pub use snapshot::{Kind, Snapshot, StackInfo, TaskInfo, Wait, current_task};
pub use waits::{ChannelEnd, Half, Handles, WaitsFor, explain};
