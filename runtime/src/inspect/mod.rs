//! See what the tasks do.
//!
//! One [`Snapshot`] serves all observers: dumps, leak reports, and whatever
//! comes. [`dump`] gives all tasks with their frames as text, and so does a
//! process that gets SIGQUIT (`GOPARK_DEBUG=sigquit=0` turns that off). Taking one stops nothing. Each task is read between two equal
//! readings of its state, so what is said of one task was true at one moment;
//! two tasks may have been read at different moments. A [`Census`] is the light
//! form that a leak check takes twice: if nothing differs, then every task was
//! in the same state during the whole time between the two.
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

pub(crate) mod census;
mod dump;
mod frames;
mod groups;
mod json;
mod lineage;
mod profile;
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
pub use dump::{GoDump, dump, write_go_dump};
pub use frames::{Frame, Trace, add_frames};
pub use groups::{Group, groups};
pub use lineage::{Ancestor, keep_ancestors};
pub use snapshot::{Kind, Snapshot, StackInfo, TaskInfo, Wait, current_task};
pub use waits::{ChannelEnd, Half, Handles, WaitsFor, explain};
