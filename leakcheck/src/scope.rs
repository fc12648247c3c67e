//! The facts of a scope, as the runtime shows them.

use std::collections::HashSet;
use std::thread;
use std::time::{Duration, Instant};

use gopark::inspect::{
    Census, Snapshot, Status, TaskInfo, add_frames, explain, foreign_threads_of,
    mark_harness_thread,
};
use gopark::{Scope, TaskId, Watch, chan};

use crate::cycle::{self, Cycle};
use crate::settings::Timing;
use crate::verdict::{self, Look, Stamped, Verdict, World};
use crate::{Candidate, Filter, sys};

/// What a check found alive, and what could still wake it.
pub(crate) struct Remains {
    /// Live tasks that are leaks.
    pub(crate) leaked: Vec<TaskInfo>,
    /// Live tasks that are none, but may wake others.
    pub(crate) left_out: Vec<TaskInfo>,
    /// Nothing could wake them; else the time was up.
    pub(crate) proven: bool,
    /// Time since the check began.
    pub(crate) after: Duration,
    /// Tasks and adopted threads outside that might wake one of the scope.
    pub(crate) outside: usize,
    /// Timers that are set and might wake one.
    pub(crate) timers: usize,
    /// OS threads that the runtime does not know.
    pub(crate) foreign: Vec<u32>,
    /// Tasks that wait for each other's locks.
    pub(crate) cycles: Vec<Cycle>,
    /// All that will never get a lock that they wait for.
    pub(crate) doomed: HashSet<TaskId>,
    /// Tasks that were alive, too, and of which nothing else is known: the verdict did
    /// not wait for them.
    pub(crate) others: usize,
}

/// Checks the scope; `None` when nothing is left that should not be.
#[inline]
pub(crate) fn check(scope: &Scope, filter: &Filter, timing: Timing) -> Option<Remains> {
    // This is all that a clean test pays for.
    if scope.live() == 0 {
        return None;
    }
    let filter = filter.clone();
    apart(scope, move |scope| watch(scope, filter, timing))
}

/// Runs `f`, which blocks its thread until tasks of the scope have moved, where
/// that is harmless. The calling task or thread does not belong to the scope
/// meanwhile, so that a check inside a task neither finds nor ends the task
/// that makes it; and a task leaves its worker, whose other tasks would else
/// stand still for as long.
pub(crate) fn apart<R: Send + 'static>(
    scope: &Scope,
    f: impl FnOnce(&Scope) -> R + Send + 'static,
) -> R {
    let aside = Scope::new("apart");
    let _aside = aside.move_in();
    // Only a task, not a thread, is listed among those of a scope.
    if Snapshot::of(&aside).tasks.is_empty() {
        return f(scope);
    }
    let scope = scope.clone();
    let (done, result) = chan::bounded(1);
    sys::untold(|| {
        thread::spawn(move || {
            mark_harness_thread();
            // The task that waits is the only receiver and cannot go away.
            let _ = done.send(f(&scope));
        })
    });
    result.recv().expect("the check did not panic")
}

fn watch(scope: &Scope, filter: Filter, timing: Timing) -> Option<Remains> {
    let watched = Watched { scope, watch: scope.watch(), filter, start: Instant::now() };
    let Verdict::Leaked { view, proven, deadlock, after } = verdict::decide(&watched, timing)
    else {
        return None;
    };
    let cycles = deadlock.map(|earlier| cycle::lasting(&earlier.cycles, &view.census.locks));
    Some(remains(scope, &watched.filter, view, cycles.unwrap_or_default(), proven, after))
}

/// What a last look has to say. If only the cycles were proven, and not that all is
/// still, only who is caught in them has leaked for certain; without either, all that
/// is alive has had its time.
pub(crate) fn remains(
    scope: &Scope,
    filter: &Filter,
    view: View,
    cycles: Vec<Cycle>,
    still: bool,
    after: Duration,
) -> Remains {
    let doomed = cycle::doomed(&cycles, &view.census.locks);
    let (left_out, leaked): (Vec<_>, Vec<_>) =
        view.tasks.into_iter().partition(|task| is_left_out(filter, task));
    let cycles_only = !still && !cycles.is_empty();
    let (mut leaked, others): (Vec<_>, Vec<_>) =
        leaked.into_iter().partition(|task| !cycles_only || doomed.contains(&task.id));
    // Before they are condemned: it takes tasks in the state that was seen.
    explain(&mut leaked);
    let foreign = if still { Vec::new() } else { foreign_threads_of(scope) };
    if still || cycles_only {
        let ids: HashSet<TaskId> = leaked.iter().map(|task| task.id).collect();
        let members = view.census.members.iter().filter(|it| ids.contains(&it.id));
        let members: Vec<_> = members.copied().collect();
        scope.condemn(&members);
        leaked.iter_mut().for_each(|task| task.status = Status::Leaked);
    }
    Remains {
        leaked,
        left_out,
        proven: still || cycles_only,
        after,
        outside: view.census.outside,
        timers: view.census.timers,
        foreign,
        cycles,
        doomed,
        others: others.len(),
    }
}

