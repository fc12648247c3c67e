//! Workers are made ahead. Go: `templateThread`, `startm`.
//!
//! Making a thread allocates, which nobody may do who passes a processor on. So a
//! *spare*, an idle worker that may run anything, is there before it is needed:
//! whoever takes the last one from the list of idle workers asks for another
//! (`errands.rs`). It can be given a processor before its thread runs, so all that this
//! needs is made first: the thread is in a section from its beginning.
//!
//! A processor that finds no worker in spite of that goes to the idle ones, with
//! its queues; the run queues keep their place in the FIFO, and whoever comes
//! behind them is served first. The maker looks at both each time it was asked,
//! after it has listed a worker or found one listed, so nothing is left waiting:
//! it sees what was submitted before; who submits later finds a worker (`idle.rs`).

use super::errands::{self, Errand};
use super::worker::Worker;
use super::{SCHED, handover};
use std::io;
use std::time::Duration;

/// How long the maker waits after the system has refused a thread.
const AGAIN: Duration = Duration::from_millis(100);

/// Makes the first one.
pub(super) fn start() -> io::Result<()> {
    launch(SCHED.new_worker(false))
}

/// There is none any more.
pub(super) fn ask() {
    errands::ask(Errand::Spare);
}

/// Makes the others.
pub(super) struct Maker {
    /// The one whose thread was refused.
    refused: Option<&'static Worker>,
}

impl Maker {
    pub(super) fn new() -> Maker {
        Maker { refused: None }
    }

    /// Makes one if there is none. When to try again, if the system refuses.
    pub(super) fn make(&mut self) -> Option<Duration> {
        if SCHED.locked(|s| !s.has_idle_worker()) {
            let worker = self.refused.take().unwrap_or_else(|| SCHED.new_worker(false));
            if launch(worker).is_err() {
                self.refused = Some(worker);
            }
        }
        look();
        self.refused.map(|_| AGAIN)
    }
}

fn launch(worker: &'static Worker) -> io::Result<()> {
    worker.try_launch()?;
    // From here on it can be given a processor; its thread takes it when it runs.
    SCHED.locked(|s| s.list_idle(worker));
    Ok(())
}

/// Sees what found no worker before.
fn look() {
    SCHED.locked(|s| s.serve(&SCHED.idle)).send();
    SCHED.idle.before_last_look();
    if SCHED.has_work() {
        handover::wake_one();
    }
}
