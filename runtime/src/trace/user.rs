//! What the program says of itself in a trace: tasks, regions, logs.

use super::is_enabled;
use crate::sched::observe::{self, User};
use crate::task;
use core::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers of tasks and regions.
static NEXT: AtomicU64 = AtomicU64::new(1);

fn next() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Says it if somebody listens.
fn say(user: impl FnOnce() -> User) {
    if is_enabled() {
        let user = user();
        observe::user(task::current().record(), &user);
    }
}

/// A piece of work of the program, such as a request, that may go through many of
/// the runtime's tasks.
///
/// `go tool trace` lists them by name and shows how long each took and what it did:
/// the regions and logs that belong to it, and the tasks started in those. It ends when
/// it is dropped; it may be sent and shared. Texts are cut off after 1024 bytes. Go:
/// `trace.Task`.
///
/// ```
/// use gopark::trace::Task;
///
/// let order = Task::new("order");
/// let reader = gopark::go(move || {
///     let _reading = order.region("read");
///     order.log("size", "17");
/// });
/// reader.join().unwrap();
/// ```
#[derive(Debug)]
#[must_use = "the task ends when it is dropped"]
pub struct Task {
    id: u64,
}

impl Task {
    /// Begins one that belongs to none.
    pub fn new(name: &str) -> Task {
        Task::begin(0, name)
    }

    /// Begins one that is a part of this one.
    pub fn child(&self, name: &str) -> Task {
        Task::begin(self.id, name)
    }

    fn begin(parent: u64, name: &str) -> Task {
        let id = next();
        say(|| User::TaskBegin { id, parent, name: name.to_owned() });
        Task { id }
    }

    /// Begins a [region](region()) of this task.
    pub fn region(&self, name: &str) -> Region {
        Region::begin(self.id, name)
    }

    /// Says something of this task; see [`log`].
    pub fn log(&self, category: &str, message: &str) {
        say_log(self.id, category, message);
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        say(|| User::TaskEnd { id: self.id });
    }
}

/// A span of time in the life of one of the runtime's tasks; see [`region`].
#[derive(Debug)]
#[must_use = "the region ends when it is dropped"]
pub struct Region {
    id: u64,
    /// It ends in the task in which it began.
    _not_send: PhantomData<*const ()>,
}

impl Region {
    fn begin(task: u64, name: &str) -> Region {
        let id = next();
        say(|| User::RegionBegin { task, id, name: name.to_owned() });
        Region { id, _not_send: PhantomData }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        say(|| User::RegionEnd { id: self.id });
    }
}

/// Begins a region: what the running task does until the region is dropped.
///
/// Regions of one task end in the reverse order of their beginnings; one that ends
/// early ends those that it contains. [`Task::region`] begins one that belongs to
/// a [`Task`]. Go: `trace.StartRegion`.
///
/// ```
/// {
///     let _region = gopark::trace::region("sort");
///     let mut numbers = vec![3, 1, 2];
///     numbers.sort_unstable();
/// }
/// ```
pub fn region(name: &str) -> Region {
    Region::begin(0, name)
}

/// Writes a message into the trace, at the running task and the present time.
///
/// Costs a branch while no trace is written. Texts are cut off after 1024 bytes.
/// Go: `trace.Log`.
///
/// ```
/// gopark::trace::log("cache", "miss");
/// ```
pub fn log(category: &str, message: &str) {
    say_log(0, category, message);
}

fn say_log(task: u64, category: &str, message: &str) {
    say(|| User::Log { task, category: category.to_owned(), message: message.to_owned() });
}
