//! The scheduler: processors, workers, queues.
//!
//! | file | what is decided there |
//! |---|---|
//! | `ring.rs`, `next.rs` | how a processor's queue is shared with thieves |
//! | `queue.rs`, `links.rs` | lists of records; inboxes of workers |
//! | `idle.rs` | who searches and who sleeps, and why no wake-up is lost |
//! | `processor.rs` | what a processor owns |
//! | `processors.rs` | how many there are; `maxprocs`, and how it changes |
//! | `shared.rs` | what workers share under the scheduler's lock |
//! | `stock.rs` | what processors draw on: the global queue, unused records, free stacks |
//! | `worker.rs` | what a worker is, and how it sleeps until it has a processor |
//! | `execute.rs` | how a task runs and what happens when it leaves |
//! | `find.rs` | which task runs next |
//! | `enqueue.rs` | where a task goes that is ready |
//! | `allot.rs` | whose turn it is to get a processor |
//! | `handover.rs` | when a worker gives one up, and how it gets another |
//! | `steal.rs` | how a thief walks over the other processors |
//! | `ripe.rs` | when a thief takes what another processor has |
//! | `share.rs` | how much of it |
//! | `lull.rs` | how long a worker waits for its bound tasks before it sleeps |
//! | `park.rs` | the two doors: `park` and `claim` |
//! | `preempt.rs` | when a task that does not park gives way |
//! | `signal.rs` | when its thread is suspended, because it does not |
//! | `look.rs` | how somebody reads the stack of a task |
//! | `call.rs`, `blocking.rs` | who has the processor of a task that blocks its thread |
//! | `lock_thread.rs` | what a task that locks its thread keeps others from |
//! | `offload.rs` | the threads that block in a task's place |
//! | `spare.rs` | why there is a worker when one is needed |
//! | `threads.rs` | when a worker's thread ends; how many are too many |
//! | `errands.rs`, `asked.rs` | who makes threads, and prints |
//! | `watchdog.rs` | who holds others up that are bound to his thread |
//! | `deadlock.rs` | when nobody can go on |
//! | `observe.rs` | where the scheduler tells what happens |
//! | `tape.rs` | how that is written down where nothing may be allocated |
//! | `tapes.rs` | whether it is, and who reads it |
//! | `crowd.rs` | when there are so many tasks that somebody should know |
//! | `quit.rs` | at which signals all tasks are shown |
//! | `sysmon.rs` | what is done beside the workers: slices, retaking processors, trimming |
//! | `start.rs` | what is done once, at the start |
//! | `config.rs` | what a program can set |
//! | `settings.rs` | which of program and environment wins |
//! | `debug.rs` | what `GOPARK_DEBUG` can be |
//! | `counts.rs`, `figures.rs` | what is counted, and what observers see of the scheduler |
//!
//! # Bound and migrating
//! A suspended stack may hold values that are tied to the thread they were made
//! on, and the compiler may keep the address of a thread-local in one of its
//! frames. Rust cannot see either. So by default a task is *bound* from its
//! first instruction on: it resumes only on the worker that started it. Tasks
//! that have not started hold nothing but their closure, which is `Send`; they
//! go through rings and thieves.
//!
//! In *migrating* mode, started tasks go through the rings too, and a task that
//! is made ready runs on its waker's processor, as in Go. The program promises,
//! with `unsafe`, that its frames do not care (`Config::migrating`).

mod allot;
pub(crate) mod blocking;
pub(crate) mod config;
pub(crate) mod counts;
mod crowd;
pub(crate) mod deadlock;
mod debug;
pub(crate) mod enqueue;
pub(crate) mod errands;
mod execute;
pub(crate) mod figures;
mod find;
pub(crate) mod handover;
pub(crate) mod lock_thread;
pub(crate) mod look;
mod lull;
pub(crate) mod observe;
pub(crate) mod offload;
pub(crate) mod park;
pub(crate) mod preempt;
pub(crate) mod processor;
pub(crate) mod processors;
pub(crate) mod queue;
mod quit;
mod ripe;
pub(crate) mod settings;
mod share;
mod shared;
pub(crate) mod signal;
mod spare;
mod start;
mod steal;
mod stock;
pub(crate) mod sysmon;
pub(crate) mod tapes;
mod threads;
mod watchdog;
pub(crate) mod worker;

use crate::sys::lock::RawLock;
use core::cell::UnsafeCell;
use idle::IdleWord;
use processors::Processors;
use settings::Settings;
use shared::Shared;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize};

pub(crate) use start::{is_started, start_default};
pub(crate) use {super::call, super::idle, super::ring, super::tape};

pub(crate) struct Sched {
    settings: OnceLock<Settings>,
    started: OnceLock<()>,
    processors: Processors,
    lock: RawLock,
    shared: UnsafeCell<Shared>,
    /// Read all the time, written when something happens under the lock.
    counts: Counts,
    pub(crate) idle: IdleWord,
    next_id: AtomicU64,
    next_worker: AtomicU32,
}

/// Lengths of the global queue and of the FIFO, to be read without the lock;
/// in a cache line of their own.
#[repr(align(128))]
struct Counts {
    global: AtomicUsize,
    fifo: AtomicUsize,
}

// SAFETY: `shared` is touched only under `lock`; the rest is atomic or set once.
unsafe impl Sync for Sched {}

pub(crate) static SCHED: Sched = Sched {
    settings: OnceLock::new(),
    started: OnceLock::new(),
    processors: Processors::new(),
    lock: RawLock::new(),
    shared: UnsafeCell::new(Shared::new()),
    counts: Counts { global: AtomicUsize::new(0), fifo: AtomicUsize::new(0) },
    idle: IdleWord::new(),
    next_id: AtomicU64::new(1),
    next_worker: AtomicU32::new(0),
};
