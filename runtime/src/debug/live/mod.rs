//! The live page: what the program does, while it does it.
//!
//! What is in `page/` becomes one file for the browser, which asks for nothing but the JSON
//! that is made here:
//!
//! | path | what | how often |
//! |---|---|---|
//! | `/debug/live.json` | counts of states, transitions and queues, groups of tasks | every second, while the page is to be seen |
//! | `/debug/tasks.json` with filters | some tasks | the same, while a list of them is shown |
//! | `/debug/task.json` | one task: frames, and whom it waits for | the same, while it is shown |
//!
//! A look at a million tasks takes tens of milliseconds, of one CPU. So the page waits ten
//! times as long as its last look took, at least.
//!
//! What is unusual in a program is text that the page puts into text nodes only: a task may be
//! called `<script>`. What stands in `page.js` is what runs, by its nonce in the
//! `Content-Security-Policy`, and nothing else does.

mod graph;
mod key;
mod state;
mod wanted;

pub(super) use graph::task;
pub(super) use state::state;
pub(super) use wanted::Wanted;

use crate::inspect::Status;

/// One file, without anything from outside.
pub(super) const PAGE: &str = concat!(
    include_str!("page/head.html"),
    "<style nonce=\"{nonce}\">\n",
    include_str!("page/page.css"),
    "</style>\n",
    include_str!("page/body.html"),
    "<script nonce=\"{nonce}\">\n",
    include_str!("page/page.js"),
    "</script>\n</html>\n",
);

/// What a living task can be in, as the page shows it.
const STATES: [Status; 6] = [
    Status::Runnable,
    Status::Running,
    Status::Syscall,
    Status::Waiting,
    Status::Preempted,
    Status::Leaked,
];

/// A stack is trimmed for microseconds: the task waits meanwhile.
fn shown(status: Status) -> Status {
    if status == Status::CopyStack { Status::Waiting } else { status }
}
