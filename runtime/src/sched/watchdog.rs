//! Tells of a task that holds its siblings up.
//!
//! By default a started task runs on its thread only ([bound](crate#bound-tasks)), so
//! one that computes for long without giving way, or blocks its thread, keeps the others
//! there waiting, however many processors are idle. Somebody should say so, once.
//!
//! The thread for errands looks every [`PERIOD`] while somebody runs, since it must not
//! be done in a section: sysmon asks for it. It looks at the workers first. Whose
//! count of starts is the same at two looks runs one task since; then it looks at all
//! tasks for those that are bound there and ready. When one of them is ready in the
//! same state [`LOOKS`] looks later, and the worker has started nothing since, the task
//! is reported, with its frames if its thread answers (`look.rs`). Being suspended or
//! in a blocking call does not help it: its siblings wait all the same. Looks are
//! counted, not the time, which goes on while the whole process stands still.
//!
//! When all processors are idle sysmon sleeps, while a task may be in a blocking call
//! with siblings behind it. So the watchdog comes back by itself as long as it sees a
//! task that has not left and is bound to a worker with siblings.

use super::SCHED;
use super::worker::Worker;
use crate::inspect::{self, Snapshot, Status, TaskInfo};
use crate::sys::clock;
use crate::task::record::{Record, TaskId, flag};
use crate::task::registry;
use core::ptr;
use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt::Write as _;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Between two looks, at least.
pub(super) const PERIOD: Duration = Duration::from_millis(500);
/// For so many a task may hold another one up: a second.
const LOOKS: u32 = 2;
/// So often its thread is asked for frames: it may get no CPU for a while.
const QUESTIONS: u32 = 20;
/// Between two of those questions.
const PAUSE: Duration = Duration::from_millis(5);

pub(super) struct Watchdog {
    /// When to look again, at the earliest.
    next: u64,
    /// By number: the workers that were seen with a task.
    seen: HashMap<u32, Seen>,
    /// Tasks that were reported, or will be soon.
    told: HashSet<TaskId>,
    /// What is to be reported.
    due: VecDeque<Due>,
}

/// A task to report.
struct Due {
    task: TaskId,
    /// How many it holds up.
    behind: usize,
    /// How often its thread may still be asked.
    questions: u32,
}

/// A worker that has started nothing since.
struct Seen {
    starts: u64,
    task: TaskId,
    /// Those that were ready when it was first seen again, and how many looks ago
    /// that was.
    ready: Vec<(TaskId, u64)>,
    looks: u32,
}

/// What there is besides the task that runs.
#[derive(Default)]
struct Siblings {
    alive: usize,
    ready: Vec<(TaskId, u64)>,
}

impl Watchdog {
    pub(super) fn new() -> Watchdog {
        Watchdog { next: 0, seen: HashMap::new(), told: HashSet::new(), due: VecDeque::new() }
    }

    /// Looks, if it is time, and reports. When to look again, if nobody asks for it.
    pub(super) fn look(&mut self) -> Option<Duration> {
        let later = self.look_at_all();
        let soon = self.report();
        soon.into_iter().chain(later).min()
    }

    /// When to ask again for frames. Others wait for this thread meanwhile, so no
    /// question takes long.
    fn report(&mut self) -> Option<Duration> {
        while let Some(due) = self.due.front_mut() {
            if !tell(due) {
                due.questions -= 1;
                return Some(PAUSE);
            }
            self.due.pop_front();
        }
        None
    }

    fn look_at_all(&mut self) -> Option<Duration> {
        let now = clock::now();
        if now < self.next {
            return Some(Duration::from_nanos(self.next - now));
        }
        self.next = now + PERIOD.as_nanos() as u64;
        let mut before = std::mem::take(&mut self.seen);
        let mut again = false;
        for w in SCHED.workers() {
            let starts = w.starts.load(Ordering::Relaxed);
            let Some(task) = w.running_elsewhere().map(Record::id) else {
                continue;
            };
            let seen = match before.remove(&w.id) {
                Some(seen) if seen.starts == starts && seen.task == task => seen,
                _ => Seen { starts, task, ready: Vec::new(), looks: 0 },
            };
            let (seen, waits) = self.look_at(w, seen);
            again |= waits;
            self.seen.insert(w.id, seen);
        }
        again.then_some(PERIOD)
    }

