//! A running program, looked at from outside: with Go's tools, and over HTTP.
//!
//! | module | promise |
//! |---|---|
//! | `go` | Go's tools read our profiles and traces; skipped where Go cannot be had |
//! | `load` | a program that is looked at all the time, and has all to do besides |
//! | `profiles` | what is in the profiles of waits, locks and CPU time |
//! | `pages` | what the endpoint shows, and that it does not show itself |
//! | `state` | what the live page is told |
//! | `threads` | where a thread is that is none of ours, in all forms |
//! | `browser` | the live page, in Chromium; skipped where there is none |
//! | `devtools` | a browser for tests |
//! | `refusals` | what it does not answer, and to whom |
//! | `crowd` | malformed, slow and silent clients hold nobody up |

mod browser;
#[path = "../it/child.rs"]
mod child;
mod client;
mod crowd;
mod devtools;
mod go;
#[path = "../golden/grammar.rs"]
mod grammar;
mod load;
#[path = "../no_alloc.rs"]
mod no_alloc;
mod pages;
mod profiles;
mod proto;
mod refusals;
mod state;
mod threads;
#[path = "../../bench/src/go.rs"]
mod toolchain;

#[global_allocator]
static ALLOCATOR: no_alloc::Checked = no_alloc::Checked;

use go::{pprof, rows};
use gopark::chan;
use gopark::inspect::{Snapshot, TaskInfo};

/// What the tasks do that are looked at. There is one such function: equal ones would be
/// one, optimised, by one name.
#[inline(never)]
fn waits(rx: &chan::Receiver<u8>) {
    std::hint::black_box(rx.recv().is_ok());
}

/// Waits until so many tasks that run this function are parked.
fn parked(function: &str, count: usize) -> Vec<TaskInfo> {
    loop {
        let mut tasks = Snapshot::all().with_frames().tasks;
        let is_in = |task: &TaskInfo| task.frames().any(|it| it.function.ends_with(function));
        tasks.retain(|task| task.wait.is_some() && is_in(task));
        if tasks.len() == count {
            return tasks;
        }
        std::thread::yield_now();
    }
}
