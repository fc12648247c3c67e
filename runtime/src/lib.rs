#![doc = include_str!("../../README.md")]
#![deny(unsafe_code)]

// In the order of their dependence: a room uses only what stands before it.
// Three pairs are the exceptions that a runtime cannot avoid: `task` makes
// tasks runnable in `sched`, `sched` arms timers in `time`, and the fault
// handler of `stack` names the running task.
#[cfg(any(runtime, loom))]
#[cfg_attr(runtime, expect(unsafe_code, reason = "the door to the operating system"))]
pub(crate) mod sys;

#[cfg(runtime)]
#[expect(unsafe_code, reason = "the context switch")]
pub(crate) mod arch;
#[cfg(runtime)]
#[expect(unsafe_code, reason = "memory for stacks")]
pub(crate) mod stack;

#[cfg(any(runtime, loom))]
#[path = "sched/idle.rs"]
pub(crate) mod idle;
#[cfg(any(runtime, loom))]
#[path = "task/join.rs"]
pub(crate) mod join;
#[cfg(all(loom, test))]
mod models;
#[cfg(any(runtime, loom))]
#[path = "sched/ring.rs"]
pub(crate) mod ring;
#[cfg(any(runtime, loom))]
#[path = "task/state.rs"]
pub(crate) mod state;

#[cfg(runtime)]
pub mod chan;
#[cfg(runtime)]
#[expect(unsafe_code, reason = "reads of workers, which are never freed")]
pub mod inspect;
#[cfg(runtime)]
#[expect(unsafe_code, reason = "queues of records, the switch to and from tasks")]
pub(crate) mod sched;
#[cfg(runtime)]
pub mod sync;
#[cfg(runtime)]
#[expect(unsafe_code, reason = "records and packets that outlive borrows")]
pub(crate) mod task;
#[cfg(runtime)]
#[expect(unsafe_code, reason = "the timer map behind its lock")]
pub mod time;

/// Settings of the runtime, to be made before its first use.
#[cfg(runtime)]
pub mod runtime {
    pub use crate::sched::config::{Config, StartError, is_migrating};
}

#[cfg(runtime)]
pub use crate::{
    sched::maxprocs,
    task::entry::{goexit, yield_now},
    task::no_park,
    task::reap::Reaped,
    task::record::TaskId,
    task::scope::{Entered, Scope, ScopeId, UnseenPanic, Watch},
    task::spawn::{Builder, JoinError, JoinHandle, go, num_tasks, run},
    time::sleep,
};

/// Whether the runtime exists on this target: Linux on x86-64 and AArch64, not
/// under Miri. Elsewhere this constant is all there is.
pub const SUPPORTED: bool = cfg!(runtime);
