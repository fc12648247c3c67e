//! Execution traces: what every task and every processor did, and when.
//!
//! [`start`] writes a trace until [`stop`], as a file for `go tool trace` (Go 1.26 or
//! later), which shows who ran where, why and for how long tasks waited for the network,
//! for each other and for a processor. [`FlightRecorder`] keeps the last seconds in
//! memory, for when something has gone wrong. [`to_chrome_json`] makes of a file what
//! Perfetto's page and Chrome's `about:tracing` open; so does the repository's example
//! `chrome_json` from a shell. The program adds its own words with [`Task`], [`region`] and
//! [`log`]. Go: `runtime/trace`.
//!
//! ```
//! let file = std::env::temp_dir().join(format!("trace-{}.out", std::process::id()));
//! gopark::trace::start(std::fs::File::create(&file)?)?;
//! gopark::go(|| gopark::trace::log("shop", "sold")).join().unwrap();
//! let summary = gopark::trace::stop()?;
//! assert_eq!(summary.lost, 0);
//! // go tool trace trace-….out
//! # std::fs::remove_file(file)?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # What is written
//! - Each task is named after its function; a closure, whose name all closures of a function
//!   have, with the line where the task was made: `shop::open::{{closure}}:42`. Its stack is
//!   one frame: that function, at the line where the task was made, or where it waits, which
//!   may be a line of another function that it has called. To find all frames at each of a
//!   million waits a second would cost more than the rest together. They are in
//!   [`block_profile`](crate::inspect::block_profile) and
//!   [`mutex_profile`](crate::inspect::mutex_profile), which `/debug/pprof/block` and
//!   `mutex` show, and of all tasks at one moment in [`dump`](crate::inspect::dump()).
//! - A task in a blocking call is in a system call, and its processor is free.
//! - Waits are called what dumps call them, but for those that Go's profiles know
//!   by another word: `network` for sockets, `forever` for what nothing ends, `sync
//!   (join)` for a join.
//! - What threads do that are no workers, starting tasks and making them ready, is shown
//!   on one thread, number 0, and on processor 1024, if it needs one.
//!
//! # What it costs
//! While no trace is written, a branch at each change of a task's state. While one is,
//! some 20 nanoseconds and 8 to 32 bytes for each, half of that to read the clock, and as
//! long again on the thread that collects them some forty times a second. Each worker has
//! a buffer of a MiB, made when it is first needed and then kept. If a worker is faster
//! than the collector, what finds no room is lost, [counted](Summary::lost), and the trace
//! goes on.
//!
//! # Rooms
//!
//! | file | what is decided there |
//! |---|---|
//! | `sched/observe.rs` | where the scheduler tells what happens |
//! | `sched/tape.rs` | how a thread writes it down |
//! | `session.rs` | when the tapes are read, in which order, and who gets the bytes |
//! | `model.rs`, `model/` | which events make that acceptable to a strict reader |
//! | `recorder.rs` | the last seconds, and what is done with them when something goes wrong |
//! | `environment.rs` | `GOPARK_TRACE`, and the flight recorder of `GOPARK_DEBUG` |
//! | `file.rs` | the bytes |
//! | `user.rs` | what the program says |
//! | `read.rs`, `chrome.rs` | from a file to JSON |

mod chrome;
#[cfg(test)]
mod disorder;
pub(crate) mod environment;
mod file;
mod model;
mod read;
pub(crate) mod recorder;
mod session;
#[cfg(test)]
#[allow(dead_code, reason = "the tests of whole traces use all of it")]
mod strict;
mod user;

pub use chrome::to_chrome_json;
pub use recorder::FlightRecorder;
pub use session::{Summary, start, stop};
pub use user::{Region, Task, log, region};

/// Whether a trace is being written or recorded: for what costs something to say.
///
/// Go: `trace.IsEnabled`.
///
/// ```
/// assert!(!gopark::trace::is_enabled());
/// ```
pub fn is_enabled() -> bool {
    crate::sched::tapes::is_on()
}