pub(crate) fn is_left_out(filter: &Filter, task: &TaskInfo) -> bool {
    task.daemon || filter.matches(&Candidate::from(task))
}

/// Finds out what the filter will want to know of the tasks and what costs less for all
/// of them at once.
pub(crate) fn prepare(filter: &Filter, tasks: &mut [TaskInfo]) {
    if filter.wants_functions() {
        add_frames(tasks);
    }
}

/// A scope whose tasks count an event at each park and end.
struct Watched<'a> {
    scope: &'a Scope,
    watch: Watch<'a>,
    filter: Filter,
    start: Instant,
}

/// What a look keeps.
pub(crate) struct View {
    pub(crate) census: Census,
    tasks: Vec<TaskInfo>,
    /// Daemons, which a census leaves out, but which may wake others.
    daemons: Vec<Stamped>,
    /// Tasks that wait for each other's locks, as far as this look can tell; one of
    /// them at least is this scope's.
    pub(crate) cycles: Vec<Cycle>,
}

impl World for Watched<'_> {
    type View = View;

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn live(&self) -> usize {
        self.scope.live()
    }

    fn epoch(&self) -> u32 {
        self.watch.epoch()
    }

    fn wait(&self, seen: u32, timeout: Duration) {
        self.watch.wait(seen, timeout);
    }

    fn look(&self) -> Look<View> {
        look(self.scope, &self.filter, None)
    }

    fn same(earlier: &View, later: &View) -> bool {
        same(earlier, later)
    }

    fn same_deadlock(earlier: &View, later: &View) -> bool {
        !cycle::lasting(&earlier.cycles, &later.census.locks).is_empty()
    }
}

/// Whether both looks saw the same tasks, each in the same uninterrupted state.
pub(crate) fn same(earlier: &View, later: &View) -> bool {
    earlier.census.same(&later.census) && earlier.daemons == later.daemons
}

/// Looks at the scope, and at what else is near; `body` is whose scope it is, if that
/// is under way.
pub(crate) fn look(scope: &Scope, filter: &Filter, body: Option<TaskId>) -> Look<View> {
    let born = scope.born();
    let census = Census::take(scope);
    let mut tasks = Snapshot::of(scope).tasks;
    prepare(filter, &mut tasks);
    let complete = scope.born() == born;

    let mut daemons = tasks.iter().filter(|task| task.daemon);
    let blocked = census.all_blocked() && daemons.clone().all(TaskInfo::durably_blocked);
    // Reading the list of threads is the dearest part for a small scope.
    let quiet = census.outside == 0 && census.timers == 0;
    let still = blocked && quiet && census.unknown_threads().is_empty();
    let ready: Vec<Stamped> =
        census.members.iter().filter(|it| it.runnable).map(|it| (it.id.get(), it.stamp)).collect();
    let ours: HashSet<TaskId> = match census.locks.is_empty() {
        true => HashSet::new(),
        false => {
            let tasks = tasks.iter().filter(|task| !is_left_out(filter, task));
            tasks.map(|task| task.id).chain(body).collect()
        }
    };
    let mut cycles = cycle::find(&census.locks);
    cycles.retain(|cycle| ours.iter().any(|task| cycle.has(*task)));
    Look {
        candidates: tasks.iter().filter(|task| !is_left_out(filter, task)).count(),
        complete,
        still,
        deadlock: !cycles.is_empty(),
        restless: blocked || !ready.is_empty(),
        ready,
        view: View {
            daemons: daemons.by_ref().map(|task| (task.id.get(), task.stamp)).collect(),
            census,
            tasks,
            cycles,
        },
    }
}
