//! The runtime, room by room: what a program sees of it.
//!
//! | module | promise |
//! |---|---|
//! | `task` | how a task begins, ends, is named and joined; what is dropped, and how often |
//! | `scope` | who owns a task; events, unseen panics, reaping |
//! | `sched` | settings, spreading of work, fairness, bound and migrating tasks |
//! | `stack` | sizes, guards, refusals; growing beyond a stack; trimming, accounting |
//! | `time` | sleeping |
//! | `sections` | a breach of the rule about allocation is found |
//! | `inspect` | what observers see |
//! | `chan`, `sync` | channels, selects, locks, wait groups |
//! | `context` | when to stop, and who is told |
//! | `net` | sockets, and who looks for events |
//! | `future` | async code in tasks, and channels and handles in async code |
//! | `trace` | execution traces, read by a strict reader |
//!
//! Nothing sleeps to let something else happen: tests wait [`until`] they see
//! it. What depends on the whole process (a number of processors, that nobody
//! else runs) happens in a [`child`].
//!
//! [`until`]: support::until

mod captured;
mod chan;
mod child;
mod context;
mod future;
mod inspect;
mod net;
#[path = "../no_alloc.rs"]
mod no_alloc;
mod sched;
#[path = "../sched_lines.rs"]
mod sched_lines;
mod scope;
mod sections;
mod stack;
mod support;
mod sync;
mod task;
mod time;
mod trace;

#[global_allocator]
static ALLOCATOR: no_alloc::Checked = no_alloc::Checked;