    /// Whether to come back in any case.
    fn look_at(&mut self, w: &'static Worker, mut seen: Seen) -> (Seen, bool) {
        if self.told.contains(&seen.task) {
            return (seen, false);
        }
        let siblings = siblings(w, seen.task);
        seen.ready.retain(|ready| siblings.ready.contains(ready));
        if seen.ready.is_empty() {
            seen.ready.clone_from(&siblings.ready);
            seen.looks = 0;
            return (seen, siblings.alive != 0);
        }
        seen.looks += 1;
        if seen.looks >= LOOKS && w.starts.load(Ordering::Relaxed) == seen.starts {
            self.told.insert(seen.task);
            let behind = siblings.ready.len();
            self.due.push_back(Due { task: seen.task, behind, questions: QUESTIONS });
        }
        (seen, siblings.alive != 0)
    }
}

fn siblings(w: &'static Worker, task: TaskId) -> Siblings {
    let mut siblings = Siblings::default();
    registry::each_unlocked(|record| {
        // ORDERING: Acquire; pairs with the Release of whoever binds it: see enqueue::put().
        let home = || record.worker.load(Ordering::Acquire).cast_const();
        if !ptr::eq(home(), w) || record.has(flag::THREAD) {
            return;
        }
        let seen = record.observe(|record, reading| {
            let status = reading.status();
            let alive = !matches!(status, Status::Idle | Status::Dead);
            (alive && ptr::eq(home(), w)).then(|| (record.id(), status == Status::Runnable))
        });
        if let Some((stamp, Some((id, ready)))) = seen
            && id != task
        {
            siblings.alive += 1;
            if ready {
                siblings.ready.push((id, stamp));
            }
        }
    });
    siblings
}

/// `false`: its thread should be asked once more.
fn tell(due: &Due) -> bool {
    let task = Snapshot::all().tasks.into_iter().find(|task| task.id == due.task);
    if let Some(mut task) = task {
        inspect::add_frames(core::slice::from_mut(&mut task));
        if task.trace.is_none() && due.questions != 0 {
            return false;
        }
        crate::sys::warn(&report(&task, due.behind));
    }
    true
}

fn report(task: &TaskInfo, behind: usize) -> String {
    let mut text = format!("task {}", task.id);
    if let Some(name) = &task.name {
        let _ = write!(text, " ({name:?})");
    }
    let (tasks, wait) = if behind == 1 { ("task", "waits") } else { ("tasks", "wait") };
    let _ = write!(
        text,
        " has kept its thread for more than a second, and {behind} {tasks} bound to that thread \
         {wait}\n\tit is {}",
        task.status.as_str()
    );
    if let Some(call) = task.call {
        let _ = write!(text, ", in a call at {}:{}", call.file(), call.line());
    }
    let made = task.created_at;
    let _ = write!(
        text,
        ": {}, made at {}:{}\n\tgopark::safepoint() or #[gopark::cooperative] lets the others run \
         where it computes, gopark::offload where it blocks; GOPARK_DEBUG=watchdog=0 silences this",
        task.entry,
        made.file(),
        made.line()
    );
    for (n, frame) in task.frames().enumerate() {
        let head = if n == 0 { "\n\tit is at" } else { "" };
        let _ = write!(text, "{head}\n{n:4}: {}", frame.function);
        if let (Some(file), Some(line)) = (&frame.file, frame.line) {
            let _ = write!(text, "\n             at {file}:{line}");
        }
    }
    text
}
